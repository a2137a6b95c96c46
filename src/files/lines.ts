import { closeSync, fstatSync, openSync, readSync, writeFileSync } from 'node:fs';
import { parsed } from '../json.ts';

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
