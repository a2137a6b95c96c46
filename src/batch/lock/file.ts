import { ImggenError, messageOf } from '../../errors.ts';
import { readWhole } from '../../files/disk.ts';
import { isObject, lineOfMistake, parsed } from '../../json.ts';
import { isEntry, ordered } from './entry.ts';
import type { LockEntry } from './types.ts';

/** The most bytes of a lock file, and of its log: some 300,000 jobs. */
export const lockLimit = 256 << 20;

/** The beginning of the lines that git, Mercurial and others put around the two sides of a conflict. */
const conflict = /^(?:<{7}|>{7}|\|{7}) |^={7}$/;

/**
 * Reads a lock file; one that is missing has no jobs. Throws ImggenError `config` when it cannot be read, is broken or
 * too large, holds an unresolved merge, or is of an unknown version.
 */
export async function readLock(path: string): Promise<Map<string, LockEntry>> {
  let text: string;
  try {
    text = readWhole(path, lockLimit)
      .toString()
      .replace(/^\uFEFF/, '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw new ImggenError('config', `cannot read ${path}`, { cause: messageOf(error) });
  }
  const value = parsed(text);
  if (value === undefined) throw await notJson(path, text);
  if (!isObject(value) || !isObject(value.jobs)) throw broken(path, 'it has no "jobs"');
  if (value.version !== 1) {
    const version = JSON.stringify(value.version) ?? 'unknown';
    throw new ImggenError('config', `${path} is of version ${version}, and this imggen knows only 1`, {
      hint: 'use the imggen that wrote it, or a newer one',
    });
  }
  const jobs = Object.entries(value.jobs);
  for (const [key, entry] of jobs) {
    if (!isEntry(entry)) throw broken(path, `what it says of ${JSON.stringify(key)} is not a job's entry`);
  }
  return new Map(jobs as [string, LockEntry][]);
}

/**
 * The text of a lock file. Jobs stand in the order of their keys' code units, which is the same everywhere, each in lines
 * of its own, so that git can merge what two branches add in different places.
 */
export function textOf(lock: ReadonlyMap<string, LockEntry>): string {
  const jobs = [...lock]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, entry]) => {
      const block = JSON.stringify(ordered(entry), null, 2).replaceAll('\n', '\n    ');
      return `\n    ${JSON.stringify(key)}: ${block}`;
    });
  return `{\n  "version": 1,\n  "jobs": {${jobs.join(',')}${jobs.length > 0 ? '\n  ' : ''}}\n}\n`;
}

async function notJson(path: string, text: string): Promise<ImggenError> {
  const marked = text.split('\n').findIndex((line) => conflict.test(line.trimEnd()));
  if (marked < 0) return broken(`${path}:${await lineOfMistake(text)}`, 'it is not valid JSON');
  return new ImggenError('config', `${path}:${marked + 1}: an unresolved merge conflict`, {
    hint: 'keep the jobs of both sides, each once, with a comma between them; a job that is left out is generated again',
  });
}

function broken(place: string, cause: string): ImggenError {
  return new ImggenError('config', `${place}: a broken lock file`, {
    cause,
    hint: 'restore it from version control; jobs without an entry are generated again',
  });
}
