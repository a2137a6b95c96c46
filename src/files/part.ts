import { closeSync, existsSync, openSync, unlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ImggenError, messageOf } from '../errors.ts';
import { type FileHandle, link, lstat, mkdir, open, readdir, rename, unlink } from './disk.ts';

/** Chunks are gathered to this many bytes before they are written: fewer system calls, little memory. */
const bufferSize = 256 * 1024;

/** Of directories that only their owner has business in. */
export const privateMode = 0o700;

const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'make room on the disk, or choose another place: --out',
  EDQUOT: 'the disk quota is used up; choose another place: --out',
  EACCES: 'choose a directory that you may write to: --out',
  EPERM: 'choose a directory that you may write to: --out',
  EROFS: 'the file system is read-only; choose another place: --out',
  ENOTDIR: 'a part of the path is a file; choose another place: --out',
  EEXIST: 'a part of the path is a file; choose another place: --out',
};

/** The error of a place that cannot be written, by what the system says of it. */
function cannotWrite(path: string, error: unknown): ImggenError {
  if (error instanceof ImggenError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return new ImggenError('output', `cannot write ${path}`, { cause: messageOf(error), hint: hints[code] });
}

/** Every temporary file of a run begins with this, so that what a killed process left can be found. */
export function temporaryPrefix(run: string): string {
  return `.imggen-${run}`;
}

/** Where the part file of a name is, if it is in this directory. */
export function partPath(directory: string, name: string): string {
  return join(directory, `${temporaryPrefix(name)}.part`);
}

/**
 * Makes a directory and those above it, where they are missing. Node's own `recursive` never ends in places where none
 * can be made, such as /proc.
 *
 * @param mode of what is made; by default as the umask has it
 */
async function makeDirectory(directory: string, mode: number | undefined): Promise<void> {
  if (existsSync(directory)) return;
  const above = dirname(directory);
  if (above !== directory) await makeDirectory(above, mode);
  try {
    await mkdir(directory, mode);
  } catch (error) {
    // Another process was quicker; or a file is in the way, which whoever writes there will find.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/**
 * Makes a directory, if need be, and shows that files can be made in it.
 * Throws ImggenError `output` when they cannot.
 *
 * @param mode of the directory when it is made; by default as the umask has it
 */
export async function ensureWritable(directory: string, run: string, mode?: number): Promise<void> {
  const probe = join(directory, `${temporaryPrefix(run)}.probe`);
  try {
    await makeDirectory(directory, mode);
    // At once, so that a process that is killed does not leave it.
    const file = openSync(probe, 'wx');
    unlinkSync(probe);
    closeSync(file);
  } catch (error) {
    throw cannotWrite(directory, error);
  }
}

/** Where a part file may be written. */
export interface PartPlace {
  /** The directory of the target, so that giving a final name is one step. */
  directory: string;
  /** Where the bytes go when that directory fails: a full disk must not lose what was paid for. */
  fallback: string;
}

/**
 * A file that is being written, under a hidden name. It gets a final name only when it is whole and on the disk;
 * whatever else happens, nothing half-written has one.
 */
export class PartFile {
  readonly #name: string;
  readonly #fallback: string;
  #path: string;
  #file: FileHandle;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Everything before this is written. */
  #position = 0;

  private constructor(name: string, fallback: string, path: string, file: FileHandle) {
    this.#name = name;
    this.#fallback = fallback;
    this.#path = path;
    this.#file = file;
  }

  /**
   * Creates a part file, in the fallback when the directory fails. One of that name that a killed process left is
   * replaced. Throws ImggenError `output` when both places fail.
   *
   * @param name tells the part files of one directory apart: `<run>-<what>`
   */
  static async create({ directory, fallback }: PartPlace, name: string): Promise<PartFile> {
    try {
      const { path, file } = await openPart(directory, name, directory === fallback ? privateMode : undefined);
      return new PartFile(name, fallback, path, file);
    } catch {
      const { path, file } = await openPart(fallback, name, privateMode);
      return new PartFile(name, fallback, path, file);
    }
  }

  /** Where the file is now. */
  get path(): string {
    return this.#path;
  }

  /** Throws ImggenError `output` when neither place takes the bytes. */
  async write(chunk: Uint8Array): Promise<void> {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes >= bufferSize) await this.#flush();
  }

  /** Forgets what was written, to start again. */
  async restart(): Promise<void> {
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#position = 0;
    await this.#file.truncate(0);
  }

  /** Puts everything on the disk and closes the file. Throws like write(). */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#orMove(async () => {
      await this.#file.sync();
      // A directory that was removed takes its names along; the bytes are still behind the open file.
      if ((await this.#file.stat()).nlink === 0) throw new Error('the file was removed while it was written');
    });
    await this.#file.close().catch(() => {});
  }

  /** Removes the file; for when it did not become whole. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => {});
    await removePart(this.#path);
  }

  async #flush(): Promise<void> {
    const chunks = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#orMove(async () => {
      while (chunks.length > 0) {
        const { bytesWritten } = await this.#file.writev(chunks, this.#position);
        this.#position += bytesWritten;
        drop(chunks, bytesWritten);
      }
    });
  }

  /** Does something with the file; when that fails, once more with a copy of it in the fallback. */
  async #orMove(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (dirname(this.#path) === this.#fallback) throw cannotWrite(this.#path, error);
      await this.#moveToFallback();
      try {
        await work();
      } catch (second) {
        throw cannotWrite(this.#path, second);
      }
    }
  }

  /** The open file can still be read when its directory is gone or its disk is full. */
  async #moveToFallback(): Promise<void> {
    const { path, file } = await openPart(this.#fallback, this.#name, privateMode);
    const buffer = Buffer.allocUnsafe(bufferSize);
    let copied = 0;
    try {
      while (copied < this.#position) {
        const { bytesRead } = await this.#file.read(
          buffer,
          0,
          Math.min(buffer.length, this.#position - copied),
          copied,
        );
        if (bytesRead === 0) throw new Error('the file is shorter than what was written');
        await file.write(buffer, 0, bytesRead, copied);
        copied += bytesRead;
      }
    } catch (error) {
      await file.close().catch(() => {});
      await removePart(path);
      throw cannotWrite(path, error);
    }
    await this.discard();
    this.#path = path;
    this.#file = file;
  }
}

async function openPart(directory: string, name: string, mode?: number): Promise<{ path: string; file: FileHandle }> {
  const path = partPath(directory, name);
  try {
    await makeDirectory(directory, mode);
    return { path, file: await open(path, 'w+') };
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Takes the first `count` bytes off a list of chunks. */
function drop(chunks: Uint8Array[], count: number): void {
  while (chunks[0] && count >= chunks[0].length) count -= (chunks.shift() as Uint8Array).length;
  if (chunks[0] && count > 0) chunks[0] = chunks[0].subarray(count);
}

/** Removes a part file; one that is gone already is fine. */
export async function removePart(path: string): Promise<void> {
  await unlink(path).catch(() => {});
}

/**
 * Gives a finished part file the first of `candidates` that is free, and returns it. The name is taken and filled in
 * one step, so that two processes never get the same. The part stays, where the file system has links, until the
 * caller removes it: a process that is killed here finds its file again. Undefined when none of them is free.
 * Throws ImggenError `output`.
 */
export async function claim(part: string, candidates: Iterable<string>): Promise<string | undefined> {
  for (const path of candidates) {
    try {
      await makeDirectory(dirname(path), undefined);
      if (await tryClaim(part, path)) return path;
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }
  return undefined;
}

/** Puts a finished part file in the place of whatever has the name. Throws ImggenError `output`. */
export async function replace(part: string, path: string): Promise<string> {
  try {
    await makeDirectory(dirname(path), undefined);
    await acrossDevices(part, path, rename);
    return path;
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

const noLinks: readonly (string | undefined)[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

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

/** The name in one of these directories that a part file has got already: whoever gave it was killed right after. */
export async function nameOf(part: string, directories: Iterable<string>): Promise<string | undefined> {
  const links = (await lstat(part).catch(() => undefined))?.nlink ?? 0n;
  if (links < 2n) return undefined;
  for (const directory of new Set(directories)) {
    for (const name of await readdir(directory).catch(() => [])) {
      const path = join(directory, name);
      if (resolve(path) !== resolve(part) && (await isSameFile(part, path).catch(() => false))) return path;
    }
  }
  return undefined;
}

/** The name is there because an earlier try, which was cut off, gave it. */
async function isSameFile(part: string, path: string): Promise<boolean> {
  const [a, b] = await Promise.all([lstat(part), lstat(path)]);
  return a.ino === b.ino && a.dev === b.dev;
}

/** Some file systems (FAT, some network ones) have no hard links: there the name is taken empty, then filled. */
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
async function acrossDevices(
  part: string,
  path: string,
  move: (from: string, to: string) => Promise<void>,
): Promise<void> {
  try {
    await move(part, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const near = join(dirname(path), `${part.slice(dirname(part).length + 1)}.copy`);
    try {
      await copyToDisk(part, near);
      await move(near, path);
    } finally {
      await removePart(near);
    }
  }
}

async function copyToDisk(from: string, to: string): Promise<void> {
  const source = await open(from, 'r');
  try {
    const copy = await open(to, 'w');
    try {
      const buffer = Buffer.allocUnsafe(bufferSize);
      const read = () => source.read(buffer, 0, buffer.length, null);
      for (let { bytesRead } = await read(); bytesRead > 0; { bytesRead } = await read()) {
        await copy.writeFile(buffer.subarray(0, bytesRead));
      }
      await copy.sync();
    } finally {
      await copy.close();
    }
  } finally {
    await source.close();
  }
}
