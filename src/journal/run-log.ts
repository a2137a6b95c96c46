import { closeSync, fsyncSync, openSync } from 'node:fs';
import { ImggenError, messageOf } from '../errors.ts';
import { apply, newRun } from './fold.ts';
import { makeDirectory, syncDirectory, writeLine } from '../files/disk.ts';
import { type Machine, newOwner, startHeartbeat, takeOver } from '../files/owner.ts';
import { openRun, runPath, runsDirectory } from './read.ts';
import { toStored } from './stored.ts';
import type { Asked, Entry, OpenRun, Run } from './types.ts';

/** Entries that are fsynced before the next step: `asked` before the POST, `answered` before a download. */
const durable: readonly Entry['type'][] = ['asked', 'answered'];

/**
 * The file of a run that this process works on. Each entry is one line, written by one call, so that a process that is
 * killed leaves whole lines, and several processes can add to one file.
 *
 * A journal that fails must not cost an image: after the first failure, which goes to `onFailure`, it writes no more.
 */
export class RunLog {
  readonly #run: OpenRun;
  readonly #onFailure: (error: unknown) => void;
  #file: number | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  private constructor(run: OpenRun, onFailure: (error: unknown) => void) {
    this.#run = run;
    this.#onFailure = onFailure;
  }

  /** The run with all its entries so far, also after the file has failed. It changes with each of them. */
  get run(): Run {
    return this.#run;
  }

  /** Begins a run's file, on the disk when it returns. Only its user can read it (0600 in 0700). */
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
      makeDirectory(directory, 0o700);
      log.#open(runPath(state, asked.run), 'ax');
      log.add(first);
      syncDirectory(directory);
    });
    return log;
  }

  /**
   * Takes over a run whose owner is gone; undefined when another process owns it, or the file is not a run's. Throws
   * ImggenError `output` when the file cannot be written: without a claim two processes could do the same work.
   */
  static claim(state: string, id: string, machine: Machine, onFailure: (error: unknown) => void): RunLog | undefined {
    const path = runPath(state, id);
    try {
      const run = takeOver(path, machine, () => openRun(state, id));
      if (!run) return undefined;
      const log = new RunLog(run, onFailure);
      log.#open(path, 'a');
      return log;
    } catch (error) {
      throw new ImggenError('output', `cannot write ${path}`, { cause: messageOf(error) });
    }
  }

  /** Adds an entry to the run and to its file. */
  add(entry: Entry): void {
    apply(this.#run, entry);
    this.#guard(() => {
      if (this.#file === undefined) return;
      writeLine(this.#file, JSON.stringify(toStored(entry)));
      if (durable.includes(entry.type)) fsyncSync(this.#file);
    });
  }

  /** The last entry: another process can take the run over at once. */
  release(): void {
    if (this.#run.owner) this.add({ type: 'released', token: this.#run.owner.token });
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
