import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import type { Gateway } from './gateway.ts';
import { Place } from './place.ts';

/** The key that runs get. It looks like a real one, and must not be seen anywhere. */
export const testKey = 'sk-test-5f1e0c9a7b3d4e2f8a6c1234';
/** How imggen shows it. */
export const shownKey = 'sk-…1234';

/** The program under test; the variable points the suite at another build of it. */
export const program =
  process.env.IMGGEN_TEST_PROGRAM ?? fileURLToPath(new URL('../../bin/imggen.js', import.meta.url));

export interface Setup {
  /** Where to run; a fresh place by default. */
  place?: Place;
  /** The gateway to ask: sets the base URL and the key. */
  gateway?: Gateway;
  /** Added to the environment, which is otherwise empty but for what a program needs; undefined takes one away. */
  env?: Record<string, string | undefined> | undefined;
  /** All of stdin; nothing by default. null leaves it open, for more. */
  stdin?: string | Uint8Array | null;
  /** `closed`: nobody reads stdout, as in `| head -c0`. A number is a file descriptor to write to. */
  stdout?: 'pipe' | 'closed' | number;
  stderr?: 'pipe' | 'closed';
  /** Another copy of the program under test. */
  program?: string;
  /** For runs that may show the key or leave files behind. */
  unchecked?: boolean;
}

/** How a process ended. */
export interface Ended {
  exit: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** stdout as it came. */
  bytes: Buffer;
  /** stdout as JSON. Throws when it is none. */
  json(): unknown;
}

export interface Result extends Ended {
  /** The names of the files in the working directory. */
  files: string[];
}

export function environment(place: Place, { gateway, env = {} }: Setup): Record<string, string> {
  const all: Record<string, string | undefined> = {
    PATH: process.env.PATH,
    TMPDIR: process.env.TMPDIR,
    // The compiled program, for all runs: a fresh one in each would cost more than it saves.
    XDG_CACHE_HOME: fileURLToPath(new URL('../../node_modules/.cache', import.meta.url)),
    HOME: place.home,
    IMGGEN_CONFIG_DIR: place.config,
    IMGGEN_STATE_DIR: place.state,
    ...(gateway && { IMGGEN_BASE_URL: gateway.baseUrl, IMGGEN_API_KEY: testKey }),
    ...env,
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** Runs the real program to its end. */
export async function imggen(args: readonly string[], setup: Setup = {}): Promise<Result> {
  return await start(args, setup).end;
}

/** A program that is running. */
export interface Running {
  place: Place;
  pid: number;
  stdin: Writable;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the match once stdout, or stderr, has it; fails when the program ends without it. */
  saw(wanted: RegExp): Promise<string>;
  end: Promise<Result>;
}

export function start(args: readonly string[], setup: Setup = {}): Running {
  const place = setup.place ?? new Place();
  const { stdin = '', stdout = 'pipe', stderr = 'pipe' } = setup;
  const child = spawn(process.execPath, [setup.program ?? program, ...args], {
    cwd: place.cwd,
    env: environment(place, setup),
    stdio: ['pipe', typeof stdout === 'number' ? stdout : 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  if (stdout === 'closed') child.stdout?.destroy();
  if (stderr === 'closed') child.stderr?.destroy();
  // A program that ends without reading its input is no fault of the test's.
  child.stdin?.on('error', () => {});
  if (stdin !== null) child.stdin?.end(stdin);
  const { end, saw } = watched(child, 60_000);
  return {
    place,
    pid: child.pid as number,
    stdin: child.stdin as Writable,
    kill: (signal) => void child.kill(signal),
    saw,
    end: end.then((ended): Result => {
      const result = { ...ended, files: place.files() };
      if (!setup.unchecked) check(result, place, setup);
      return result;
    }),
  };
}

/** The end of a process; one that hangs is killed, and that is an error. */
export function ended(child: ChildProcess): Promise<Ended> {
  return watched(child, 50_000).end;
}

/** @param deadlineMs far more than any run takes: a hang ends the test, not the suite */
function watched(child: ChildProcess, deadlineMs: number): Pick<Running, 'saw'> & { end: Promise<Ended> } {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const said = () => [out, err].map((chunks) => Buffer.concat(chunks).toString());
  const waiting = new Set<() => void>();
  let over = false;
  for (const [stream, chunks] of [
    [child.stdout, out],
    [child.stderr, err],
  ] as const)
    stream?.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      for (const look of waiting) look();
    });
  const end = new Promise<Ended>((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${child.spawnargs.slice(2).join(' ')} did not end in ${deadlineMs} ms:\n${said().join('')}`));
    }, deadlineMs);
    child.on('error', reject);
    child.on('close', (exit, signal) => {
      clearTimeout(late);
      over = true;
      const [stdout = '', stderr = ''] = said();
      resolve({ exit, signal, stdout, stderr, bytes: Buffer.concat(out), json: () => JSON.parse(stdout) as unknown });
      for (const look of waiting) look();
    });
  });
  const saw = (wanted: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const [found] = said().flatMap((text) => wanted.exec(text)?.[0] ?? []);
        if (found === undefined && !over) return;
        waiting.delete(look);
        if (found === undefined) reject(new Error(`it ended without ${wanted}; it said:\n${said().join('')}`));
        else resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { end, saw };
}

/**
 * What holds for every run: the key is seen nowhere but in the config file, no temporary file is left, nothing that a
 * terminal would obey is on stderr, and stdout gets no colour.
 */
function check({ stdout, stderr, files, bytes }: Result, place: Place, { env }: Setup): void {
  expect(stdout, 'the key on stdout').not.toContain(testKey);
  expect(stderr, 'the key on stderr').not.toContain(testKey);
  for (const path of place.everything())
    if (path !== place.configFile) expect(readFileSync(path).includes(testKey), `the key in ${path}`).toBe(false);
  const temporary = files.filter((name) => name.includes('.imggen-'));
  expect(temporary, 'temporary files').toEqual([]);
  if (env?.FORCE_COLOR === undefined)
    expect(stderr, 'control characters on stderr').toMatch(/^[^\p{Cc}]*(\n[^\p{Cc}]*)*$/u);
  if (bytes.length === Buffer.byteLength(stdout))
    expect(stdout, 'control characters on stdout').not.toContain('\u001b');
}
