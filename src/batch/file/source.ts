import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { ImggenError, messageOf, usageError } from '../../errors.ts';

const chunkSize = 1 << 18;

/** Bytes that can be read again and again. */
export interface Source {
  /** What to call it in a message. */
  readonly shown: string;
  readonly isStdin: boolean;
  /**
   * All bytes from the start; a chunk is good until the next one is asked for. Throws ImggenError `usage` when the
   * file is not the one that was opened any more.
   */
  chunks(): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

/** Opens a file. It stays open, so that an editor which replaces it does not mix two versions. Throws ImggenError `usage`. */
export async function openFile(file: string, shown: string): Promise<Source> {
  let handle: FileHandle | undefined;
  try {
    // Opening a pipe would wait for somebody to write into it; Windows has neither.
    handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const about = await handle.stat();
    if (about.isDirectory()) throw usageError(`${shown} is a directory`);
    // A pipe can be read only once, and would have its lock file beside it.
    if (!about.isFile())
      throw usageError(`${shown} is not a file`, 'what comes out of a pipe is read from stdin: imggen batch -');
    return new FileSource(handle, shown, { about });
  } catch (error) {
    await handle?.close();
    throw error instanceof ImggenError ? error : usageError(`cannot read ${shown}`, messageOf(error));
  }
}

/**
 * Copies a stream into a private file that is gone when the process is. Throws ImggenError `usage` when there is more
 * than `limit` bytes, `output` when the file cannot be written; what the stream throws it leaves as it is.
 */
export async function spoolStream(
  stream: AsyncIterable<Uint8Array>,
  directory: string,
  limit: number,
): Promise<Source> {
  const file = path.join(directory, `stdin-${randomUUID()}`);
  const handle = await writing(directory, async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return await open(file, 'wx+', 0o600);
  });
  const source = new FileSource(handle, 'stdin', { temporary: file });
  try {
    // Where a name can go while the file is open, a crash leaves nothing behind.
    await rm(file).catch(() => undefined);
    let size = 0;
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > limit) throw usageError(`stdin holds more than ${limit >>> 20} MB`, 'give it in parts');
      await writing(directory, () => handle.appendFile(chunk));
    }
    return source;
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function writing<T>(directory: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw new ImggenError('output', `cannot keep stdin in ${directory}`, { cause: messageOf(error) });
  }
}

class FileSource implements Source {
  readonly shown: string;
  readonly isStdin: boolean;
  readonly #handle: FileHandle;
  readonly #temporary: string | undefined;
  readonly #about: Stats | undefined;

  constructor(handle: FileHandle, shown: string, { about, temporary }: { about?: Stats; temporary?: string }) {
    this.#handle = handle;
    this.shown = shown;
    this.isStdin = temporary !== undefined;
    this.#temporary = temporary;
    this.#about = about;
  }

  async *chunks(): AsyncGenerator<Buffer, void> {
    await this.#refuseChanged();
    const buffer = Buffer.allocUnsafe(chunkSize);
    for (let position = 0; ;) {
      const length = await this.#read(buffer, position);
      if (length === 0) return;
      yield buffer.subarray(0, length);
      position += length;
    }
  }

  /** What was checked must be what is done later. */
  async #refuseChanged(): Promise<void> {
    if (!this.#about) return;
    const { size, mtimeMs } = await this.#handle.stat();
    if (size !== this.#about.size || mtimeMs !== this.#about.mtimeMs)
      throw usageError(`${this.shown} was changed while it was read`);
  }

  async #read(buffer: Buffer, position: number): Promise<number> {
    try {
      return (await this.#handle.read(buffer, 0, buffer.length, position)).bytesRead;
    } catch (error) {
      throw usageError(`cannot read ${this.shown}`, messageOf(error));
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
    if (this.#temporary !== undefined) await rm(this.#temporary, { force: true });
  }
}
