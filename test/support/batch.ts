import { spawn } from 'node:child_process';
import { expect, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import type { SandboxStats } from '../../src/sandbox/context.ts';
import { type Answer, cats, type Gateway, type SeenRequest } from './gateway.ts';
import { imggen, program, type Result, type Setup, testKey } from './imggen.ts';
import { Place } from './place.ts';

/** A batch file as data. */
export interface Declared {
  defaults?: Record<string, unknown>;
  images: Record<string, unknown>[];
}

/** One line of `--json`. */
export interface Event {
  type: string;
  job?: string;
  [other: string]: unknown;
}

/** What answers: a gateway of a test, or a process of its own. */
export interface Server {
  baseUrl: string;
}

/** `imggen sandbox`, a process of its own, which ends with the test. */
export async function sandboxProcess(
  ...args: string[]
): Promise<Server & { stats(): Promise<SandboxStats>; charged(): Promise<number> }> {
  const child = spawn(process.execPath, [program, 'sandbox', ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const baseUrl = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) resolve(text.trim());
    });
    child.on('close', (exit) => reject(new Error(`the sandbox ended with ${exit}`)));
  });
  const stats = async () => (await (await fetch(new URL('/sandbox/stats', baseUrl))).json()) as SandboxStats;
  return { baseUrl, stats, charged: async () => (await stats()).charged.images };
}

/** Answers with as many cats as are asked for; with what `special` gives instead, where it gives something. */
export function drawing(
  special: (prompt: string, times: number) => Answer | Promise<Answer> | undefined = () => undefined,
): (request: SeenRequest) => Answer | Promise<Answer> {
  const seen = new Map<string, number>();
  return ({ body }) => {
    const { prompt, n } = JSON.parse(body) as { prompt: string; n: number };
    const times = (seen.get(prompt) ?? 0) + 1;
    seen.set(prompt, times);
    return special(prompt, times) ?? cats(n);
  };
}

/** A place with a batch file, and `imggen batch` run in it. */
export class Project {
  readonly place = new Place();
  readonly file: string;
  readonly #server: Server | undefined;

  constructor(content: Declared | string, { server, file = 'images.yaml' }: { server?: Server; file?: string } = {}) {
    this.file = file;
    this.#server = server;
    this.declare(content);
  }

  /** Writes the batch file anew. */
  declare(content: Declared | string): void {
    this.place.write(this.file, typeof content === 'string' ? content : stringify(content));
  }

  /** The environment in which the server is asked. */
  get env(): Record<string, string> {
    return this.#server ? { IMGGEN_BASE_URL: this.#server.baseUrl, IMGGEN_API_KEY: testKey } : {};
  }

  setup(setup: Setup = {}): Setup {
    return { place: this.place, ...setup, env: { ...this.env, ...setup.env } };
  }

  /** `imggen batch <file> …`. */
  async run(...args: string[]): Promise<Result> {
    return await this.runWith({}, ...args);
  }

  async runWith(setup: Setup, ...args: string[]): Promise<Result> {
    return await imggen(['batch', this.file, ...args], this.setup(setup));
  }

  /** What `--check` says: nothing, or a line for each job that is due. No server can be asked, and no key is there. */
  async check(...args: string[]): Promise<string[]> {
    const { exit, stdout, stderr } = await this.runWith(
      { env: { IMGGEN_BASE_URL: undefined, IMGGEN_API_KEY: undefined } },
      '--check',
      ...args,
    );
    const due = lines(stdout);
    expect({ exit, stderr }).toEqual({ exit: due.length > 0 ? 9 : 0, stderr: expect.stringMatching(/up to date\n$/) });
    return due;
  }

  /** The events of a run with `--json`. */
  async events(...args: string[]): Promise<{ exit: number | null; events: Event[]; stderr: string }> {
    const { exit, stdout, stderr } = await this.run('--json', ...args);
    return { exit, stderr, events: eventsOf(stdout) };
  }

  /** The files that are no batch file and no lock. */
  get images(): string[] {
    return this.place.files().filter((name) => /\.(png|jpe?g|webp|avif)$/.test(name));
  }

  /** The jobs of a lock file. */
  lock(name = `${this.file}.lock.json`): Record<string, LockedJob> {
    return this.place.json(name).jobs as Record<string, LockedJob>;
  }
}

/** What a test looks at of a job in the lock file. */
export interface LockedJob {
  originals: { path: string; sha256: string; bytes: number }[];
  outputs: { path: string; sha256: string; bytes: number }[];
  fingerprint: string;
  run: string;
  generated: string;
  sandbox?: true;
}

/** Every line of `--json`, which must be JSON by itself. */
export function eventsOf(stdout: string): Event[] {
  return lines(stdout).map((line) => JSON.parse(line) as Event);
}

/** The prompts that were asked for, in the order in which they came. */
export function prompts(api: Gateway): string[] {
  return api.posts().map(({ prompt }) => String(prompt));
}

/** The lines of a text, without the empty one at its end. */
export function lines(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

/** The mistakes that stderr tells of a file: `line:column: message`. */
export function mistakesIn(stderr: string, file: string): string[] {
  return lines(stderr).flatMap((line) => (line.startsWith(`${file}:`) ? [line.slice(file.length + 1)] : []));
}

/** An answer that refuses, as OpenAI's body does. */
export function refusal(
  status: number,
  message: string,
  code = 'refused',
  headers: Record<string, string> = {},
): Answer {
  return { status, headers, body: JSON.stringify({ error: { type: 'invalid_request_error', code, message } }) };
}
