import { type FileHandle, open, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ImggenError, messageOf } from '../errors.ts';
import { makeDirectory } from './disk.ts';

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
  ENOENT: 'a part of the path is a link to nothing, or was removed; choose another place: --out',
};

/** The error of a place that cannot be written, by what the system says of it. */
export function cannotWrite(path: string, error: unknown): ImggenError {
  if (error instanceof ImggenError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return new ImggenError('output', `cannot write ${path}`, { cause: messageOf(error), hint: hints[code] });
}

/** Every temporary file of a run begins with this, so that what a killed process left can be found. */
export function temporaryPrefix(run: string): string {
  return `.imggen-${run}`;
}

/** The path of the part file of this name in a directory. */
export function partPath(directory: string, name: string): string {
  return join(directory, `${temporaryPrefix(name)}.part`);
}

/**
 * Makes a directory, if need be, and shows that files can be made in it. Throws ImggenError `output` when they cannot.
 *
 * @param mode of the directory when it is made; by default as the umask has it
 */
export async function ensureWritable(directory: string, run: string, mode?: number): Promise<void> {
  const probe = join(directory, `${temporaryPrefix(run)}.probe`);
  try {
    makeDirectory(directory, mode);
    const file = await open(probe, 'wx');
    await unlink(probe);
    await file.close();
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
 * a half-written file never has one.
 */
export class PartFile {
  readonly #name: string;
  readonly #fallback: string;
  #path: string;
  #file: FileHandle;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** How many bytes are written, from the first on. */
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
    const mode = directory === fallback ? privateMode : undefined;
    const { path, file } = await openPart(directory, name, mode).catch(() => openPart(fallback, name, privateMode));
    return new PartFile(name, fallback, path, file);
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

  /** Drops everything that was written, to start again. */
  async restart(): Promise<void> {
    this.#takePending();
    this.#position = 0;
    await this.#file.truncate(0);
  }

  /** Puts everything on the disk (fsync) and closes the file. Throws like write(). */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#orMove(async () => {
      await this.#file.sync();
      // A directory that was removed takes its names along; the bytes are still behind the open file.
      if ((await this.#file.stat()).nlink === 0) throw new Error('the file was removed while it was written');
    });
    await this.#file.close().catch(() => {});
  }

  /** Closes and removes the file. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => {});
    await removePart(this.#path);
  }

  #takePending(): Buffer {
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    return bytes;
  }

  async #flush(): Promise<void> {
    const bytes = this.#takePending();
    await this.#orMove(async () => {
      // A disk that gets full takes a part of the bytes first.
      for (let at = 0; at < bytes.length;) {
        at += (await this.#file.write(bytes, at, bytes.length - at, this.#position + at)).bytesWritten;
      }
    });
    this.#position += bytes.length;
  }

  /** Does something with the file; when that fails, once more with a copy of it in the fallback. */
  async #orMove(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (dirname(this.#path) === this.#fallback) throw cannotWrite(this.#path, error);
      await this.#moveToFallback();
      await work().catch((second: unknown) => {
        throw cannotWrite(this.#path, second);
      });
    }
  }

  /** The open file can still be read when its directory is gone or its disk is full. */
  async #moveToFallback(): Promise<void> {
    const { path, file } = await openPart(this.#fallback, this.#name, privateMode);
    const buffer = Buffer.allocUnsafe(bufferSize);
    try {
      for (let at = 0; at < this.#position;) {
        const length = Math.min(buffer.length, this.#position - at);
        const { bytesRead } = await this.#file.read(buffer, 0, length, at);
        if (bytesRead === 0) throw new Error('the file is shorter than what was written');
        await file.writeFile(buffer.subarray(0, bytesRead));
        at += bytesRead;
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
    makeDirectory(directory, mode);
    return { path, file: await open(path, 'w+') };
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Removes a part file; one that is gone already is fine. */
export async function removePart(path: string): Promise<void> {
  await unlink(path).catch(() => {});
}
