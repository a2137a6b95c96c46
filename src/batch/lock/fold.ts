import { usageError } from '../../errors.ts';
import { readWhole, valuesOf } from '../../files/disk.ts';
import { type Owner, ownerAfter } from '../../files/owner.ts';
import { isObject, parsed } from '../../json.ts';
import { isEntry } from './entry.ts';
import { lockLimit } from './file.ts';
import type { Begun, LockEntry, LockLine } from './types.ts';

/** What the lines of a lock file's log add up to. */
export interface LogState {
  /** The process that works on the lock file, or died while it did. */
  owner: Owner | null;
  /** The token of the owner before it. */
  previous: string | null;
  /** The unfinished runs of each job, the oldest first, never empty. */
  begun: Map<string, Begun[]>;
  /** Differences to the lock file; null for an entry that is gone. */
  changes: Map<string, LockEntry | null>;
  /** The length of the log, in bytes. */
  size: number;
}

/** What every line of a log begins with. */
const beginning = '{"type":"';

export function emptyState(): LogState {
  return { owner: null, previous: null, begun: new Map(), changes: new Map(), size: 0 };
}

/**
 * Reads a log; a missing one has no lines. Throws ImggenError `usage` when the file is something else, an Error when it is
 * too large, and what the file system throws.
 */
export function readLog(path: string): LogState {
  const state = emptyState();
  let bytes: Buffer;
  try {
    bytes = readWhole(path, lockLimit);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return state;
    throw error;
  }
  const text = bytes.toString();
  ensureLog(path, text);
  for (const line of valuesOf(text)) if (isLine(line)) apply(state, line);
  state.size = bytes.length;
  return state;
}

/** Applies one line to the state of a log. */
export function apply(state: LogState, line: LockLine): void {
  const { owner, begun, changes } = state;
  switch (line.type) {
    case 'claimed':
    case 'released':
      state.owner = ownerAfter(owner, line);
      if (state.owner !== owner) state.previous = owner?.token ?? null;
      break;
    case 'begun': {
      const { key, fingerprint, run } = line;
      const others = (begun.get(key) ?? []).filter((other) => other.run !== run);
      begun.set(key, [...others, { fingerprint, run }]);
      break;
    }
    case 'done':
      begun.delete(line.key);
      changes.set(line.key, line.entry);
      break;
    case 'dropped':
      changes.set(line.key, null);
      break;
    case 'given-up': {
      const earlier = (begun.get(line.key) ?? []).slice(0, -1);
      if (earlier.length > 0) begun.set(line.key, earlier);
      else begun.delete(line.key);
      break;
    }
  }
}

/** Whether a value has what its type of line needs. Other types are those of later versions. */
function isLine(value: unknown): value is LockLine {
  if (!isObject(value)) return false;
  switch (value.type) {
    case 'claimed':
      return isObject(value.owner) && typeof value.owner.token === 'string';
    case 'released':
      return typeof value.token === 'string';
    case 'begun':
      return [value.key, value.fingerprint, value.run].every((text) => typeof text === 'string');
    case 'done':
      return typeof value.key === 'string' && isEntry(value.entry);
    case 'dropped':
    case 'given-up':
      return typeof value.key === 'string';
    default:
      return false;
  }
}

/** Another file may have the name of a log, and a log is written to and removed: its first whole line decides. */
function ensureLog(path: string, text: string): void {
  const first = text.split('\n').find((line) => !isCut(line));
  if (first !== undefined && !isLine(parsed(first)))
    throw usageError(
      `${path} is no log of a lock file, and would be taken for one`,
      'name another lock file: --lock <path>',
    );
}

/** Whether a line is empty or what a crash left of one; a log may begin with it. */
function isCut(line: string): boolean {
  const isBegun = line.startsWith(beginning) || beginning.startsWith(line) || /^\0+$/.test(line);
  return isBegun && parsed(line) === undefined;
}
