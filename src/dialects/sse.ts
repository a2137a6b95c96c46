import { ImggenError } from '../errors.ts';

/** Something seen in an event stream: bytes of a `data` field, or the end of an event. */
export type SsePart = { kind: 'data'; bytes: Uint8Array } | { kind: 'end' };

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
/** `event: image_generation.partial_image` and the like; a comment may be any length. */
const fieldNameLimit = 64;
const newline = Uint8Array.of(lineFeed);

/**
 * Cuts an event stream (HTML standard, "Server-sent events") into the bytes of its events' data, in any chunking and
 * without holding a line: an event may be an image of any size. Of the fields only `data` is read; the name of an
 * event also stands in its JSON, as `type`. A byte order mark is not taken off here.
 *
 * Throws ImggenError `bad_answer` when a line begins with a field name that never ends.
 */
export class SseReader {
  /** The field name under way; undefined once it is known. */
  #name: string | undefined = '';
  #isData = false;
  /** A blank may follow the colon. */
  #skipBlank = false;
  #dataLines = 0;
  /** The line ended in CR: an LF that follows belongs to it. */
  #afterReturn = false;

  push(chunk: Uint8Array): SsePart[] {
    const parts: SsePart[] = [];
    let at = 0;
    while (at < chunk.length) {
      const byte = chunk[at] as number;
      if (this.#afterReturn) {
        this.#afterReturn = false;
        if (byte === lineFeed) {
          at += 1;
          continue;
        }
      }
      if (byte === lineFeed || byte === carriageReturn) {
        this.#endLine(parts);
        this.#afterReturn = byte === carriageReturn;
        at += 1;
      } else if (this.#name !== undefined) {
        this.#readName(byte, parts);
        at += 1;
      } else {
        at = this.#readValue(chunk, at, parts);
      }
    }
    return parts;
  }

  /** The end of the stream also ends an event that no empty line has ended. */
  finish(): SsePart[] {
    const parts: SsePart[] = [];
    this.#endLine(parts);
    if (this.#dataLines > 0) this.#endEvent(parts);
    return parts;
  }

  #readName(byte: number, parts: SsePart[]): void {
    if (byte !== 0x3a) {
      this.#name += String.fromCharCode(byte);
      if ((this.#name as string).length > fieldNameLimit) {
        throw new ImggenError('bad_answer', 'the answer is neither JSON nor an event stream');
      }
      return;
    }
    this.#startField(parts);
    this.#skipBlank = true;
  }

  #startField(parts: SsePart[]): void {
    this.#isData = this.#name === 'data';
    this.#name = undefined;
    if (!this.#isData) return;
    if (this.#dataLines > 0) parts.push({ kind: 'data', bytes: newline });
    this.#dataLines += 1;
  }

  #readValue(chunk: Uint8Array, at: number, parts: SsePart[]): number {
    let start = at;
    if (this.#skipBlank && chunk[at] === 0x20) start += 1;
    this.#skipBlank = false;
    const feed = chunk.indexOf(lineFeed, start);
    const limit = feed === -1 ? chunk.length : feed;
    const turn = chunk.subarray(start, limit).indexOf(carriageReturn);
    const end = turn === -1 ? limit : start + turn;
    if (this.#isData && end > start) parts.push({ kind: 'data', bytes: chunk.subarray(start, end) });
    return end;
  }

  #endLine(parts: SsePart[]): void {
    if (this.#name === '') {
      if (this.#dataLines > 0) this.#endEvent(parts);
    } else if (this.#name !== undefined) {
      this.#startField(parts);
    }
    this.#name = '';
    this.#isData = false;
    this.#skipBlank = false;
  }

  #endEvent(parts: SsePart[]): void {
    parts.push({ kind: 'end' });
    this.#dataLines = 0;
  }
}
