import { copyFile, link, lstat, open, readdir, rename } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { makeDirectory } from './disk.ts';
import { cannotWrite, removePart } from './part.ts';

type Move = (from: string, to: string) => Promise<void>;

/** What a file system without hard links answers: FAT, some network ones. */
const noLinks: readonly (string | undefined)[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/**
 * Gives a finished part file the first of `candidates` that is free, and returns it. The name is taken and filled in
 * one step, so that two processes never get the same. The part stays, where the file system has links, until the
 * caller removes it: a process that is killed here finds its file again. Undefined when none of them is free.
 * Throws ImggenError `output`.
 */
export async function claim(part: string, candidates: Iterable<string>): Promise<string | undefined> {
  for (const path of candidates) {
    try {
      makeDirectory(dirname(path));
      if (await tryClaim(part, path)) return path;
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }
  return undefined;
}

/** Puts a finished part file in the place of the file that has the name. Throws ImggenError `output`. */
export async function replace(part: string, path: string): Promise<string> {
  try {
    makeDirectory(dirname(path));
    await acrossDevices(part, path, rename);
    return path;
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** The name in one of these directories that a part file already has: a killed process gave it. */
export async function nameOf(part: string, directories: Iterable<string>): Promise<string | undefined> {
  const links = (await lstat(part).catch(() => undefined))?.nlink ?? 0;
  if (links < 2) return undefined;
  for (const directory of new Set(directories)) {
    for (const name of await readdir(directory).catch(() => [])) {
      const path = join(directory, name);
      if (resolve(path) !== resolve(part) && (await isSameFile(part, path).catch(() => false))) return path;
    }
  }
  return undefined;
}

async function tryClaim(part: string, path: string): Promise<boolean> {
  try {
    await acrossDevices(part, path, link);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return await isSameFile(part, path);
    if (!noLinks.includes(code)) throw error;
    return await claimWithoutLinks(part, path);
  }
}

/** Whether two names are links of one file: then an earlier try, which was cut off, gave the second. */
async function isSameFile(part: string, path: string): Promise<boolean> {
  const [a, b] = await Promise.all([part, path].map((each) => lstat(each, { bigint: true })));
  return a?.ino === b?.ino && a?.dev === b?.dev;
}

/** Without hard links the name is taken with an empty file, which the part then replaces. */
async function claimWithoutLinks(part: string, path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx')).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  try {
    await acrossDevices(part, path, rename);
    return true;
  } catch (error) {
    // The empty file is no image.
    await removePart(path);
    throw error;
  }
}

/** Links or renames; a part that is on another file system is copied beside its target first. */
async function acrossDevices(part: string, path: string, move: Move): Promise<void> {
  try {
    await move(part, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const near = join(dirname(path), `${basename(part)}.copy`);
    try {
      await copyFile(part, near);
      const copy = await open(near, 'r+');
      await copy.sync().finally(() => copy.close());
      await move(near, path);
    } finally {
      await removePart(near);
    }
  }
}
