import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fstatSync, fsyncSync, mkdirSync, openSync, readSync, statSync, utimesSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ImggenError, messageOf } from '../errors.ts';
import { apply, newRun } from './fold.ts';
import { readRun, runPath, runsDirectory } from './read.ts';
import type { Asked, Entry, Machine, Owner, Run } from './types.ts';

/** Entries that must be on the disk before the next step: what was asked before the POST, what came before a download. */
const durable: readonly Entry['type'][] = ['asked', 'answered'];
/** A living owner shows itself by the file's time, this often, in milliseconds. */
const heartbeatMs = 10_000;
/** An owner that was silent for this long, in milliseconds, is gone, even if its process id is in use. */
const silentMs = 60_000;

/**
 * One run's file, to which this process adds what happens. Each entry is one line, written by one call, so that a
 * process that is killed leaves whole lines, and several processes can add to one file.
 *
 * A journal that fails must not cost an image: after the first failure it is silent and `onFailure` is told.
 */
export class RunLog {
  /** The run as the entries tell it, also when the file has failed. */
  readonly run: Run;
  readonly #onFailure: (error: unknown) => void;
  #file: number | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  private constructor(run: Run, onFailure: (error: unknown) => void) {
    this.run = run;
    this.#onFailure = onFailure;
  }

  /** Begins a run's file with what is asked, on the disk when it returns. Files are for their owner alone (0600, 0700). */
  static begin(
    state: string,
    asked: Omit<Asked, 'type' | 'version' | 'owner'>,
    machine: Machine,
    onFailure: (error: unknown) => void,
  ): RunLog {
    const first: Asked = { type: 'asked', version: 1, owner: newOwner(machine), ...asked };
    const log = new RunLog(newRun(first), onFailure);
    log.#guard(() => {
      const directory = runsDirectory(state);
      makeDirectory(directory);
      log.#open(runPath(state, asked.run), 'ax');
      log.add(first);
      syncDirectory(directory);
    });
    return log;
  }

  /**
   * Takes over a run whose owner is gone; undefined when another process has it, or the file is not a run's.
   * Throws ImggenError `output` when the file cannot be written: without it two processes could do the same work.
   */
  static claim(state: string, id: string, machine: Machine, onFailure: (error: unknown) => void): RunLog | undefined {
    const path = runPath(state, id);
    const before = readRun(state, id);
    if (!before || isAlive(before.owner, path, machine)) return undefined;
    const owner = newOwner(machine);
    try {
      append(path, { type: 'claimed', owner, from: before.owner?.token ?? null });
      const run = readRun(state, id);
      if (run?.owner?.token !== owner.token) return undefined;
      const log = new RunLog(run, onFailure);
      log.#open(path, 'a');
      return log;
    } catch (error) {
      throw new ImggenError('output', `cannot write ${path}`, { cause: messageOf(error) });
    }
  }

  add(entry: Entry): void {
    apply(this.run, entry);
    this.#guard(() => {
      if (this.#file === undefined) return;
      writeLine(this.#file, JSON.stringify(entry));
      if (durable.includes(entry.type)) fsyncSync(this.#file);
    });
  }

  /** The last entry: whoever comes next need not wait for this process. */
  release(): void {
    if (this.run.owner) this.add({ type: 'released', token: this.run.owner.token });
    this.#close();
  }

  #open(path: string, flags: 'ax' | 'a'): void {
    this.#file = openSync(path, flags, 0o600);
    this.#heartbeat = setInterval(() => {
      this.#guard(() => utimesSync(path, new Date(), new Date()));
    }, heartbeatMs).unref();
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#close();
      this.#onFailure(error);
    }
  }

  #close(): void {
    clearInterval(this.#heartbeat);
    if (this.#file === undefined) return;
    const file = this.#file;
    this.#file = undefined;
    closeSync(file);
  }
}

function newOwner({ name, pid }: Machine): Owner {
  return { host: name, pid, token: randomBytes(8).toString('hex') };
}

/** Node's own `recursive` never ends in places where no directory can be made, such as /proc. */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  const above = dirname(directory);
  if (above !== directory) makeDirectory(above);
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Writes a whole line, or throws: a disk that gets full takes a part of it first. */
function writeLine(file: number, line: string): void {
  const bytes = Buffer.from(`${line}\n`);
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
}

/** Adds one line. What a power cut left of the last one must not swallow it. */
function append(path: string, entry: Entry): void {
  const file = openSync(path, 'a+');
  try {
    const { size } = fstatSync(file);
    const last = Buffer.alloc(1);
    const isCut = size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a;
    writeLine(file, `${isCut ? '\n' : ''}${JSON.stringify(entry)}`);
  } finally {
    closeSync(file);
  }
}

/** Whether an owner still works on the run of a file. Of another machine only the file's time tells. */
export function isAlive(owner: Owner | null, path: string, machine: Machine): boolean {
  const lastSeen = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (owner === null || lastSeen === undefined || Date.now() - lastSeen > silentMs) return false;
  return owner.host !== machine.name || machine.isRunning(owner.pid);
}

function syncDirectory(directory: string): void {
  // Windows cannot open a directory; there the file system keeps its names safe by itself.
  let file: number;
  try {
    file = openSync(directory, 'r');
  } catch {
    return;
  }
  try {
    fsyncSync(file);
  } catch {
    // Some network file systems refuse it; the file itself is synced.
  } finally {
    closeSync(file);
  }
}
