import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { parsed } from '../json.ts';

const mebibyte = 1 << 20;

/**
 * Makes a directory and those above it, where they are missing. Node's own `recursive` never ends in places where no
 * directory can be made, such as /proc. Throws what the file system throws.
 *
 * @param mode of each directory that is made; the umask decides without it
 */
export function makeDirectory(directory: string, mode?: number): void {
  if (existsSync(directory)) return;
  const above = dirname(directory);
  if (above !== directory) makeDirectory(above, mode);
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    // Another process was quicker; or a file is in the way, which the next write below it reports.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Puts the names in a directory on the disk, where the system can. */
export function syncDirectory(directory: string): void {
  let file: number;
  try {
    file = openSync(directory, 'r');
  } catch {
    // Windows opens no directories; its file system keeps names safe by itself.
    return;
  }
  try {
    fsyncSync(file);
  } catch {
    // Some network file systems refuse it; the file itself is synced.
  } finally {
    closeSync(file);
  }
}

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

/**
 * The values of a log's lines. A line that a crash cut off is passed over: what it would have said has not happened.
 */
export function valuesOf(text: string): unknown[] {
  return text
    .split('\n')
    .map(parsed)
    .filter((value) => value !== undefined);
}

/** Writes a line in one call, whole, or throws: a disk that fills up takes a part of it first. Returns its bytes. */
export function writeLine(file: number, line: string): number {
  const bytes = Buffer.from(`${line}\n`);
  writeFileSync(file, bytes);
  return bytes.length;
}

/**
 * Adds a line to a file, which is made if it is missing. What a power cut left of the last line must not swallow the new
 * one. Throws what the file system throws.
 */
export function appendLine(path: string, line: string): void {
  const file = openSync(path, 'a+');
  try {
    const { size } = fstatSync(file);
    const last = Buffer.alloc(1);
    const isCut = size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last.toString() !== '\n';
    writeLine(file, `${isCut ? '\n' : ''}${line}`);
  } finally {
    closeSync(file);
  }
}
