import { createInterface } from 'node:readline';
import { ImggenError } from '../errors.ts';
import type { Host } from './types.ts';

/**
 * Asks for a secret: without echo on a terminal, else the first line of stdin. Throws ImggenError `interrupted` when
 * the person gives up with Ctrl-C.
 */
export async function askSecret(question: string, host: Host): Promise<string> {
  if (!host.stdin.isTTY) return await firstLine(host.stdin);
  const { read } = await import('read');
  try {
    return await read({ prompt: question, silent: true, input: host.stdin, output: host.stderr });
  } catch {
    throw new ImggenError('interrupted', 'interrupted');
  } finally {
    // The Enter that ended the answer was not echoed either.
    host.stderr.write('\n');
  }
}

async function firstLine(input: NodeJS.ReadableStream): Promise<string> {
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) return line;
  return '';
}
