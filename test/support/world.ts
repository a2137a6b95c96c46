import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { expect } from 'vitest';
import { main } from '../../src/cli.ts';
import { exitCodes, ImggenError } from '../../src/errors.ts';
import { Redactor } from '../../src/terminal/redactor.ts';
import type { Host } from '../../src/terminal/types.ts';

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
  /** How many generations were asked for. */
  posts: number;
}

/**
 * Runs the program inside the test, each run in fresh directories: captured streams, and a gateway on loopback that
 * counts what it is asked for. It works in the current directory of this process, so one run at a time.
 */
export class World {
  readonly #home = process.cwd();
  readonly #root = realpathSync(mkdtempSync(join(tmpdir(), 'imggen-property-')));
  readonly #server: Server;
  /** What the gateway answers to a generation; as many images as were asked for when it is not set. */
  answer: { status: number; body: Uint8Array } | undefined;
  #runs = 0;
  #posts = 0;
  #place = this.#root;

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.listen(0, '127.0.0.1');
  }

  static async create(): Promise<World> {
    const world = new World();
    await once(world.#server, 'listening');
    return world;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get configFile(): string {
    return join(this.#place, 'config', 'config.json');
  }

  async close(): Promise<void> {
    process.chdir(this.#home);
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
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
    const before = this.#posts;
    const exitCode = process.exitCode;
    const late = setTimeout(() => out.fail(new Error(`it did not end: ${JSON.stringify(argv)}`)), 20_000);
    try {
      await Promise.race([main(argv, host), out.failure]);
      const outcome: Outcome = {
        exit: Number(process.exitCode),
        stdout: out.text,
        stderr: err.text,
        lines: err.text.split('\n').slice(0, -1),
        posts: this.#posts - before,
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
        IMGGEN_API_KEY: 'sk-test-5f1e0c9a7b3d4e2f8a6c1234',
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

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') {
      if (request.url !== '/image') response.statusCode = 404;
      return void response.end(Buffer.from(pixel, 'base64'));
    }
    this.#posts += 1;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (this.answer) {
      response.statusCode = this.answer.status;
      return void response.end(this.answer.body);
    }
    const { n } = JSON.parse(Buffer.concat(chunks).toString()) as { n: number };
    const url = (index: number) => (index % 2 === 0 ? `data:image/png;base64,${pixel}` : `${this.origin}/image`);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ code: 0, data: { urls: Array.from({ length: n }, (_, index) => url(index)) } }));
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

/** CLI.md, "Streams" and "Exit codes", as far as they hold for every run. */
function check(argv: readonly string[], { exit, stdout, stderr, lines, posts }: Outcome): void {
  expect(exit, stderr).not.toBe(1);
  expect(Object.keys(exitCodes), stderr).toContain(String(exit));
  expect(stderr, 'control characters on stderr').toMatch(/^([^\p{Cc}\p{Bidi_C}]*\n)*$/u);
  expect(posts).toBeLessThanOrEqual(1);
  if (exit === 0 || argv.includes('--verbose')) return;
  const start = lines.findIndex((line) => line.startsWith('error: '));
  expect(start, stderr).toBeGreaterThanOrEqual(0);
  const told = lines.slice(start);
  // A run that has something to show for its money says so at its end.
  if (exit >= 7 && /^\d+ images? in /.test(told.at(-1) ?? '')) told.pop();
  expect(told.length, stderr).toBeLessThanOrEqual(3);
  for (const line of told) expect(line).toMatch(/^(error|cause|hint): ./);
  if (exit !== 2) return;
  expect(posts, stderr).toBe(0);
  expect(start, stderr).toBe(0);
  if (!argv.includes('--json')) return void expect(stdout).toBe('');
  expect((JSON.parse(stdout) as { error: { exit: number } }).error.exit).toBe(exit);
}
