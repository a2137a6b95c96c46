import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { ImggenError, messageOf } from '../errors.ts';
import { apply, newRun } from './fold.ts';
import { syncDirectory, writeLine } from '../files/lines.ts';
import { type Machine, newOwner, startHeartbeat, takeOver } from '../files/owner.ts';
import { readRun, runPath, runsDirectory } from './read.ts';
import type { Asked, Entry, Run } from './types.ts';

/** Entries that must be on the disk before the next step: what was asked before the POST, what came before a download. */
const durable: readonly Entry['type'][] = ['asked', 'answered'];

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
    try {
      const run = takeOver(path, machine, () => readRun(state, id));
      if (!run) return undefined;
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
    this.#heartbeat = startHeartbeat(path, (error) => this.#fail(error));
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#close();
    this.#onFailure(error);
  }

  #close(): void {
    clearInterval(this.#heartbeat);
    if (this.#file === undefined) return;
    const file = this.#file;
    this.#file = undefined;
    closeSync(file);
  }
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
