import { closeSync, existsSync, fdatasync, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ImggenError, messageOf } from '../../errors.ts';
import { appendLine, lineAt, syncDirectory, writeLine } from '../../files/lines.ts';
import { compactEntry } from './entry.ts';
import { writeLock, writeWhole } from './file.ts';
import { doneText, readLog, readOwner } from './fold.ts';
import { logPathOf } from './paths.ts';
import type { Begun, LockDocument, LockEntry, LockLine, LockView } from './types.ts';
import { type Beside, change, readOne, readWhole, type Whole } from './view.ts';
import { hostOf, isAlive, type Machine, type Owner, startHeartbeat, takeOver } from '../../files/owner.ts';

const toDisk = promisify(fdatasync);
/** How often a log is claimed that its owner removes at that moment. */
const claimTries = 10;

/**
 * A lock file while jobs are done. Each thing that happens is a line of the log beside it, written by one call, so that
 * a process that is killed loses none; the lock file itself is written once, at the end.
 */
export class LockLog {
  readonly #lockPath: string;
  readonly #machine: Machine;
  readonly #beside: Beside;
  readonly #owner: Owner;
  readonly #heartbeat: NodeJS.Timeout;
  #file: number | undefined;
  #whole: Whole;
  /** The log's length as far as this process knows it. */
  #size: number;
  /** Tells whether the lock file is still the one that was read: `git pull` may have brought another. */
  #stamp: string;
  /** Whether there are lines in the log that this process has not seen. */
  #isStale = false;
  #sync: Promise<void> | undefined;
  #nextSync: Promise<void> | undefined;

  private constructor(lockPath: string, machine: Machine, beside: Beside, owner: Owner) {
    this.#lockPath = lockPath;
    this.#machine = machine;
    this.#beside = beside;
    this.#owner = owner;
    this.#file = openSync(this.#logPath, 'a+');
    // That a lock file's owner cannot show that it lives is found by whoever claims it; the next write tells this one.
    this.#heartbeat = startHeartbeat(this.#logPath, () => {});
    try {
      this.#stamp = stampOf(lockPath);
      this.#whole = readWhole(lockPath, beside);
      this.#size = this.#whole.fold.size;
      for (const other of this.#whole.others) {
        if (isAlive(other.owner, logPathOf(other.path), machine)) throw inUse(other.path, other.owner);
      }
      this.#readPositions();
      syncDirectory(dirname(lockPath));
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /**
   * Takes a lock file, which need not exist yet, for this process. The parts of shards that lie beside a main lock file
   * are read with it.
   * Throws ImggenError `output` when another living process has it, or one that is read with it, or when it cannot be
   * written; `config` when a file is broken; `usage` when what has the name of its log is something else.
   */
  static open(lockPath: string, machine: Machine, beside: Beside = {}): LockLog {
    const logPath = logPathOf(lockPath);
    try {
      for (let tries = 0; tries < claimTries; tries += 1) {
        const claimed = takeOver(logPath, machine, () => readOwner(logPath));
        if (claimed?.owner) {
          removeTemporaries(lockPath, claimed.from);
          return new LockLog(lockPath, machine, beside, claimed.owner);
        }
        // Whoever had it may have removed the log between the look and the line.
        const { owner } = readOwner(logPath);
        if (owner) throw inUse(lockPath, owner);
      }
      throw new Error('its log comes and goes');
    } catch (error) {
      throw asOutput(logPath, error);
    }
  }

  /**
   * What a lock file, its log and what is read with them tell. Takes no ownership and writes nothing.
   * Throws ImggenError `config` when a file is broken or cannot be read, `usage` when what should be a log is none.
   */
  static view(lockPath: string, beside: Beside = {}): LockView {
    const { entries, pending } = readWhole(lockPath, beside);
    return { entries, pending };
  }

  /** The jobs that are done, as everything that is read together tells. Until close(): those of now are read from the log. */
  get entries(): LockDocument {
    return this.#whole.entries;
  }

  /** The jobs that were begun, and are neither done nor given up: now, and by those who had the lock file before. */
  get pending(): ReadonlyMap<string, Begun> {
    return this.#whole.pending;
  }

  /**
   * Notes that a job is about to be sent; on the disk when the promise is kept, so that a power cut cannot hide which
   * job a paid run belongs to. Jobs that begin at a time share the wait. Throws ImggenError `output`, as all that write.
   */
  async begun(key: string, fingerprint: string, run: string): Promise<void> {
    this.#write({ type: 'begun', key, fingerprint, run });
    const { fold, pending } = this.#whole;
    fold.begun.set(key, { fingerprint, run });
    pending.set(key, { fingerprint, run });
    await this.#onDisk();
  }

  /** Notes that a job is done and its files are safe. What a power cut takes of it, the run's journal still tells. */
  done(key: string, entry: LockEntry): void {
    const text = compactEntry(entry);
    const position = this.#writeText(`{"type":"done","key":${JSON.stringify(key)},"entry":${text}}`);
    const { own, entries, fold } = this.#whole;
    own.setAt(key, text, position);
    if (entries !== own) entries.setAt(key, text, position);
    fold.changes.delete(key);
    this.#forget(key);
  }

  /** Notes that a job's entry goes: the job is no more in the batch file. */
  dropped(key: string): void {
    this.#write({ type: 'dropped', key });
    const { own, entries, fold } = this.#whole;
    own.delete(key);
    entries.delete(key);
    fold.changes.set(key, null);
  }

  /** Notes that there is nothing left to finish in the run that was begun for a job. */
  givenUp(key: string): void {
    this.#write({ type: 'given-up', key });
    this.#forget(key);
  }

  /**
   * Writes the lock file, if anything changed, and removes the log, or leaves in it what is pending. A process that is
   * killed on the way loses nothing. Throws ImggenError `output`; then the log has what the lock file has not.
   */
  async close(): Promise<void> {
    // A file that is being synced must not be closed under it.
    await Promise.allSettled([this.#sync, this.#nextSync]);
    if (this.#file === undefined) return;
    try {
      this.#ensureOwned(this.#file);
      if (this.#isStale || stampOf(this.#lockPath) !== this.#stamp) this.#readAgain();
      const { own } = this.#whole;
      // Whoever joins the parts wants one of each shard, also of one that had nothing to do.
      const isMissingPart = this.#beside.base !== undefined && !existsSync(this.#lockPath);
      if (own.isChanged || isMissingPart)
        writeLock(this.#lockPath, own, temporaryOf(this.#lockPath, this.#owner.token));
      await this.#dropFromParts();
      this.#stop();
      this.#removeLog();
    } catch (error) {
      this.#release();
      throw asOutput(this.#lockPath, error);
    }
  }

  get #logPath(): string {
    return logPathOf(this.#lockPath);
  }

  #forget(key: string): void {
    this.#whole.fold.begun.delete(key);
    this.#whole.pending.delete(key);
  }

  #write(line: LockLine): void {
    this.#writeText(JSON.stringify(line));
  }

  /** Returns where the line begins. */
  #writeText(line: string): number {
    try {
      if (this.#file === undefined) throw new Error('it is closed');
      // What a full disk left of a line must not swallow the next.
      if (!this.#ensureOwned(this.#file)) this.#size += writeLine(this.#file, '');
      const position = this.#size;
      this.#size += writeLine(this.#file, line);
      return position;
    } catch (error) {
      throw asOutput(this.#logPath, error);
    }
  }

  /**
   * A process that was suspended for long may find that another took its lock file: it must not go on. Returns whether
   * the log is as this process left it: if not, its last line may be cut.
   */
  #ensureOwned(file: number): boolean {
    const { size, nlink } = fstatSync(file);
    if (nlink > 0 && size === this.#size) return true;
    const { owner } = readOwner(this.#logPath);
    if (owner?.token !== this.#owner.token) throw inUse(this.#lockPath, owner);
    this.#size = size;
    this.#isStale = true;
    return false;
  }

  /** Those who ask while the disk is busy wait for the next time, together. */
  async #onDisk(): Promise<void> {
    this.#nextSync ??= this.#syncAfter(this.#sync);
    try {
      await this.#nextSync;
    } catch (error) {
      throw asOutput(this.#logPath, error);
    }
  }

  async #syncAfter(before: Promise<void> | undefined): Promise<void> {
    await before?.catch(() => {});
    this.#sync = this.#nextSync;
    this.#nextSync = undefined;
    if (this.#file !== undefined) await toDisk(this.#file);
  }

  /** A job that is dropped here must not come back from a part of a shard. */
  async #dropFromParts(): Promise<void> {
    const dropped = [...this.#whole.fold.changes].flatMap(([key, text]) => (text === null ? [key] : []));
    if (dropped.length === 0 || this.#beside.base !== undefined) return;
    for (const { path } of this.#whole.others) {
      const { lock, fold } = readOne(path);
      change(lock, fold);
      const here = dropped.filter((key) => lock.has(key));
      if (here.length === 0) continue;
      try {
        const part = LockLog.open(path, this.#machine, { alone: true });
        for (const key of here) part.dropped(key);
        await part.close();
      } catch (error) {
        // Then the job is there again the next time, and can be dropped again.
        if (!(error instanceof ImggenError)) throw error;
      }
    }
  }

  #readAgain(): void {
    this.#whole = readWhole(this.#lockPath, this.#beside);
    this.#readPositions();
  }

  #readPositions(): void {
    const readAt = (key: string, position: number): string => {
      if (this.#file === undefined) throw new Error(`${this.#logPath} is closed`);
      // Where the line of another process came between, the position is wrong and the whole log is right.
      const text = doneText(lineAt(this.#file, position), key) ?? readLog(this.#logPath).changes.get(key);
      if (typeof text !== 'string') throw new Error(`${this.#logPath} has lost what it had of ${key}`);
      return text;
    };
    this.#whole.own.readFrom(readAt);
    this.#whole.entries.readFrom(readAt);
  }

  #removeLog(): void {
    const lines = [...this.#whole.fold.begun].map(([key, { fingerprint, run }]): LockLine => ({
      type: 'begun',
      key,
      fingerprint,
      run,
    }));
    if (lines.length === 0) rmSync(this.#logPath, { force: true });
    else
      writeWhole(
        this.#logPath,
        temporaryOf(this.#logPath, this.#owner.token),
        lines.map((line) => `${JSON.stringify(line)}\n`),
      );
  }

  /** Whoever comes next need not wait for this process. A log that tells nothing goes. */
  #release(): void {
    this.#stop();
    try {
      const { token } = this.#owner;
      const { owner, begun, changes } = readLog(this.#logPath);
      if (owner?.token !== token) return;
      if (begun.size + changes.size === 0) rmSync(this.#logPath);
      else appendLine(this.#logPath, JSON.stringify({ type: 'released', token }));
    } catch {
      // Then it waits until this process is gone.
    }
  }

  #stop(): void {
    clearInterval(this.#heartbeat);
    if (this.#file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
  }
}

function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat ? `${stat.ino} ${stat.size} ${stat.mtimeNs}` : '';
}

function inUse(lockPath: string, owner: Owner | null): ImggenError {
  if (!owner)
    return new ImggenError('output', `the log of ${lockPath} was removed while this imggen batch worked on it`);
  return new ImggenError(
    'output',
    `another imggen batch works on ${lockPath} (process ${owner.pid} on ${hostOf(owner)})`,
    {
      hint: 'wait until it is done; several at once share a file with --shard',
    },
  );
}

function asOutput(path: string, error: unknown): ImggenError {
  return error instanceof ImggenError
    ? error
    : new ImggenError('output', `cannot write ${path}`, { cause: messageOf(error) });
}

/** What is written by an owner first, beside; no other owner has the same. */
function temporaryOf(path: string, token: string): string {
  return join(dirname(path), `.${basename(path)}.${token}.tmp`);
}

/** Removes what an owner that was killed was about to put in place. */
function removeTemporaries(lockPath: string, token: string | null): void {
  if (token === null) return;
  for (const path of [lockPath, logPathOf(lockPath)]) rmSync(temporaryOf(path, token), { force: true });
}
