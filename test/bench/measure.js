// Runs programs: how long they take, how much memory they have, and whether they do what they should.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { hashOf } from './images.js';

const deadlineMs = 300_000;

/**
 * GNU time: the kernel's own figure for a child, and a small parent for it. A child of this process would be charged with
 * this process's memory, since Linux counts what a process had before it became another program.
 */
const timer = ['/usr/bin/time', '/usr/bin/gtime'].find((file) => spawnSync(file, ['-f', '%M', 'true']).status === 0);

/** Whether memory and processor time can be measured here. */
export const measuresMemory = timer !== undefined;

/** More than the plan of a long batch, in bytes. */
const maxBuffer = 2 ** 28;

/**
 * Runs each program `runs` times, in turn, so that other load on the machine meets all of them. A program that fails is
 * given up. A first round, which looks at every byte and fills the caches, counts only where it is the only one.
 *
 * @param signal ends it between two runs
 * @returns by program, `figures`, which are the medians of `ms`, `memory` and `cpu`; or its `failure`
 */
export async function takeTurns(programs, runs, scratch, signal) {
  const records = new Map(programs.map((program) => [program, { taken: [], failure: program.skip }]));
  const first = runs > 1 ? 0 : 1;
  for (let round = first; round <= runs; round += 1) {
    for (const [program, record] of records) {
      // A run blocks this process: here it hears of signals.
      await setImmediate(undefined, { signal });
      if (record.failure) continue;
      try {
        const taken = measure(program, { scratch, thorough: round === first });
        if (round > 0) record.taken.push(taken);
      } catch (error) {
        record.failure = error.message;
      }
    }
  }
  const result = (program, { taken, failure }) =>
    failure ? { failure: program.skip ? undefined : failure } : { figures: mediansOf(taken) };
  return new Map([...records].map(([program, record]) => [program, result(program, record)]));
}

function mediansOf(taken) {
  const keys = measuresMemory ? ['ms', 'memory', 'cpu'] : ['ms'];
  return Object.fromEntries(keys.map((key) => [key, median(taken.map((each) => each[key]))]));
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Runs a program in an empty directory but for the files of `given`, which is removed again; or in the one of `place`.
 * Throws when it ends otherwise than it should; with `thorough`, also when a byte is wrong.
 *
 * @returns `ms` for the whole process; `memory`, the peak in bytes, of a pipeline that of its largest process; `cpu`, the
 *   processor time of all of it, in milliseconds
 */
function measure(program, { scratch, thorough }) {
  const {
    command,
    env,
    exit = 0,
    text,
    files = [],
    bytes = 0,
    atLeastMs = 0,
    given = {},
    others = [],
    place,
  } = program;
  const cwd = place ? place() : mkdtempSync(path.join(scratch, 'run-'));
  const report = path.join(scratch, 'memory');
  const [file, ...args] = timer ? [timer, '-f', '%M %U %S', '-o', report, ...command] : command;
  try {
    for (const [name, contents] of Object.entries(given)) writeFileSync(path.join(cwd, name), contents);
    const start = performance.now();
    const run = spawnSync(file, args, {
      cwd,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: deadlineMs,
      maxBuffer,
    });
    const ms = performance.now() - start;
    if (run.error) throw run.error;
    if (run.status !== exit) throw new Error(`exit ${run.status ?? run.signal}, not ${exit}: ${run.stderr.trim()}`);
    if (text && !`${run.stdout}${run.stderr}`.includes(text))
      throw new Error(`it did not say ${JSON.stringify(text)}: ${run.stdout}${run.stderr}`);
    if (ms < atLeastMs) throw new Error(`it took only ${Math.round(ms)} ms: its files were not written slowly`);
    if (!place) checkFiles(cwd, { files, bytes, others, thorough });
    if (!timer) return { ms };
    const [kilobytes, user, system] = readFileSync(report, 'utf8').trim().split('\n').at(-1).split(' ').map(Number);
    return { ms, memory: kilobytes * 1024, cpu: (user + system) * 1000 };
  } finally {
    if (!place) rmSync(cwd, { recursive: true, force: true });
  }
}

/** Every file but `others`, in the order of their numbers, must be the images of `files`, one after another, and nothing else. */
function checkFiles(folder, { files, bytes, others, thorough }) {
  const names = readdirSync(folder)
    .filter((name) => !others.includes(name))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  if (names.length !== files.length)
    throw new Error(`it wrote ${names.length} files, not ${files.length}: ${names.join(' ')}`);
  files.forEach((numbers, index) => {
    const file = path.join(folder, names[index]);
    const { size } = statSync(file);
    if (size !== numbers.length * bytes)
      throw new Error(`${names[index]} has ${size} bytes, not ${numbers.length * bytes}`);
    if (thorough && hashOfFile(file) !== hashOf(numbers, bytes)) throw new Error(`${names[index]} has wrong bytes`);
  });
}

function hashOfFile(file) {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1 << 20);
  const descriptor = openSync(file, 'r');
  for (let read = 1; read > 0;) {
    read = readSync(descriptor, buffer);
    hash.update(buffer.subarray(0, read));
  }
  closeSync(descriptor);
  return hash.digest('hex');
}
