import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { expect } from 'vitest';
import { main } from '../../src/cli.ts';
import { exitCodes, ImggenError } from '../../src/errors.ts';
import { Redactor } from '../../src/terminal/redactor.ts';
import type { Host } from '../../src/terminal/types.ts';
import { type SeenRequest, serve } from './gateway.ts';
import { testKey } from './imggen.ts';

/** A PNG of one pixel. */
export const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

export interface Input {
  stdin?: Uint8Array;
  stdinIsTerminal?: boolean;
  stdoutIsTerminal?: boolean;
  env?: Record<string, string>;
}

export interface Outcome {
  exit: number;
  stdout: string;
  stderr: string;
  /** The lines of stderr. */
  lines: string[];
  /** How many POSTs the gateway got. */
  posts: number;
}

/**
 * Runs the program inside the test, each run in fresh directories: captured streams, and a gateway on loopback that
 * counts its POSTs. It works in the current directory of this process, so one run at a time.
 */
export class World {
  readonly #home = process.cwd();
  readonly #root = realpathSync(mkdtempSync(join(tmpdir(), 'imggen-property-')));
  readonly #server: Awaited<ReturnType<typeof serve>>;
  /** The gateway's answer to a generation; undefined: as many images as were asked for. */
  answer: { status: number; body: Uint8Array } | undefined;
  #runs = 0;
  #place = this.#root;

  private constructor(server: Awaited<ReturnType<typeof serve>>) {
    this.#server = server;
  }

  static async create(): Promise<World> {
    const world: World = new World(await serve((request, response) => world.#answer(request, response)));
    return world;
  }

  get origin(): string {
    return this.#server.origin;
  }

  get configFile(): string {
    return join(this.#place, 'config', 'config.json');
  }

  async close(): Promise<void> {
    process.chdir(this.#home);
    await this.#server.close();
    rmSync(this.#root, { recursive: true, force: true });
  }

  /** Fresh directories, deep enough that no `..` of a test leads out of them. */
  enter(): void {
    process.chdir(this.#root);
    rmSync(this.#place, { recursive: true, force: true });
    this.#runs += 1;
    this.#place = join(this.#root, `run-${this.#runs}`);
    const work = join(this.#place, 'a/b/c/d/work');
    for (const directory of [work, join(this.#place, 'config'), join(work, 'taken.png')])
      mkdirSync(directory, { recursive: true });
    writeFileSync(join(work, 'file'), 'a cat');
    writeFileSync(join(work, 'bytes'), Buffer.from([0xff, 0xfe, 0x00]));
    writeFileSync(join(work, 'there.png'), 'old');
    process.chdir(work);
  }

  /** Runs the program where enter() led, and checks what holds for every run. */
  async run(argv: readonly string[], input: Input = {}): Promise<Outcome> {
    const { host, out, err } = this.#host(input);
    this.#server.requests.length = 0;
    const exitCode = process.exitCode;
    const late = setTimeout(() => out.fail(new Error(`it did not end: ${JSON.stringify(argv)}`)), 60_000);
    try {
      await Promise.race([main(argv, host), out.failure]);
      const outcome: Outcome = {
        exit: Number(process.exitCode),
        stdout: out.text,
        stderr: err.text,
        lines: err.text.split('\n').slice(0, -1),
        posts: this.#server.requests.filter(({ method }) => method === 'POST').length,
      };
      check(argv, outcome);
      return outcome;
    } finally {
      clearTimeout(late);
      process.exitCode = exitCode;
    }
  }

  #host({ stdin = new Uint8Array(0), stdinIsTerminal = false, stdoutIsTerminal = false, env = {} }: Input) {
    const interruption = new AbortController();
    // `imggen sandbox` serves until it is interrupted; the address is the first that it says.
    const out = new Captured((text) => {
      if (/^http:\/\/127\.0\.0\.1:\d+\S*\n$/.test(text))
        interruption.abort(new ImggenError('interrupted', 'interrupted'));
    });
    const err = new Captured();
    const host: Host = {
      env: {
        IMGGEN_CONFIG_DIR: join(this.#place, 'config'),
        IMGGEN_STATE_DIR: join(this.#place, 'state'),
        IMGGEN_API_KEY: testKey,
        IMGGEN_RETRIES: '0',
        ...env,
      },
      platform: 'linux',
      home: this.#place,
      machine: { name: 'here', pid: process.pid, isRunning: () => false },
      redactor: new Redactor(),
      stdin: Object.assign(Readable.from([Buffer.from(stdin)]), { isTTY: stdinIsTerminal }) as unknown as Host['stdin'],
      stdout: Object.assign(out, { isTTY: stdoutIsTerminal, columns: 80 }) as unknown as Host['stdout'],
      stderr: err as unknown as Host['stderr'],
      signal: interruption.signal,
    };
    return { host, out, err };
  }

  #answer({ method, path, body }: SeenRequest, response: ServerResponse): void {
    if (method === 'GET') {
      if (path !== '/image') response.statusCode = 404;
      response.end(Buffer.from(pixel, 'base64'));
    } else if (this.answer) {
      response.statusCode = this.answer.status;
      response.end(this.answer.body);
    } else {
      const { n } = JSON.parse(body) as { n: number };
      const url = (index: number) => (index % 2 === 0 ? `data:image/png;base64,${pixel}` : `${this.origin}/image`);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ code: 0, data: { urls: Array.from({ length: n }, (_, index) => url(index)) } }));
    }
  }
}

class Captured extends Writable {
  text = '';
  fail: (error: Error) => void = () => {};
  readonly failure = new Promise<never>((_resolve, reject) => {
    this.fail = reject;
  });
  readonly #onText: (text: string) => void;

  constructor(onText: (text: string) => void = () => {}) {
    super({ decodeStrings: true });
    this.#onText = onText;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const text = chunk.toString();
    this.text += text;
    done();
    this.#onText(text);
  }
}

/** What holds for every run: a documented exit code, one error in three lines, no control characters, one POST at most. */
function check(argv: readonly string[], { exit, stdout, stderr, lines, posts }: Outcome): void {
  expect(exit, stderr).not.toBe(1);
  expect(Object.keys(exitCodes), stderr).toContain(String(exit));
  expect(stderr, 'control characters on stderr').toMatch(/^([^\p{Cc}\p{Bidi_C}]*\n)*$/u);
  expect(posts).toBeLessThanOrEqual(1);
  if (exit === 0 || argv.includes('--verbose')) return;
  const start = lines.findIndex((line) => line.startsWith('error: '));
  expect(start, stderr).toBeGreaterThanOrEqual(0);
  const told = lines.slice(start);
  // A run that saved images ends with a summary.
  if (exit >= 7 && /^\d+ images? in /.test(told.at(-1) ?? '')) told.pop();
  expect(told.length, stderr).toBeLessThanOrEqual(3);
  for (const line of told) expect(line).toMatch(/^(error|cause|hint): ./);
  if (exit !== 2) return;
  expect(posts, stderr).toBe(0);
  expect(start, stderr).toBe(0);
  if (!argv.includes('--json')) return void expect(stdout).toBe('');
  expect((JSON.parse(stdout) as { error: { exit: number } }).error.exit).toBe(exit);
}
