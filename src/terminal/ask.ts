import { ImggenError } from '../errors.ts';
import type { Host } from './types.ts';

/** No secret is longer, in bytes; a file without line ends could be. */
const lineLimit = 1 << 20;

/**
 * Asks for a secret: without echo on a terminal, else the first line of stdin. Throws ImggenError `interrupted` when
 * the person gives up with Ctrl-C or Ctrl-D.
 */
export async function askSecret(question: string, host: Host): Promise<string> {
  if (!host.stdin.isTTY) return await firstLine(host);
  const { read } = await import('read');
  // After Ctrl-D read() never says anything. After an answer stdin is paused too, and that comes just before it.
  const end = new Promise<never>((_resolve, reject) => host.stdin.once('pause', () => setImmediate(reject)));
  try {
    return await Promise.race([
      read({ prompt: question, silent: true, input: host.stdin, output: host.stderr.stream }),
      end,
    ]);
  } catch {
    throw new ImggenError('interrupted', 'interrupted');
  } finally {
    // The Enter that ended the answer was not echoed either.
    host.stderr.write('\n');
  }
}

/**
 * Asks a question; only `y` or `yes` is a yes, and Ctrl-D is none. Throws ImggenError `interrupted` when the person gives
 * up with Ctrl-C.
 */
export async function askYesNo(question: string, host: Host): Promise<boolean> {
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: host.stdin, output: host.stderr.stream });
  try {
    const answer = await new Promise<string | undefined>((resolve, reject) => {
      lines.once('SIGINT', () => reject(new ImggenError('interrupted', 'interrupted')));
      lines.once('close', () => resolve(undefined));
      lines.question(question, resolve);
    });
    // The Enter that ends an answer is echoed.
    if (answer === undefined) host.stderr.write('\n');
    return answer !== undefined && /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
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
