import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, type FSWatcher, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Bench, type Ended, ended, imagesIn } from './bench.ts';

/** A real `imggen sandbox`, behind a counter of the generations that it was asked for and did not refuse, by prompt. */
export interface CountedSandbox {
  baseUrl: string;
  /** Where it tells of tasks, which is not counted. */
  taskUrl: string;
  /** Of each prompt; once nobody asks any more. */
  charges(): Promise<Map<string, number>>;
  /** What the sandbox itself has counted. */
  charged(): Promise<number>;
}

/** @param on hears of each generation when it has arrived, and when the first bytes of its answer are on their way */
export async function countedSandbox(
  bench: Bench,
  flags: readonly string[],
  on: (point: 'post' | 'answer', prompt: string) => void = () => {},
): Promise<CountedSandbox> {
  const sandbox = bench.spawn(['sandbox', ...flags]);
  sandbox.stderr?.resume();
  onTestFinished(() => void sandbox.kill('SIGKILL'));
  const [line] = (await once(sandbox.stdout as NodeJS.EventEmitter, 'data')) as [Buffer];
  const url = new URL(line.toString().trim());
  const counts = new Map<string, number>();
  const open = new Set<Promise<unknown>>();
  const counter = createServer(async (incoming, response) => {
    response.on('error', () => {});
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
    } catch {
      return; // Killed in the middle of its request.
    }
    const { prompt } = JSON.parse(Buffer.concat(chunks).toString()) as { prompt: string };
    on('post', prompt);
    const { method, headers, url: path } = incoming;
    const onward = request({ host: url.hostname, port: url.port, path, method, headers });
    const over = new Promise<void>((resolve) => {
      let isRefused = false;
      onward.on('response', (reply) => {
        isRefused = (reply.statusCode ?? 0) >= 400;
        response.writeHead(reply.statusCode ?? 0, reply.headers);
        // Not a pipe: a client that was killed takes nothing any more, and the sandbox shall not wait for it.
        reply.once('data', () => on('answer', prompt));
        reply.on('data', (chunk: Buffer) => response.write(chunk));
        reply.on('end', () => response.end());
        reply.on('error', () => response.destroy());
      });
      onward.on('error', () => response.destroy());
      onward.on('close', () => {
        if (!isRefused) counts.set(prompt, (counts.get(prompt) ?? 0) + 1);
        resolve();
      });
    });
    open.add(over);
    onward.end(Buffer.concat(chunks));
  }).listen(0, '127.0.0.1');
  await once(counter, 'listening');
  onTestFinished(() => {
    counter.closeAllConnections();
    counter.close();
  });
  return {
    baseUrl: `http://127.0.0.1:${(counter.address() as AddressInfo).port}${url.pathname}`,
    taskUrl: `${url.href}/tasks/{task_id}`,
    charges: async () => {
      await Promise.all(open);
      return counts;
    },
    charged: async () => {
      const stats = (await (await fetch(new URL('/sandbox/stats', url))).json()) as {
        charged: { generations: number };
      };
      return stats.charged.generations;
    },
  };
}

/** One declared image, and what a batch makes of it. */
export interface Declared {
  image: Record<string, unknown> & { prompt: string };
  /** Every file that is there in the end. */
  files: readonly string[];
}

/** Twelve images with everything that a batch can make of them. */
export function twelve(): Declared[] {
  const all: Declared[] = [];
  for (let i = 1; i <= 3; i += 1) {
    all.push(
      { image: { prompt: `plain ${i}`, out: `plain-${i}.png` }, files: [`plain-${i}.png`] },
      {
        image: { prompt: `pair ${i}`, name: `deep/pair-${i}`, count: 2 },
        files: [`deep/pair-${i}-1.png`, `deep/pair-${i}-2.png`],
      },
      {
        image: { prompt: `edited ${i}`, out: `edited-${i}.webp`, resize: '64x64', convert: 'webp' },
        files: [`edited-${i}.original.png`, `edited-${i}.webp`],
      },
    );
  }
  const variants = [
    { out: 'small/many.jpg', resize: '32x' },
    { out: 'many-small.webp', resize: '48x48' },
  ];
  all.push(
    { image: { prompt: 'many', out: 'many.png', variants }, files: ['many.png', 'many-small.webp', 'small/many.jpg'] },
    { image: { prompt: 'gone', out: 'gone.png', resize: '40x40', 'keep-original': false }, files: ['gone.png'] },
    {
      image: {
        prompt: 'both',
        out: 'both.webp',
        convert: 'webp',
        'keep-original': false,
        variants: [{ out: 'both-small.png', resize: '16x16' }],
      },
      files: ['both-small.png', 'both.webp'],
    },
  );
  return all;
}

/** What is asked of the API for every image. */
const defaults = { model: 'any', size: '256x256' };

export const batchFile = 'images.json';
export const lockFile = `${batchFile}.lock.json`;

/** Writes a batch file into a directory, which is made. */
export function declare(directory: string, declared: readonly Declared[], more: Record<string, unknown> = {}): void {
  mkdirSync(directory, { recursive: true });
  const images = declared.map(({ image }) => image);
  writeFileSync(join(directory, batchFile), JSON.stringify({ defaults: { ...defaults, ...more }, images }, null, 1));
}

interface JournalLine {
  type: string;
  at: string;
  prompt: string;
  n: number;
  sources: unknown[];
  pending: boolean;
}

/** A run of the journal, read without the program's code. */
export interface JournalRun {
  prompt: string;
  at: string;
  /** Whether every image that was asked for stood in the answer, and the journal has it. */
  isAnswered: boolean;
  /** Whether it was surely not generated. */
  isRefused: boolean;
}

/** The runs of some state directories, the oldest first. */
export function journalOf(...states: string[]): JournalRun[] {
  const runs = states.flatMap((state) => {
    const directory = join(state, 'runs');
    const names = existsSync(directory) ? readdirSync(directory) : [];
    return names.flatMap((name) => runOf(readFileSync(join(directory, name), 'utf8').split('\n').flatMap(parsed)));
  });
  return runs.sort((a, b) => (a.at < b.at ? -1 : 1));
}

function runOf(lines: readonly JournalLine[]): JournalRun[] {
  const [asked] = lines;
  if (asked === undefined) return [];
  const answered = lines.findLast(({ type }) => type === 'answered');
  const isLost = lines.some(({ type }) => type === 'lost');
  const isAnswered = answered !== undefined && !answered.pending && !isLost && answered.sources.length >= asked.n;
  const isRefused = answered === undefined && lines.some(({ type }) => type === 'failed');
  return [{ prompt: asked.prompt, at: asked.at, isAnswered, isRefused }];
}

function parsed(line: string): JournalLine[] {
  try {
    return [JSON.parse(line) as JournalLine];
  } catch {
    return [];
  }
}

/**
 * What must hold once a batch is done, whatever became of it on the way: an answer that had arrived was never asked for
 * again, and everything that was charged besides is a generation whose answer never came. Returns how many those are.
 */
export async function judgeCharges(
  declared: readonly Declared[],
  runs: readonly JournalRun[],
  sandbox: CountedSandbox,
): Promise<number> {
  const charges = await sandbox.charges();
  for (const {
    image: { prompt },
  } of declared) {
    const own = runs.filter((run) => run.prompt === prompt && !run.isRefused);
    const answered = own.filter(({ isAnswered }) => isAnswered);
    expect({ prompt, answered: answered.length, last: own.at(-1)?.isAnswered }).toEqual({
      prompt,
      answered: 1,
      last: true,
    });
    expect(charges.get(prompt), `charges of ${prompt}`).toBeGreaterThanOrEqual(1);
    expect(charges.get(prompt), `charges of ${prompt}, of ${own.length} runs`).toBeLessThanOrEqual(own.length);
  }
  const sum = [...charges.values()].reduce((a, b) => a + b, 0);
  expect(sum).toBe(await sandbox.charged());
  return sum - declared.length;
}

interface LockedFile {
  path: string;
  sha256: string;
  bytes: number;
}

/** The files that a directory's lock file has. */
function lockedFiles(directory: string): LockedFile[] {
  const text = readFileSync(join(directory, lockFile), 'utf8');
  const { jobs } = JSON.parse(text) as { jobs: Record<string, { originals: LockedFile[]; outputs: LockedFile[] }> };
  return Object.values(jobs).flatMap(({ originals, outputs }) => [...originals, ...outputs]);
}

/** Every file that was declared is there, whole, and as the lock has it; and nothing else is, but some. */
export async function judgeFiles(
  directory: string,
  declared: readonly Declared[],
  others: readonly string[] = [],
): Promise<void> {
  const locked = new Map(lockedFiles(directory).map(({ path, sha256 }) => [path, sha256]));
  const own = new Set([batchFile, lockFile, ...others]);
  const found = (await imagesIn(directory)).filter(({ name }) => !own.has(name));
  expect(found.map(({ name }) => name)).toEqual(declared.flatMap(({ files }) => files).sort());
  expect(found.map(({ name, sha256 }) => [name, sha256])).toEqual(found.map(({ name }) => [name, locked.get(name)]));
  expect(locked.size).toBe(found.length);
}

/** What the server tells of: a request has come, or the first bytes of an answer go out. */
type Point = 'post' | 'answer';

/** Tells of the points of all requests, one after another. */
export class Points {
  listener: (point: Point) => void = () => {};
  readonly on = (point: Point): void => this.listener(point);
}

/**
 * Waits for the end of a batch, unless it is killed first: at a request, at an answer, or when its journal, its lock
 * file's log and its directories have changed so often. The random numbers name the point.
 *
 * @param points of a server that no other batch asks meanwhile
 */
export async function killed(
  child: ChildProcess,
  directories: readonly string[],
  random: () => number,
  points?: Points,
): Promise<Ended> {
  const [kind, share] = [random(), random()];
  const point = kind < 0.25 ? 'post' : 'answer';
  const isAtServer = points !== undefined && kind < 0.5;
  let left = 1 + Math.floor(share * (isAtServer ? 8 : 80));
  const count = () => {
    left -= 1;
    if (left === 0) child.kill('SIGKILL');
  };
  const watchers: FSWatcher[] = [];
  if (isAtServer) points.listener = (each) => each === point && count();
  else
    for (const directory of directories) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      watchers.push(watch(directory, count));
    }
  try {
    return await ended(child);
  } finally {
    if (points) points.listener = () => {};
    for (const watcher of watchers) watcher.close();
  }
}

export { seeded } from './random.ts';
