import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { ImggenError, messageOf } from '../../errors.ts';
import { syncDirectory, writeAll } from '../../files/lines.ts';
import { readOwnFormat } from './blocks.ts';
import { compactEntry } from './entry.ts';
import { parseLock } from './parse.ts';
import { LockTexts } from './texts.ts';
import type { LockEntry } from './types.ts';

/** What is written is gathered to about this many characters. */
const chunkSize = 64 * 1024;

/**
 * Reads a lock file; one that is not there has no jobs. Throws ImggenError `config` when it is broken, holds an
 * unresolved merge or is of a version that is not known.
 */
export function readLock(path: string): LockTexts {
  const lock = new LockTexts();
  const keep = (key: string, entry: LockEntry): void => void lock.join(key, compactEntry(entry));
  try {
    if (!readOwnFormat(path, keep)) parseLock(path, keep);
  } catch (error) {
    if (error instanceof ImggenError) throw error;
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new ImggenError('config', `cannot read ${path}`, { cause: messageOf(error) });
  }
  lock.isChanged = false;
  return lock;
}

/**
 * Writes a lock file in one step: whoever reads it sees all of the old one or all of the new one. The jobs are in the
 * order of their keys' code units, which is the same everywhere, each in lines of its own, so that git can merge what
 * two branches add in different places. Throws what the file system throws.
 *
 * @param temporary where it is written first, in the same directory
 */
export function writeLock(path: string, lock: LockTexts, temporary: string): void {
  writeWhole(path, temporary, lines(lock));
}

function* lines(lock: LockTexts): Generator<string> {
  const sorted = [...lock.keys()].sort();
  yield `{\n  "version": 1,\n  "jobs": {${sorted.length > 0 ? '\n' : ''}`;
  for (const [position, key] of sorted.entries()) {
    const block = JSON.stringify(lock.get(key), null, 2).replaceAll('\n', '\n    ');
    yield `    ${JSON.stringify(key)}: ${block}${position < sorted.length - 1 ? ',' : ''}\n`;
  }
  yield `${sorted.length > 0 ? '  ' : ''}}\n}\n`;
}

/** Puts a file in the place of another in one step, on the disk when it returns. Throws what the file system throws. */
export function writeWhole(path: string, temporary: string, texts: Iterable<string>): void {
  try {
    const file = openSync(temporary, 'w');
    try {
      let gathered = '';
      for (const text of texts) {
        gathered += text;
        if (gathered.length < chunkSize) continue;
        writeAll(file, Buffer.from(gathered));
        gathered = '';
      }
      writeAll(file, Buffer.from(gathered));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}
