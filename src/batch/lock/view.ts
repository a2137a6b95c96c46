import { ImggenError, messageOf } from '../../errors.ts';
import { readLock } from './file.ts';
import { type LogFold, readLog } from './fold.ts';
import { logPathOf, partsBeside } from './paths.ts';
import type { LockTexts } from './texts.ts';
import type { Begun } from './types.ts';
import type { Owner } from '../../files/owner.ts';

/** Which other files are read with a lock file. */
export interface Beside {
  /** The main lock file, below a shard's part. */
  base?: string | undefined;
  /** Whether the parts of shards that lie beside a main lock file are left out. */
  alone?: boolean | undefined;
}

/** A lock file with its log and everything that is read with them. */
export interface Whole {
  /** What belongs into the lock file. */
  own: LockTexts;
  /** What holds: the own, and what lies below it. */
  entries: LockTexts;
  fold: LogFold;
  pending: Map<string, Begun>;
  /** The other lock files that were read. */
  others: { path: string; owner: Owner | null }[];
}

/**
 * Reads a lock file, its log and what lies beside, and writes nothing.
 * Throws ImggenError `config` when one of them cannot be read or is broken, `usage` when what should be a log is none.
 */
export function readWhole(lockPath: string, { base, alone = false }: Beside): Whole {
  const { lock: own, fold } = readOne(lockPath);
  const others = otherPaths(lockPath, base, alone).map((path) => ({ path, ...readOne(path) }));
  // A shard keeps what it read of the main file out of its part; the main file takes up the parts.
  const entries = base === undefined ? own : own.copy();
  for (const { lock, fold: otherFold } of others) {
    change(lock, otherFold);
    for (const [key, text] of lock.texts()) entries.putBelow(key, text);
  }
  change(own, fold);
  if (entries !== own) change(entries, fold);
  const pending = pendingOf(fold, others, entries);
  return {
    own,
    entries,
    fold,
    pending,
    others: others.map((other) => ({ path: other.path, owner: other.fold.owner })),
  };
}

/** A lock file and its log, apart: whoever closes one writes the lock before it removes the log, so the log is read first. */
export function readOne(lockPath: string): { lock: LockTexts; fold: LogFold } {
  const logPath = logPathOf(lockPath);
  try {
    const fold = readLog(logPath);
    return { lock: readLock(lockPath), fold };
  } catch (error) {
    if (error instanceof ImggenError) throw error;
    throw new ImggenError('config', `cannot read ${logPath}`, { cause: messageOf(error) });
  }
}

/** Changes a lock file's jobs by what a log says. */
export function change(lock: LockTexts, { changes }: LogFold): void {
  for (const [key, text] of changes) {
    if (text === null) lock.delete(key);
    else lock.set(key, text);
  }
}

/** Whether a run began after another; the ids of runs begin with their time. */
export function isLaterRun({ run }: Begun, other: { run: string } | undefined): boolean {
  return other === undefined || run > other.run;
}

function otherPaths(lockPath: string, base: string | undefined, alone: boolean): string[] {
  if (base !== undefined) return [base];
  return alone ? [] : partsBeside(lockPath);
}

/**
 * What was begun, here or in another log, and is not done. A log is not told what was done elsewhere about its runs:
 * there an entry of that run, or of a later one, is the sign. What is begun here and was done elsewhere since is over,
 * and leaves the log.
 */
function pendingOf(
  own: LogFold,
  others: readonly { lock: LockTexts; fold: LogFold }[],
  entries: LockTexts,
): Map<string, Begun> {
  const pending = new Map<string, Begun>();
  for (const { fold } of others) {
    for (const [key, job] of fold.begun) {
      if (isLaterRun(job, entries.get(key)) && isLaterRun(job, pending.get(key))) pending.set(key, job);
    }
  }
  for (const [key, job] of own.begun) {
    const isOver = others.some(({ lock }) => (lock.get(key)?.run ?? '') > job.run);
    if (isOver) own.begun.delete(key);
    else pending.set(key, job);
  }
  return pending;
}
