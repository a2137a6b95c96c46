import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SavedImage } from '../../images/types.ts';
import type { LockedFile } from '../lock/types.ts';
import { relativePath } from './paths.ts';

/** A file as the lock has it. */
export function lockedFile({ path, sha256, bytes }: SavedImage, directory: string): LockedFile {
  return { path: relativePath(path, directory), sha256, bytes };
}

/** The first of a job's files that is not as the lock has it, and how it differs. */
export function firstDifference(files: readonly LockedFile[], directory: string): string | undefined {
  for (const file of files) {
    const state = stateOf(file, directory);
    if (state !== 'same') return state === 'missing' ? `${file.path} is missing` : `${file.path} was altered`;
  }
  return undefined;
}

/** Whether a file is as the lock has it. */
export function stateOf({ path, bytes, sha256 }: LockedFile, directory: string): 'same' | 'missing' | 'altered' {
  const full = join(directory, path);
  try {
    const size = statSync(full, { throwIfNoEntry: false })?.size;
    if (size === undefined) return 'missing';
    return size === bytes && hashOf(full) === sha256 ? 'same' : 'altered';
  } catch {
    // A directory, a link to itself, or a file without read permission.
    return 'altered';
  }
}

const chunk = Buffer.allocUnsafe(256 * 1024);

/** SHA-256 of a file, in hexadecimal. One file after another: a disk is not faster with many. Throws what the file system throws. */
function hashOf(path: string): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    for (let length = 1; length > 0;) {
      length = readSync(file, chunk);
      hash.update(chunk.subarray(0, length));
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}
