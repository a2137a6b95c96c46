import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';

/** A path as the lock file has it: relative to the batch file's directory, with `/`. */
export function relativePath(path: string, directory: string): string {
  return relative(resolve(directory), resolve(path)).split(sep).join('/');
}

/** Whether a file is below a directory, also after every link on the way to it. */
export function isBelow(path: string, directory: string): boolean {
  const way = relative(realDirectory(resolve(directory)), realDirectory(dirname(resolve(path))));
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** An absolute path without links, as far as it exists. */
export function realDirectory(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    const above = dirname(directory);
    return above === directory ? directory : join(realDirectory(above), basename(directory));
  }
}
