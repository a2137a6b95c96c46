import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { program, testKey } from './imggen.ts';
import { sha256 } from './place.ts';

/** Far more than any run takes. */
const deadlineMs = 50_000;

export interface Ended {
  exit: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** stdout as JSON. Throws when it is none. */
  json(): unknown;
}

export interface RunOptions {
  /** Where to run; the bench's own directory by default. */
  cwd?: string;
  env?: Record<string, string>;
  /** The user to be, where this process may choose. */
  uid?: number;
  /** A number is a file descriptor. */
  stdout?: number;
  /** A line of shell script to run before the program in the same process: `ulimit -n 20`. */
  before?: string;
}

/** What `imggen history --json` says of a run, as far as tests ask. */
export interface HistoryRun {
  run: string;
  state: string;
  api: string;
  prompt: string;
  asked: number;
  images: { path: string; sha256: string; bytes: number }[];
  missing: { index: number; lost: string | null }[];
  request_id: string | null;
  error: { code: string; message: string } | null;
}

/**
 * Directories for many runs, side by side or one after another, with one journal. It belongs to no single test: who
 * makes it removes it.
 */
export class Bench {
  readonly root = mkdtempSync(join(tmpdir(), 'imggen-bench-'));
  readonly state = join(this.root, 'state');
  readonly cwd = join(this.root, 'cwd');

  constructor() {
    mkdirSync(this.cwd);
  }

  /** A fresh directory to run in. */
  directory(name: string): string {
    const path = join(this.root, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Starts the program and does not wait for it. */
  spawn(args: readonly string[], { before, ...options }: RunOptions = {}): ChildProcess {
    const [file, all] =
      before === undefined ? [process.execPath, [program, ...args]] : ['/bin/sh', shellLine(before, args)];
    return this.spawnOther(file, all, options);
  }

  /** Starts another program in the same surroundings. */
  spawnOther(
    file: string,
    args: readonly string[],
    { cwd = this.cwd, env = {}, uid, stdout }: RunOptions = {},
  ): ChildProcess {
    return spawn(file, args, {
      cwd,
      env: {
        PATH: process.env.PATH ?? '',
        HOME: this.root,
        XDG_CACHE_HOME: fileURLToPath(new URL('../../node_modules/.cache', import.meta.url)),
        IMGGEN_CONFIG_DIR: join(this.root, 'config'),
        IMGGEN_STATE_DIR: this.state,
        IMGGEN_API_KEY: testKey,
        ...env,
      },
      stdio: ['ignore', stdout ?? 'pipe', 'pipe'],
      ...(uid !== undefined && { uid, gid: uid }),
    });
  }

  /** Runs the program to its end. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return await ended(this.spawn(args, options));
  }

  /** All runs of the journal, the newest first. */
  async history(): Promise<HistoryRun[]> {
    const { json } = await this.run(['history', '--json', '-n', '1000000']);
    return (json() as { runs: HistoryRun[] }).runs;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

function shellLine(before: string, args: readonly string[]): string[] {
  return ['-c', `${before}; exec "$0" "$@"`, process.execPath, program, ...args];
}

/** The end of a process that was spawned; one that hangs is killed, and that is an error. */
export function ended(child: ChildProcess): Promise<Ended> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      reject(
        new Error(`${child.spawnargs.slice(2).join(' ')} did not end; it said:\n${Buffer.concat(err).toString()}`),
      );
    }, deadlineMs);
    child.on('error', reject);
    child.on('close', (exit, signal) => {
      clearTimeout(late);
      const stdout = Buffer.concat(out).toString();
      resolve({
        exit,
        signal,
        stdout,
        stderr: Buffer.concat(err).toString(),
        json: () => JSON.parse(stdout) as unknown,
      });
    });
  });
}

/** Does work for each item, so many at a time; in the order of the items. */
export async function inParallel<T, R>(
  limit: number,
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  await Promise.all(
    Array.from({ length: limit }, async () => {
      for (const [index, item] of queue) results[index] = await work(item);
    }),
  );
  return results;
}

/** Every file below a directory, hidden ones too: its name there, and its hash when it is an image that decodes. */
export async function imagesIn(directory: string): Promise<{ name: string; sha256: string | undefined }[]> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(
    (entry) => !entry.isDirectory(),
  );
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return await inParallel(4, paths, async (path) => ({
    name: path.slice(directory.length + 1),
    sha256: await decodedHash(path),
  }));
}

/** The names of the files below a directory, each of which must be an image that decodes; others get a mark. */
export async function wholeImages(directory: string): Promise<string[]> {
  return (await imagesIn(directory)).map(({ name, sha256 }) => (sha256 === undefined ? `${name} (not whole)` : name));
}

async function decodedHash(path: string): Promise<string | undefined> {
  if (basename(path).startsWith('.')) return undefined;
  try {
    const bytes = readFileSync(path);
    await sharp(bytes, { failOn: 'error' }).raw().toBuffer();
    return sha256(bytes);
  } catch {
    return undefined;
  }
}
