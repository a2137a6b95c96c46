import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { onTestFinished } from 'vitest';
import type { LockEntry } from '../../src/batch/lock/types.ts';
import type { Machine } from '../../src/files/owner.ts';

/** A process of this machine, of those that are in `alive`. */
export function processOf(alive: Set<number>, pid: number): Machine {
  alive.add(pid);
  return { name: hostname(), pid, isRunning: (other) => alive.has(other) };
}

/** What is known of a job that is done. */
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

/** A fresh directory, removed when the test is over. */
export function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'imggen-lock-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Bundles the program that works on a lock file into a directory. Returns its path. */
export async function bundleWorker(into: string): Promise<string> {
  const outfile = join(into, 'lock-worker.mjs');
  const entry = fileURLToPath(new URL('lock-worker.js', import.meta.url));
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    logLevel: 'warning',
  });
  return outfile;
}

/** What a worker printed: each line is a thing that happened. A line that was cut off by a kill is left out. */
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
  options: { uid?: number; flags?: readonly string[] } = {},
): { exit: number | null; said: Said[] } {
  const { flags = [], ...how } = options;
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, program, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    ...how,
  });
  if (stderr !== '') throw new Error(stderr);
  return { exit: status, said: linesOf(stdout) };
}

interface Worker {
  child: ChildProcess;
  /** Kept when it says its first word, or ends. */
  speaks: Promise<unknown>;
  /** What it said until its end. */
  over: Promise<Said[]>;
}

/** Starts a worker, to be killed. */
export function startWorker(program: string, args: readonly string[]): Worker {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => void (text += chunk.toString()));
  const over = new Promise<Said[]>((resolve) => {
    child.on('close', () => resolve(linesOf(text)));
  });
  return { child, over, speaks: Promise.race([once(child.stdout, 'data'), over]) };
}

function linesOf(text: string): Said[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Said);
}
