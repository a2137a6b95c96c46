import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Mistake } from '../file/types.ts';
import type { BatchJob } from './types.ts';

/** A path as the lock file has it: relative to the batch file's directory, with `/`. */
export function relativePath(path: string, directory: string): string {
  return relative(directory, path).replaceAll(sep, '/');
}

/** Every image that a job makes. */
export function pathsOf({ originals, outputs }: BatchJob): string[] {
  return [...originals, ...outputs.map(({ path }) => path)];
}

/** Those of them that are shown: an original whose name an output takes is not. */
export function declaredPaths(job: BatchJob): string[] {
  return job.hidesOriginal ? job.outputs.map(({ path }) => path) : pathsOf(job);
}

/** Whether a file is below a directory, also after every link on the way to it. */
export function isBelow(path: string, directory: string): boolean {
  const way = relative(realPath(resolve(directory)), realPath(dirname(resolve(path))));
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function realPath(directory: string): string {
  const real = realDirectory(directory);
  return typeof real === 'string' ? real : directory;
}

/** What is wrong with a name; the job that has it is the place. */
type Problem = Omit<Mistake, 'at'>;

/**
 * The names of all files of a batch. Each belongs to one job, however it is spelled: by another path, through a link, in
 * upper or lower case; and no file is the directory of another.
 */
export class Names {
  /** What each file is, by its real name: `the lock file`. */
  readonly #files = new Map<string, string>();
  /** A file below each directory, by the directory's real name. */
  readonly #directories = new Map<string, string>();
  /** The real name of each directory as it is written, or what is wrong with it. */
  readonly #known = new Map<string, string | Problem>();

  /** @param own the files of the batch itself, and what each is */
  constructor(own: ReadonlyMap<string, string>) {
    for (const [path, what] of own) this.#claim(path, what);
  }

  /** Whether a job makes a file of this name. */
  readonly has = (path: string): boolean => {
    const name = this.#nameOf(path);
    return typeof name === 'string' && this.#files.has(name);
  };

  /** Notes the files of a job. Returns the reasons why they cannot be written. */
  add(job: BatchJob): Mistake[] {
    const { at, resolved } = job;
    const paths = pathsOf(job).flatMap((path) => (resolved.values.sidecar ? [path, `${path}.json`] : [path]));
    return paths.flatMap((path) => {
      const problem = this.#claim(path, `the file of line ${at.line} too`);
      return problem ? [{ at, ...problem }] : [];
    });
  }

  #claim(path: string, what: string): Problem | undefined {
    if (Buffer.byteLength(path) > pathLimit) return { message: `the path …${path.slice(-60)} is too long` };
    const name = this.#nameOf(path);
    if (typeof name !== 'string') return name;
    const other = this.#files.get(name);
    if (other !== undefined) return taken(path, other);
    const below = this.#directories.get(name);
    if (below !== undefined) return taken(path, `the directory of ${below}`);
    this.#files.set(name, what);
    return undefined;
  }

  #nameOf(path: string): string | Problem {
    const directory = dirname(path);
    const real = this.#known.get(directory) ?? this.#look(directory, path);
    return typeof real === 'string' ? join(real, folded(basename(path))) : real;
  }

  #look(directory: string, path: string): string | Problem {
    const found = realDirectory(resolve(directory));
    const real = typeof found === 'string' ? (this.#enter(folded(found), path) ?? folded(found)) : found;
    this.#known.set(directory, real);
    return real;
  }

  /** Notes the directories that a file is in. */
  #enter(directory: string, path: string): Problem | undefined {
    const file = this.#files.get(directory);
    if (file !== undefined) return taken(`a directory of ${path}`, file);
    if (this.#directories.has(directory)) return undefined;
    this.#directories.set(directory, path);
    return this.#enter(dirname(directory), path);
  }
}

function taken(path: string, what: string): Problem {
  return { message: `${path} is ${what}`, hint: 'give it another out or name' };
}

/** One spelling for names that some file systems do not tell apart. */
function folded(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** The longest path, in bytes, less what imggen adds to it. */
const pathLimit = 4000;
/** The longest name of a file or directory, in bytes, on all usual file systems. */
const nameLimit = 255;

/** Where links lead, as far as the directory exists; or why it cannot be made. */
function realDirectory(directory: string): string | Problem {
  const name = basename(directory);
  if (Buffer.byteLength(name) > nameLimit) return { message: `${name.slice(0, 60)}… is too long a name` };
  try {
    const real = realpathSync.native(directory);
    return statSync(real).isDirectory() ? real : { message: `${relativePath(directory, '.')} is not a directory` };
  } catch {
    const above = dirname(directory);
    if (above === directory) return directory;
    const real = realDirectory(above);
    return typeof real === 'string' ? join(real, name) : real;
  }
}
