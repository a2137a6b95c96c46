import { fstatSync, writeSync } from 'node:fs';
import type { Output } from './types.ts';

/** In bytes: an empty pipe takes as much at once. A process that waits in a write for its reader hears no signal. */
const pipeLimit = 8 << 10;

/**
 * stdout or stderr of this process. A file, and a pipe at first, is written to directly: Node's streams load all that
 * sockets need, which takes a tenth of what Node itself takes to start.
 */
export class ProcessOutput implements Output {
  readonly #descriptor: 1 | 2;
  /** How many bytes may still be written directly. */
  #direct: number;

  constructor(descriptor: 1 | 2) {
    this.#descriptor = descriptor;
    this.#direct = process.platform === 'win32' ? 0 : directLimit(descriptor);
  }

  get stream(): NodeJS.WriteStream {
    this.#direct = 0;
    const stream = this.#descriptor === 1 ? process.stdout : process.stderr;
    // A reader that goes away (`| head`) would end the process with a stack trace; who writes hears of it otherwise.
    if (stream.listenerCount('error') === 0) stream.on('error', () => {});
    return stream;
  }

  get isTTY(): boolean {
    return this.#direct === 0 && this.stream.isTTY === true;
  }

  get columns(): number | undefined {
    return this.#direct === 0 ? this.stream.columns : undefined;
  }

  write(chunk: string | Uint8Array, done: (error?: Error | null) => void = () => {}): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    let written = 0;
    if (bytes.length <= this.#direct) {
      this.#direct -= bytes.length;
      try {
        while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written);
        return process.nextTick(done);
      } catch (error) {
        // EAGAIN: the pipe is full, and another process made it non-blocking. The stream waits.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return process.nextTick(done, error);
      }
    }
    this.stream.write(bytes.subarray(written), done);
  }
}

function directLimit(descriptor: number): number {
  try {
    const kind = fstatSync(descriptor);
    if (kind.isFile()) return Infinity;
    return kind.isFIFO() || kind.isSocket() ? pipeLimit : 0;
  } catch {
    return 0;
  }
}
