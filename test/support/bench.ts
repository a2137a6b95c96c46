import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { type Ended, ended, environment, program, testKey } from './imggen.ts';
import { namesBelow, Place, sha256 } from './place.ts';

export { type Ended, ended } from './imggen.ts';

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
 * A place for many runs, side by side or one after another, with one journal. It belongs to no single test: its maker
 * removes it.
 */
export class Bench extends Place {
  constructor() {
    super({ kept: true });
  }

  /** A directory below the root, made if it is missing. */
  directory(name: string): string {
    const path = join(this.root, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Starts the program and does not wait for it. */
  spawn(args: readonly string[], { before, ...options }: RunOptions = {}): ChildProcess {
    const command = [process.execPath, program, ...args];
    const [file = '', ...rest] = before ? ['/bin/sh', '-c', `${before}; exec "$0" "$@"`, ...command] : command;
    return this.spawnOther(file, rest, options);
  }

  /** Starts another program in the same surroundings. */
  spawnOther(file: string, args: readonly string[], options: RunOptions = {}): ChildProcess {
    const { cwd = this.cwd, env = {}, uid, stdout } = options;
    return spawn(file, args, {
      cwd,
      env: environment(this, { env: { IMGGEN_API_KEY: testKey, ...env } }),
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
}

/** Does work for each item, so many at a time; in the order of the items. */
export async function inParallel<T, R>(
  limit: number,
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
}

/** Every file below a directory, hidden ones too: its name there, and its hash when it is an image that decodes. */
export async function imagesIn(directory: string): Promise<{ name: string; sha256: string | undefined }[]> {
  return await inParallel(4, namesBelow(directory), async (name) => ({
    name,
    sha256: await decodedHash(join(directory, name)),
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
