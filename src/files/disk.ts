import * as fs from 'node:fs';

// The few operations that part files need, with the names of node:fs/promises. Each but sync() is done at once: it ends
// in the system's cache, sooner than a thread of Node's would begin, and to load the original takes longer than both.

/** An open file. Everything throws what the system says. */
export class FileHandle {
  #file: number;

  constructor(file: number) {
    this.#file = file;
  }

  async read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number | null,
  ): Promise<{ bytesRead: number }> {
    return { bytesRead: fs.readSync(this.#file, buffer, offset, length, position) };
  }

  async write(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesWritten: number }> {
    return { bytesWritten: fs.writeSync(this.#file, buffer, offset, length, position) };
  }

  async writev(chunks: readonly Uint8Array[], position: number): Promise<{ bytesWritten: number }> {
    return { bytesWritten: fs.writevSync(this.#file, chunks, position) };
  }

  async writeFile(bytes: Uint8Array): Promise<void> {
    fs.writeFileSync(this.#file, bytes);
  }

  async truncate(length: number): Promise<void> {
    fs.ftruncateSync(this.#file, length);
  }

  async stat(): Promise<fs.Stats> {
    return fs.fstatSync(this.#file);
  }

  /** Puts the bytes on the disk, which takes its time: other files go on meanwhile. */
  async sync(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      fs.fsync(this.#file, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** A second time it fails, and closes nothing that has got the number since. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = -1;
    fs.closeSync(file);
  }
}

export async function open(path: string, flags: string): Promise<FileHandle> {
  return new FileHandle(fs.openSync(path, flags));
}

export async function mkdir(path: string, mode: number | undefined): Promise<void> {
  fs.mkdirSync(path, { mode });
}

export async function readdir(path: string): Promise<string[]> {
  return fs.readdirSync(path);
}

export async function lstat(path: string): Promise<fs.BigIntStats> {
  return fs.lstatSync(path, { bigint: true });
}

export async function link(from: string, to: string): Promise<void> {
  fs.linkSync(from, to);
}

export async function rename(from: string, to: string): Promise<void> {
  fs.renameSync(from, to);
}

export async function unlink(path: string): Promise<void> {
  fs.unlinkSync(path);
}
