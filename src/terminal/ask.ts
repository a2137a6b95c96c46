import { ImggenError } from '../errors.ts';
import type { Host } from './types.ts';

/** No secret is longer, in bytes; a file without line ends could be. */
const lineLimit = 1 << 20;

/**
 * Asks for a secret: without echo on a terminal, else the first line of stdin. Throws ImggenError `interrupted` when
 * the person gives up with Ctrl-C.
 */
export async function askSecret(question: string, host: Host): Promise<string> {
  if (!host.stdin.isTTY) return await firstLine(host);
  const { read } = await import('read');
  try {
    return await read({ prompt: question, silent: true, input: host.stdin, output: host.stderr.stream });
  } catch {
    throw new ImggenError('interrupted', 'interrupted');
  } finally {
    // The Enter that ended the answer was not echoed either.
    host.stderr.write('\n');
  }
}

/** Asks a question; only `y` or `yes` is one. Throws ImggenError `interrupted` when the person gives up with Ctrl-C. */
export async function askYesNo(question: string, host: Host): Promise<boolean> {
  const { read } = await import('read');
  try {
    return /^y(es)?$/i.test((await read({ prompt: question, input: host.stdin, output: host.stderr.stream })).trim());
  } catch {
    throw new ImggenError('interrupted', 'interrupted');
  }
}

async function firstLine(host: Host): Promise<string> {
  const bytes = await readInput(host, (chunk, length) => chunk.includes('\n') || length > lineLimit);
  return bytes.toString().split(/\r?\n/, 1)[0] ?? '';
}

/** stdin in chunks. Throws the signal's reason when an interruption comes before its end. */
export async function* input({ stdin, signal }: Host): AsyncGenerator<Buffer, void> {
  const stop = () => stdin.destroy();
  signal.throwIfAborted();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of stdin as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  signal.throwIfAborted();
}

/**
 * Reads stdin to its end, or until a chunk, and the bytes with it, are `enough`. Throws the signal's reason when an
 * interruption comes first.
 */
export async function readInput(host: Host, enough: (chunk: Buffer, length: number) => boolean): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of input(host)) {
    chunks.push(chunk);
    length += chunk.length;
    if (enough(chunk, length)) break;
  }
  return Buffer.concat(chunks);
}
