import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';

/** A file is read in pieces of this many bytes. */
const chunkSize = 256 * 1024;
/** A single line is mostly not longer than this, in bytes. */
const pageSize = 4096;
const page = Buffer.alloc(pageSize);
const newline = 0x0a;

/** Writes a whole line, or throws: a disk that gets full takes a part of it first. Returns its length in bytes. */
export function writeLine(file: number, line: string): number {
  const bytes = Buffer.from(`${line}\n`);
  writeAll(file, bytes);
  return bytes.length;
}

/** Writes all of the bytes, or throws. */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
}

/** Adds one line to a file, which is made if need be. What a power cut left of the last one must not swallow it. */
export function appendLine(path: string, line: string): void {
  const file = openSync(path, 'a+');
  try {
    const { size } = fstatSync(file);
    const last = Buffer.alloc(1);
    const isCut = size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== newline;
    writeLine(file, `${isCut ? '\n' : ''}${line}`);
  } finally {
    closeSync(file);
  }
}

/**
 * Reads a file line by line, the last one also when it has no end; flat in memory, whatever the file's size.
 * Returns the length of what was read, in bytes. Throws what the file system throws.
 */
export function eachLine(path: string, visit: (line: string) => void): number {
  const file = openSync(path, 'r');
  try {
    let total = 0;
    const chunk = Buffer.allocUnsafe(chunkSize);
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      // Every line is decoded by itself: a part of a longer text would keep all of that text in memory.
      const count = readSync(file, chunk, 0, chunkSize, null);
      if (count === 0) break;
      total += count;
      const bytes = rest.length > 0 ? Buffer.concat([rest, chunk.subarray(0, count)]) : chunk.subarray(0, count);
      let start = 0;
      for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
        visit(bytes.toString('utf8', start, end));
        start = end + 1;
      }
      rest = Buffer.from(bytes.subarray(start));
    }
    if (rest.length > 0) visit(rest.toString());
    return total;
  } finally {
    closeSync(file);
  }
}

/** The line that begins at a position of an open file. Throws what the file system throws. */
export function lineAt(file: number, position: number): string {
  let part = Buffer.alloc(0);
  for (let at = position; ; at += pageSize) {
    const count = readSync(file, page, 0, pageSize, at);
    const end = page.subarray(0, count).indexOf(newline);
    if (end >= 0 && part.length === 0) return page.toString('utf8', 0, end);
    part = Buffer.concat([part, page.subarray(0, end < 0 ? count : end)]);
    if (end >= 0 || count < pageSize) return part.toString();
  }
}

/** Puts the names in a directory on the disk, where the system can. */
export function syncDirectory(directory: string): void {
  // Windows cannot open a directory; there the file system keeps its names safe by itself.
  let file: number;
  try {
    file = openSync(directory, 'r');
  } catch {
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
