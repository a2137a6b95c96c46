import { isUtf8 } from 'node:buffer';
import type { Mistake } from './types.ts';

const newline = 0x0a;

/** Lines that were read together; the first of them is line `first` of the text, from 1. */
export interface Batch {
  first: number;
  /** Without line feeds and the byte order mark; in place of a line that cannot be read, the mistake. */
  lines: readonly (string | Mistake)[];
}

/**
 * A text in lines, as many at a time as a chunk holds: a step of an async iteration costs more than a line.
 * @param limit of a line, in bytes
 */
export async function* linesOf(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  limit: number,
): AsyncGenerator<Batch, void> {
  let first = 1;
  let held: Buffer[] = [];
  let heldLength = 0;
  for await (const chunk of chunks) {
    if (first === 1 && isUtf16(chunk)) return yield { first, lines: [utf16] };
    const end = chunk.lastIndexOf(newline);
    if (end >= 0) {
      const lines = split(Buffer.concat([...held, chunk.subarray(0, end)]), first, limit);
      yield { first, lines };
      first += lines.length;
      held = [];
      heldLength = 0;
    }
    // A byte more than the limit tells that a line is too long; no more of it is kept.
    const rest = Buffer.from(chunk.subarray(end + 1, end + 1 + Math.max(0, limit + 1 - heldLength)));
    held.push(rest);
    heldLength += rest.length;
  }
  if (heldLength > 0) yield { first, lines: split(Buffer.concat(held), first, limit) };
}

function split(bytes: Buffer, first: number, limit: number): readonly (string | Mistake)[] {
  if (bytes.length <= limit && isText(bytes)) {
    const text = bytes.toString();
    return (first === 1 ? withoutMark(text) : text).split('\n');
  }
  const lines: (string | Mistake)[] = [];
  for (let at = 0; at <= bytes.length;) {
    const end = bytes.indexOf(newline, at);
    const line = bytes.subarray(at, end < 0 ? bytes.length : end);
    lines.push(readLine(line, first + lines.length, limit));
    at += line.length + 1;
  }
  return lines;
}

function readLine(bytes: Buffer, line: number, limit: number): string | Mistake {
  if (bytes.length > limit) return { at: { line, column: 1 }, message: `a line of more than ${limit >>> 20} MB` };
  if (!isText(bytes)) return unreadable(bytes, line);
  return line === 1 ? withoutMark(bytes.toString()) : bytes.toString();
}

/** Whether bytes are UTF-8 without NUL, which no text has and many other files do. */
export function isText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0);
}

/** A text without its byte order mark. */
export function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

const utf16: Mistake = { at: { line: 1, column: 1 }, message: 'this is UTF-16', hint: 'save the file as UTF-8 text' };

/** What some Windows programs write. Else each of its lines would be a mistake. */
function isUtf16(start: Buffer): boolean {
  return (start[0] === 0xff && start[1] === 0xfe) || (start[0] === 0xfe && start[1] === 0xff);
}

function unreadable(bytes: Buffer, line: number): Mistake {
  // The decoder puts a longer sequence, U+FFFD, where it finds a wrong one.
  const decoded = Buffer.from(bytes.toString());
  let same = 0;
  while (same < bytes.length && bytes[same] === decoded[same] && bytes[same] !== 0) same += 1;
  const column = new TextDecoder().decode(bytes.subarray(0, same), { stream: true }).length + 1;
  const message = bytes[same] === 0 ? 'there is a NUL byte' : 'this is not UTF-8';
  return { at: { line, column }, message, hint: 'save the file as UTF-8 text' };
}
