import { usageError } from '../../errors.ts';
import { eachLine } from '../../files/lines.ts';
import { isObject, parsed } from '../../json.ts';
import { compactEntry, isEntry } from './entry.ts';
import type { Begun, LockLine } from './types.ts';
import { type Owner, ownerAfter } from '../../files/owner.ts';

/** What the log of a lock file tells. */
export interface LogFold {
  /** Who works on the lock file, or worked on it when it died. */
  owner: Owner | null;
  /** The jobs that were sent, and are neither done nor given up. */
  begun: Map<string, Begun>;
  /** What differs from the lock file: the compact JSON of an entry; null for one that is gone. */
  changes: Map<string, string | null>;
  /** The length of the log, in bytes. */
  size: number;
}

export function newFold(): LogFold {
  return { owner: null, begun: new Map(), changes: new Map(), size: 0 };
}

/** What every line of a log begins with. */
const beginning = '{"type":"';

/**
 * Reads a log; one that is not there tells nothing. Throws ImggenError `usage` when the file is something else, and what
 * the file system throws.
 */
export function readLog(path: string): LogFold {
  const fold = newFold();
  fold.size = eachOf(path, (line) => applyLine(fold, line));
  return fold;
}

/** The compact JSON that a line of the log has of a job's entry; undefined when it is not such a line. */
export function doneText(line: string, key: string): string | undefined {
  const entry = parsed(line);
  return isLine(entry) && entry.type === 'done' && entry.key === key ? compactEntry(entry.entry) : undefined;
}

/** Whose a log is, and whose it was before; read quicker than what it tells. Throws like readLog(). */
export function readOwner(path: string): { owner: Owner | null; from: string | null } {
  let owner: Owner | null = null;
  let from: string | null = null;
  eachOf(path, (line) => {
    if (!line.startsWith('{"type":"claimed"') && !line.startsWith('{"type":"released"')) return;
    const entry = parsed(line);
    if (!isLine(entry) || (entry.type !== 'claimed' && entry.type !== 'released')) return;
    const next = ownerAfter(owner, entry);
    if (next !== owner) from = owner?.token ?? null;
    owner = next;
  });
  return { owner, from };
}

/** Changes a fold by a line of the log. One that was cut off by a crash is passed over; so is what a later version adds. */
export function applyLine(fold: LogFold, line: string): void {
  const entry = parsed(line);
  if (isLine(entry)) apply(fold, entry);
}

function apply(fold: LogFold, line: LockLine): void {
  switch (line.type) {
    case 'claimed':
    case 'released':
      fold.owner = ownerAfter(fold.owner, line);
      break;
    case 'begun':
      fold.begun.set(line.key, { fingerprint: line.fingerprint, run: line.run });
      break;
    case 'done':
      fold.begun.delete(line.key);
      fold.changes.set(line.key, compactEntry(line.entry));
      break;
    case 'dropped':
      fold.changes.set(line.key, null);
      break;
    case 'given-up':
      fold.begun.delete(line.key);
      break;
  }
}

/** Whether a value has what its type of line needs. */
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

/** What was cut off by a crash, which a log may begin with too. */
function isCut(line: string): boolean {
  const isBegun = line.startsWith(beginning) || (line !== '' && beginning.startsWith(line)) || /^\0+$/.test(line);
  return isBegun && parsed(line) === undefined;
}

/** A log has a name that a file of somebody else may have, and is written to and removed: the first whole line tells. */
function eachOf(path: string, visit: (line: string) => void): number {
  let isLog = false;
  try {
    return eachLine(path, (line) => {
      if (!isLog && !isCut(line)) {
        isLog = isLine(parsed(line));
        if (!isLog)
          throw usageError(
            `${path} is no log of a lock file, and would be taken for one`,
            'name another lock file: --lock <path>',
          );
      }
      visit(line);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
