import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { LockEntry } from '../../src/batch/lock/types.ts';
import type { Machine } from '../../src/files/owner.ts';

/** A process of this machine, one of those in `alive`. */
export function processOf(alive: Set<number>, pid: number): Machine {
  alive.add(pid);
  return { name: hostname(), pid, isRunning: (other) => alive.has(other) };
}

/** The entry of a job that is done. */
export function lockEntry(path: string, changes: Partial<LockEntry> = {}): LockEntry {
  return {
    fingerprint: 'f'.repeat(64),
    processing: null,
    originals: [{ path, sha256: 'a'.repeat(64), bytes: 1234 }],
    outputs: [],
    run: '20260101T120000-aaaaaaaa',
    model: 'gpt-image-1',
    request_id: 'req_1',
    task_id: null,
    usage: { total_tokens: 7 },
    generated: '2026-01-01T12:00:00.000Z',
    ...changes,
  };
}

/** Bundles the program that works on a lock file into a directory. Returns its path. */
export async function bundleWorker(into: string): Promise<string> {
  const outfile = join(into, 'lock-worker.mjs');
  const entryPoints = [fileURLToPath(new URL('lock-worker.js', import.meta.url))];
  const how = { bundle: true, platform: 'node', format: 'esm', target: 'node20.19', logLevel: 'warning' } as const;
  await build({ entryPoints, outfile, ...how, external: ['jsonc-parser'] });
  return outfile;
}

/** What a worker printed: each line has happened. A line that a kill cut off is left out. */
export interface Said {
  begun?: string;
  done?: string;
  end?: true;
  error?: { code: string; message: string; hint?: string };
  [other: string]: unknown;
}

/** Runs a worker to its end. */
export function runWorker(
  program: string,
  args: readonly string[],
  how: { uid?: number } = {},
): { exit: number | null; said: Said[] } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', ...how });
  if (stderr !== '') throw new Error(stderr);
  return { exit: status, said: linesOf(stdout) };
}

/** Starts a worker. `over` has what it said until its end; `onLine` gets the number of lines so far. */
export function startWorker(
  program: string,
  args: readonly string[],
  onLine: (count: number, child: ChildProcess) => void = () => {},
): { child: ChildProcess; over: Promise<Said[]> } {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    onLine(text.split('\n').length - 1, child);
  });
  return { child, over: new Promise((resolve) => child.on('close', () => resolve(linesOf(text)))) };
}

function linesOf(text: string): Said[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Said);
}
