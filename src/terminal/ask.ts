import { ImggenError } from '../errors.ts';
import type { Host } from './types.ts';

/** In bytes; no secret is longer. */
const lineLimit = 1 << 20;

/**
 * Asks for a secret: without echo on a terminal, else the first line of stdin. Throws ImggenError `interrupted` when
 * the person gives up with Ctrl-C or Ctrl-D.
 */
export async function askSecret(question: string, host: Host): Promise<string> {
  if (!host.stdin.isTTY) return await firstLine(host);
  const { read } = await import('read');
  // read() never settles after Ctrl-D. stdin pauses then, and also just before read() returns an answer.
  const end = new Promise<never>((_resolve, reject) => host.stdin.once('pause', () => setImmediate(reject)));
  try {
    return await Promise.race([read({ prompt: question, silent: true, input: host.stdin, output: host.stderr }), end]);
  } catch {
    throw new ImggenError('interrupted', 'interrupted');
  } finally {
    // The Enter that ended the answer was not echoed.
    host.stderr.write('\n');
  }
}

/**
 * Asks a question; only `y` and `yes` mean yes, and Ctrl-D means no. Throws ImggenError `interrupted` when the person
 * gives up with Ctrl-C.
 */
export async function askYesNo(question: string, host: Host): Promise<boolean> {
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: host.stdin, output: host.stderr });
  try {
    const answer = await new Promise<string | undefined>((resolve, reject) => {
      lines.once('SIGINT', () => reject(new ImggenError('interrupted', 'interrupted')));
      lines.once('close', () => resolve(undefined));
      lines.question(question, resolve);
    });
    // Ctrl-D echoes no line end.
    if (answer === undefined) host.stderr.write('\n');
    return answer !== undefined && /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}

async function firstLine(host: Host): Promise<string> {
  const bytes = await readStart(input(host), (chunk, length) => chunk.includes('\n') || length > lineLimit);
  return bytes.toString().split(/\r?\n/, 1)[0] ?? '';
}

/** stdin in chunks. Throws the signal's reason when an interruption comes before its end. */
export function input({ stdin, signal }: Host): AsyncGenerator<Buffer, void> {
  return chunksOf(stdin, signal);
}

/** A stream in chunks. Throws the signal's reason when an interruption comes before its end. */
export async function* chunksOf(stream: NodeJS.ReadStream, signal: AbortSignal): AsyncGenerator<Buffer, void> {
  const stop = () => stream.destroy();
  signal.throwIfAborted();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  signal.throwIfAborted();
}

/** Reads chunks to their end, or until one of them, and the length of all so far, are `enough`. */
export async function readStart(
  chunks: AsyncIterable<Buffer>,
  enough: (chunk: Buffer, length: number) => boolean,
): Promise<Buffer> {
  const read: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    read.push(chunk);
    length += chunk.length;
    if (enough(chunk, length)) break;
  }
  return Buffer.concat(read);
}
