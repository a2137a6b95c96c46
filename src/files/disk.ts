import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';

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
