import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ImggenError, messageOf, usageError } from '../../errors.ts';
import type { Mistake } from './types.ts';

/** The bytes of a file. Throws ImggenError `usage` when it cannot be read, is no file, or has more than `limit` bytes. */
export async function readBytes(path: string, limit: number): Promise<Buffer> {
  let handle: FileHandle | undefined;
  try {
    // Without O_NONBLOCK the opening of a pipe waits for somebody who writes into it; Windows has neither.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const about = await handle.stat();
    if (about.isDirectory()) throw usageError(`${path} is a directory`);
    // A pipe would have its lock file beside it.
    if (!about.isFile())
      throw usageError(`${path} is not a file`, 'what comes out of a pipe is read from stdin: imggen batch -');
    return await collect(handle.createReadStream({ autoClose: false }), path, limit);
  } catch (error) {
    throw error instanceof ImggenError ? error : usageError(`cannot read ${path}`, messageOf(error));
  } finally {
    await handle?.close();
  }
}

/** All bytes of a stream. Throws ImggenError `usage` for more than `limit` bytes, and what the stream throws. */
export async function collect(stream: AsyncIterable<Uint8Array>, shown: string, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > limit)
      throw usageError(`${shown} has more than the ${limit >>> 20} MB that a batch file may have`, 'split the file');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const hint = 'save the file as UTF-8 text';

/** The text of UTF-8 bytes, without a byte order mark; or a mistake for each line that is no text, up to `limit`. */
export function decode(bytes: Buffer, limit: number): string | Mistake[] {
  if (isText(bytes)) return bytes.toString().replace(/^\ufeff/, '');
  // What some Windows programs write. Else each of its lines would be a mistake.
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    return [{ at: { line: 1, column: 1 }, message: 'this is UTF-16', hint }];
  const mistakes: Mistake[] = [];
  for (let start = 0, line = 1; start < bytes.length && mistakes.length < limit; line += 1) {
    const found = bytes.indexOf('\n', start);
    const end = found < 0 ? bytes.length : found;
    const part = bytes.subarray(start, end);
    if (!isText(part)) mistakes.push(unreadable(part, line));
    start = end + 1;
  }
  return mistakes;
}

/** Whether bytes are UTF-8 without NUL, which no text has and many other files do. */
function isText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0);
}

function unreadable(bytes: Buffer, line: number): Mistake {
  // The decoder puts a longer sequence, U+FFFD, in place of a wrong one.
  const decoded = Buffer.from(bytes.toString());
  let same = 0;
  while (same < bytes.length && bytes[same] === decoded[same] && bytes[same] !== 0) same += 1;
  const column = new TextDecoder().decode(bytes.subarray(0, same), { stream: true }).length + 1;
  const message = bytes[same] === 0 ? 'there is a NUL byte' : 'this is not UTF-8';
  return { at: { line, column }, message, hint };
}
