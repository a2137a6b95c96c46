import { relative, resolve, sep } from 'node:path';

/** A path as the lock file has it: relative to the batch file's directory, with `/`. */
export function relativePath(path: string, directory: string): string {
  return relative(resolve(directory), resolve(path)).split(sep).join('/');
}
