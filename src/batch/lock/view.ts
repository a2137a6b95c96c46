import { ImggenError, messageOf } from '../../errors.ts';
import type { Owner } from '../../files/owner.ts';
import { isNews } from './entry.ts';
import { readLock } from './file.ts';
import { type LogState, readLog } from './fold.ts';
import { logPathOf, partsBeside } from './paths.ts';
import type { Begun, LockEntry, LockView } from './types.ts';

/** Which other files are read with a lock file. */
export interface Beside {
  /** The main lock file, below a shard's part. */
  base?: string | undefined;
  /** The parts of shards that a main lock file takes up; by default those that lie beside it. */
  parts?: readonly string[];
}

/** A lock file with its log, and the files that are read with it. */
export interface Whole extends LockView {
  entries: Map<string, LockEntry>;
  pending: Map<string, Begun[]>;
  /** The lock file as it is, and as it should be. */
  before: ReadonlyMap<string, LockEntry>;
  own: ReadonlyMap<string, LockEntry>;
  log: LogState;
  others: { path: string; owner: Owner | null; lock: ReadonlyMap<string, LockEntry> }[];
}

/**
 * Reads a lock file, its log and the files that are read with it; takes no ownership and writes nothing. Throws
 * ImggenError `config` when one of them cannot be read or is broken, `usage` when what should be a log is something else.
 */
export async function viewLock(lockPath: string, { base, parts }: Beside = {}): Promise<Whole> {
  const { lock: before, log } = await readOne(lockPath);
  const paths = base === undefined ? (parts ?? partsBeside(lockPath)) : [base];
  const others = [];
  for (const path of paths) {
    const other = await readOne(path);
    others.push({ path, owner: other.log.owner, lock: changed(other.lock, other.log), begun: other.log.begun });
  }
  const elsewhere = new Map<string, LockEntry>();
  for (const [key, entry] of others.flatMap(({ lock }) => [...lock])) {
    if (isNews(entry, elsewhere.get(key))) elsewhere.set(key, entry);
  }
  // Of two of one time ours counts: its originals may be removed since.
  const later = [...elsewhere].filter(([key, { generated }]) => generated > (before.get(key)?.generated ?? ''));
  const entries = changed(new Map([...before, ...later]), log);
  // The main file takes up the parts; a shard keeps what it read of the main file out of its part.
  const own = base === undefined ? entries : changed(before, log);
  return { before, own, entries, pending: pendingOf(log, others, entries), log, others };
}

/** A lock file and its log, apart. Its owner writes the lock before it removes the log, so the log is read first. */
async function readOne(lockPath: string): Promise<{ lock: Map<string, LockEntry>; log: LogState }> {
  const logPath = logPathOf(lockPath);
  let log: LogState;
  try {
    log = readLog(logPath);
  } catch (error) {
    if (error instanceof ImggenError) throw error;
    throw new ImggenError('config', `cannot read ${logPath}`, { cause: messageOf(error) });
  }
  return { lock: await readLock(lockPath), log };
}

/** A lock file's jobs with the changes of a log. */
function changed(lock: ReadonlyMap<string, LockEntry>, { changes }: LogState): Map<string, LockEntry> {
  const result = new Map(lock);
  for (const [key, entry] of changes) {
    if (entry === null) result.delete(key);
    else result.set(key, entry);
  }
  return result;
}

/** Whether a run began after that of an entry; the ids of runs begin with their time. */
function isAfter({ run }: Begun, entry: LockEntry | undefined): boolean {
  return entry === undefined || run > entry.run;
}

/** Several lists of one job's runs as one, in the order of their times. */
function joined(...lists: (readonly Begun[] | undefined)[]): Begun[] {
  const byRun = new Map(lists.flatMap((list) => list ?? []).map((begun) => [begun.run, begun]));
  return [...byRun.values()].sort((a, b) => (a.run < b.run ? -1 : 1));
}

/**
 * The unfinished runs, of this log and of others. A log does not say what was done elsewhere about its runs: an entry
 * there of that run, or of a later one, does. Our own that are over in this way also leave `log`.
 */
function pendingOf(
  log: LogState,
  others: readonly { lock: ReadonlyMap<string, LockEntry>; begun: LogState['begun'] }[],
  entries: ReadonlyMap<string, LockEntry>,
): Map<string, Begun[]> {
  const pending = new Map<string, Begun[]>();
  for (const [key, runs] of others.flatMap(({ begun }) => [...begun])) {
    const open = runs.filter((begun) => isAfter(begun, entries.get(key)));
    if (open.length > 0) pending.set(key, joined(pending.get(key), open));
  }
  for (const [key, runs] of log.begun) {
    const open = runs.filter(({ run }) => !others.some(({ lock }) => (lock.get(key)?.run ?? '') > run));
    if (open.length === 0) log.begun.delete(key);
    else {
      log.begun.set(key, open);
      const elsewhere = pending.get(key);
      pending.set(key, elsewhere ? joined(elsewhere, open) : open);
    }
  }
  return pending;
}
