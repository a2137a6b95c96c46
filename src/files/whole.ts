import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncDirectory } from './directory.ts';

const mebibyte = 1 << 20;

/** Reads a whole file. Throws an Error for one of more than `limit` bytes, and what the file system throws. */
export function readWhole(path: string, limit: number): Buffer {
  const { size } = statSync(path);
  if (size > limit) throw new Error(`it has ${Math.ceil(size / mebibyte)} MiB, and the limit is ${limit / mebibyte}`);
  return readFileSync(path);
}

/**
 * Puts a file in the place of another in one step, on the disk when it returns: a reader sees all of the old file or all
 * of the new one. Throws what the file system throws.
 *
 * @param temporary where the text is written first, in the same directory
 */
export function writeWhole(path: string, temporary: string, text: string): void {
  try {
    const file = openSync(temporary, 'w');
    try {
      writeFileSync(file, text);
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
