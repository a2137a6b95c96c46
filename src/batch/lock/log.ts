import { closeSync, existsSync, fdatasync, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ImggenError, messageOf } from '../../errors.ts';
import { appendLine, syncDirectory, writeLine, writeWhole } from '../../files/disk.ts';
import { hostOf, isAlive, type Machine, type Owner, startHeartbeat, takeOver } from '../../files/owner.ts';
import { lockLimit, textOf } from './file.ts';
import { apply, emptyState, readLog } from './fold.ts';
import { logPathOf } from './paths.ts';
import type { JobLine, LockEntry, LockLine, LockView } from './types.ts';
import { type Beside, viewLock } from './view.ts';

const toDisk = promisify(fdatasync);
/** How often a log is claimed that its owner removes at that moment. */
const claimTries = 10;

/**
 * A lock file while jobs are done. Each thing that happens is a line of the log beside it, written by one call, so that a
 * process that is killed loses nothing; close() writes the lock file itself, from what is on the disk.
 */
export class LockLog implements LockView {
  readonly #lockPath: string;
  readonly #logPath: string;
  readonly #machine: Machine;
  readonly #beside: Beside;
  readonly #owner: Owner;
  readonly #heartbeat: NodeJS.Timeout;
  #file: number | undefined;
  /** The log's length as far as this process knows it. */
  #size = 0;
  /** The length of the lock file when it was read, in bytes. */
  #before = 0;
  #entries = new Map<string, LockEntry>();
  #state = emptyState();
  #syncs: Promise<unknown> = Promise.resolve();

  private constructor(lockPath: string, machine: Machine, beside: Beside, owner: Owner) {
    this.#lockPath = lockPath;
    this.#logPath = logPathOf(lockPath);
    this.#machine = machine;
    this.#beside = beside;
    this.#owner = owner;
    this.#file = openSync(this.#logPath, 'a+');
    // A failed heartbeat is not fatal: another process may take over, and our next write detects that.
    this.#heartbeat = startHeartbeat(this.#logPath, () => {});
  }

  /**
   * Takes a lock file, which need not exist yet, for this process, with the files that are read with it.
   * Throws ImggenError `output` when a living process has one of them, or it cannot be written; `config` when a file is
   * broken; `usage` when the file that has the name of its log is something else.
   */
  static async open(lockPath: string, machine: Machine, beside: Beside = {}): Promise<LockLog> {
    const log = claim(lockPath, machine, (owner) => new LockLog(lockPath, machine, beside, owner));
    try {
      await log.#read();
      syncDirectory(dirname(lockPath));
      return log;
    } catch (error) {
      log.#release();
      throw error;
    }
  }

  get entries(): ReadonlyMap<string, LockEntry> {
    return this.#entries;
  }

  get pending(): LockView['pending'] {
    return this.#state.begun;
  }

  /**
   * Notes that a run of a job is about to be sent. It is on the disk when the promise resolves: after a power cut the run
   * must still be found by its job. Throws ImggenError `output`, as everything that writes.
   */
  async begun(key: string, fingerprint: string, run: string): Promise<void> {
    // A line of the log takes more room in the lock file, indented. What is paid for must find room in it.
    if (this.#before + 2 * this.#size > lockLimit)
      throw new ImggenError('output', `${this.#lockPath} and its log are full`, {
        hint: 'run the batch again; if that does not help, divide the jobs among several files',
      });
    this.#add({ type: 'begun', key, fingerprint, run });
    const file = this.#file as number;
    // One after another: jobs are sent in the order in which they were begun.
    const sync = this.#syncs.then(() => toDisk(file));
    this.#syncs = sync.catch(() => {});
    await sync.catch((error: unknown) => {
      throw asOutput(this.#logPath, error);
    });
  }

  /** Notes that the images of a job are safe. If a power cut takes the line, the run's journal still tells. */
  done(key: string, entry: LockEntry): void {
    this.#add({ type: 'done', key, entry });
  }

  /** Notes that a job is no longer in the batch file, and its files are removed. */
  dropped(key: string): void {
    this.#add({ type: 'dropped', key });
  }

  /** Notes that the latest run that was begun for a job has nothing left to finish. */
  givenUp(key: string): void {
    this.#add({ type: 'given-up', key });
  }

  /**
   * Writes the lock file, if anything changed, and removes the log, or leaves in it what is pending. A process that is
   * killed on the way loses nothing. Throws ImggenError `output`; then the log has what the lock file lacks.
   */
  async close(): Promise<void> {
    // A file must not be closed while it is synced.
    await this.#syncs;
    if (this.#file === undefined) return;
    try {
      this.#ensureOwned(this.#file);
      const { before, own, log, others } = await viewLock(this.#lockPath, this.#beside);
      const text = textOf(own);
      // --merge-locks wants a part of each shard, also of one that had nothing to do.
      const isMissingPart = this.#beside.base !== undefined && !existsSync(this.#lockPath);
      if (isMissingPart || text !== textOf(before)) this.#write(this.#lockPath, text);
      const isDropped = (key: string) => log.changes.get(key) === null;
      if (this.#beside.base === undefined)
        for (const { path, lock } of others) await this.#dropFrom(path, [...lock.keys()].filter(isDropped));
      this.#stop();
      const lines = [...log.begun].flatMap(([key, runs]) => runs.map((begun) => ({ type: 'begun', key, ...begun })));
      if (lines.length === 0) rmSync(this.#logPath, { force: true });
      else this.#write(this.#logPath, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    } catch (error) {
      this.#release();
      throw asOutput(this.#lockPath, error);
    }
  }

  async #read(): Promise<void> {
    const { entries, pending, log, others } = await viewLock(this.#lockPath, this.#beside);
    for (const { owner, path } of others) {
      // Parts that the user names are read as they are: their shard may have been killed just now, elsewhere.
      if (!this.#beside.parts && isAlive(owner, logPathOf(path), this.#machine)) throw inUse(path, owner);
    }
    this.#entries = entries;
    this.#state.begun = pending;
    this.#size = log.size;
    this.#before = statSync(this.#lockPath, { throwIfNoEntry: false })?.size ?? 0;
  }

  #add(line: JobLine): void {
    try {
      if (this.#file === undefined) throw new Error('it is closed');
      this.#ensureOwned(this.#file);
      this.#size += writeLine(this.#file, JSON.stringify(line satisfies LockLine));
    } catch (error) {
      throw asOutput(this.#logPath, error);
    }
    apply(this.#state, line);
    if (line.type === 'done') this.#entries.set(line.key, line.entry);
    if (line.type === 'dropped') this.#entries.delete(line.key);
  }

  /** A process that was suspended for long may find that another took its lock file: it must not go on. */
  #ensureOwned(file: number): void {
    const { size, nlink } = fstatSync(file);
    if (nlink > 0 && size === this.#size) return;
    const { owner } = readLog(this.#logPath);
    if (owner?.token !== this.#owner.token) throw inUse(this.#lockPath, owner);
    // Another process added a line, or a full disk took a part of ours, which must not swallow the next.
    this.#size = size + writeLine(file, '');
  }

  #write(path: string, text: string): void {
    writeWhole(path, temporaryOf(path, this.#owner.token), text);
  }

  /** A job that is dropped here must not come back from the part of a shard. */
  async #dropFrom(path: string, dropped: readonly string[]): Promise<void> {
    if (dropped.length === 0) return;
    try {
      const part = await LockLog.open(path, this.#machine, { parts: [] });
      for (const key of dropped) part.dropped(key);
      await part.close();
    } catch (error) {
      // The job is there again the next time, and can be dropped again.
      if (!(error instanceof ImggenError)) throw error;
    }
  }

  /** After a failure: another process can take the lock file at once. A log that has nothing to tell goes. */
  #release(): void {
    this.#stop();
    try {
      const { token } = this.#owner;
      const { owner, begun, changes } = readLog(this.#logPath);
      if (owner?.token !== token) return;
      if (begun.size + changes.size === 0) rmSync(this.#logPath);
      else appendLine(this.#logPath, JSON.stringify({ type: 'released', token } satisfies LockLine));
    } catch {
      // Others wait until this process is gone.
    }
  }

  #stop(): void {
    clearInterval(this.#heartbeat);
    if (this.#file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
  }
}

function claim(lockPath: string, machine: Machine, begin: (owner: Owner) => LockLog): LockLog {
  const logPath = logPathOf(lockPath);
  try {
    for (let tries = 0; tries < claimTries; tries += 1) {
      const claimed = takeOver(logPath, machine, () => readLog(logPath));
      if (claimed?.owner) {
        // What the owner before was about to put in place when it was killed.
        if (claimed.previous !== null)
          for (const path of [lockPath, logPath]) rmSync(temporaryOf(path, claimed.previous), { force: true });
        return begin(claimed.owner);
      }
      // The owner may have removed the log between the look and the line.
      const { owner } = readLog(logPath);
      if (owner) throw inUse(lockPath, owner);
    }
    throw new Error('its log keeps being replaced by another process');
  } catch (error) {
    throw asOutput(logPath, error);
  }
}

function inUse(lockPath: string, owner: Owner | null): ImggenError {
  if (!owner)
    return new ImggenError('output', `the log of ${lockPath} was removed while this imggen batch worked on it`);
  const who = `process ${owner.pid} on ${hostOf(owner)}`;
  return new ImggenError('output', `another imggen batch works on ${lockPath} (${who})`, {
    hint: 'wait until it is done; several at once share a file with --shard',
  });
}

function asOutput(path: string, error: unknown): ImggenError {
  return error instanceof ImggenError
    ? error
    : new ImggenError('output', `cannot write ${path}`, { cause: messageOf(error) });
}

/** Where an owner writes a file before it puts it in place; no other owner has the same name. */
function temporaryOf(path: string, token: string): string {
  return join(dirname(path), `.${basename(path)}.${token}.tmp`);
}
