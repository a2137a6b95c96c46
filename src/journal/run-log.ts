import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, mkdirSync, openSync, readFileSync, readSync, statSync, utimesSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { apply, foldRun, newRun, parseEntries } from './fold.ts';
import type { Asked, Entry, Machine, Owner, Run } from './types.ts';

/** Entries that must be on the disk before the next step: what was asked before the POST, what came before a download. */
const durable: readonly Entry['type'][] = ['asked', 'answered'];
/** A living owner shows itself by the file's time, this often, in milliseconds. */
const heartbeatMs = 10_000;
/** An owner that was silent for this long, in milliseconds, is gone, even if its process id is in use. */
const silentMs = 60_000;

export function runsDirectory(state: string): string {
  return join(state, 'runs');
}

export function runPath(state: string, run: string): string {
  return join(runsDirectory(state), `${run}.jsonl`);
}

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
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      log.#open(runPath(state, asked.run), 'ax');
      log.add(first);
      syncDirectory(directory);
    });
    return log;
  }

  /**
   * Takes over a run whose owner is gone; undefined when another process has it, or the file is not a run's.
   * Throws what reading and writing the file throw.
   */
  static claim(state: string, id: string, machine: Machine, onFailure: (error: unknown) => void): RunLog | undefined {
    const path = runPath(state, id);
    const before = foldRun(parseEntries(readFileSync(path, 'utf8')));
    if (!before || isAlive(before.owner, path, machine)) return undefined;
    const owner = newOwner(machine);
    const file = openSync(path, 'a+', 0o600);
    writeSync(file, `${lineEnd(file)}${JSON.stringify({ type: 'claimed', owner, from: before.owner?.token ?? null } satisfies Entry)}\n`);
    closeSync(file);
    const run = foldRun(parseEntries(readFileSync(path, 'utf8')));
    if (run?.owner?.token !== owner.token) return undefined;
    const log = new RunLog(run, onFailure);
    log.#open(path, 'a');
    return log;
  }

  add(entry: Entry): void {
    apply(this.run, entry);
    this.#guard(() => {
      if (this.#file === undefined) return;
      writeSync(this.#file, `${JSON.stringify(entry)}\n`);
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

/** What a power cut left of the last line must not swallow the next one. */
function lineEnd(file: number): string {
  const { size } = fstatSync(file);
  const last = Buffer.alloc(1);
  return size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a ? '\n' : '';
}

/** Whether an owner still works on the run of a file. Of another machine only the file's time tells. */
export function isAlive(owner: Owner | null, path: string, machine: Machine): boolean {
  if (owner === null || Date.now() - statSync(path).mtimeMs > silentMs) return false;
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
