import { randomUUID } from 'node:crypto';
import { ImggenError } from '../errors.ts';
import { BlobRef, type Document } from './types.ts';

/** A piece of a blob: the text of an image as it is meant (unescaped); `last` comes with an empty piece. */
export interface BlobPiece {
  kind: 'blob';
  blob: number;
  bytes: Uint8Array;
  last: boolean;
}

/** What an answer may hold besides its images, in bytes. */
export const metadataLimit = 1 << 20;
const depthLimit = 64;
/** `data:image/png;charset=…;base64,` is far shorter. */
const dataHeaderLimit = 256;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openObject = 0x7b;
const openArray = 0x5b;
const closeObject = 0x7d;
const closeArray = 0x5d;
const blanks: readonly number[] = [0x20, 0x09, 0x0a, 0x0d];
const simpleEscapes: Readonly<Record<string, number>> = { '"': 34, '\\': 92, '/': 47, b: 8, f: 12, n: 10, r: 13, t: 9 };
const unicodeEscape = /^u[\da-f]{4}$/i;
const dataPrefix = 'data:';

type Mode =
  /** Between strings. */
  | 'structure'
  /** In a string that stays in the document. */
  | 'text'
  /** At the start of a value: is it a data URI? */
  | 'probe'
  /** In the part of a data URI before its comma. */
  | 'header'
  /** In the text of an image. */
  | 'blob';

/**
 * Reads one JSON document of any size in little memory. The text of an image (a value of `b64_json`, or one that
 * begins with `data:…;base64,`) is handed out in pieces as it arrives; all the rest is kept, with a mark where the
 * image stood, and parsed by JSON.parse at the end, which so decides about everything that is not an image's text.
 *
 * Pure and synchronous: push() takes chunks cut anywhere, finish() gives the document. Both throw ImggenError
 * `bad_answer` for what is not JSON, is nested more than 64 deep, or holds more than 1 MB besides its images.
 */
export class JsonStream {
  /** The document without its images, as far as it has come. */
  #kept = Buffer.allocUnsafe(4096);
  #length = 0;
  #mode: Mode = 'structure';
  /** The escape sequence under way, without its backslash. */
  #escape: string | undefined;
  /** The open containers; true for an object. */
  readonly #containers: boolean[] = [];
  /** Whether a string at this place is a key. */
  #expectKey = false;
  /** The key of the value at this place; empty in an array. */
  #key = '';
  /** Where in #kept the current string began, with its quote. */
  #stringStart = 0;
  /** The meant start of the current value, while it may still be a data URI. */
  #start = '';
  #blobs: number;
  // A mark that the server cannot know, so that none of its texts can pass for one.
  readonly #mark = `blob-${randomUUID()}-`;

  /** @param firstBlob the number of the first blob, for one of several documents in an answer */
  constructor(firstBlob = 0) {
    this.#blobs = firstBlob;
  }

  /** The number that the next blob gets. */
  get nextBlob(): number {
    return this.#blobs;
  }

  push(chunk: Uint8Array): BlobPiece[] {
    const pieces: BlobPiece[] = [];
    const quotes = new Finder(chunk, quote);
    const backslashes = new Finder(chunk, backslash);
    let at = 0;
    while (at < chunk.length) {
      const byte = chunk[at] as number;
      let end = at + 1;
      if (this.#mode === 'structure') {
        this.#structure(byte);
      } else if (this.#escape !== undefined) {
        this.#escaped(this.#escape + String.fromCharCode(byte), pieces);
      } else if (byte === quote) {
        this.#endString(pieces);
      } else if (byte === backslash) {
        this.#escape = '';
      } else {
        // A value's start is looked at byte by byte, the rest is taken in whole runs.
        if (this.#mode === 'text' || this.#mode === 'blob') end = Math.min(quotes.from(at), backslashes.from(at));
        const run = chunk.subarray(at, end);
        this.#take(run, run, pieces);
      }
      at = end;
    }
    return pieces;
  }

  finish(): Document {
    if (this.#mode !== 'structure' || this.#containers.length > 0) {
      throw new ImggenError('bad_answer', 'the answer ended in the middle');
    }
    try {
      return JSON.parse(this.#kept.toString('utf8', 0, this.#length), (_key, value: unknown) =>
        typeof value === 'string' && value.startsWith(this.#mark)
          ? new BlobRef(Number(value.slice(this.#mark.length)))
          : value,
      ) as Document;
    } catch {
      throw notJson();
    }
  }

  #structure(byte: number): void {
    switch (byte) {
      case quote:
        this.#stringStart = this.#length;
        this.#start = '';
        this.#mode = this.#expectKey ? 'text' : 'probe';
        break;
      case openObject:
      case openArray:
        if (this.#containers.length >= depthLimit)
          throw new ImggenError('bad_answer', 'the answer is nested too deeply');
        this.#containers.push(byte === openObject);
        this.#nextPlace();
        break;
      case closeObject:
      case closeArray:
        this.#containers.pop();
        this.#expectKey = false;
        break;
      case comma:
        this.#nextPlace();
        break;
      case colon:
        this.#expectKey = false;
        break;
    }
    // There may be megabytes of blanks; one stays, so that `1 2` does not become `12`.
    if (!blanks.includes(byte)) this.#keep(Uint8Array.of(byte));
    else if (this.#kept[this.#length - 1] !== blanks[0]) this.#keep(Uint8Array.of(blanks[0] as number));
  }

  /** After a comma or an opening bracket: a key in an object, a value in an array. */
  #nextPlace(): void {
    this.#expectKey = this.#containers.at(-1) === true;
    this.#key = '';
  }

  #escaped(sequence: string, pieces: BlobPiece[]): void {
    if (sequence[0] === 'u' && sequence.length < 5) {
      this.#escape = sequence;
      return;
    }
    this.#escape = undefined;
    const code = unicodeEscape.test(sequence) ? Number.parseInt(sequence.slice(1), 16) : simpleEscapes[sequence];
    if (code === undefined) throw notJson();
    // No image's text has anything beyond ASCII: NUL stands for it and is refused there.
    const meant = code <= 0x7f ? code : 0;
    this.#take(Buffer.from(`\\${sequence}`, 'latin1'), Uint8Array.of(meant), pieces);
  }

  /** Takes a run of the current string: as it is written, and as it is meant. */
  #take(written: Uint8Array, meant: Uint8Array, pieces: BlobPiece[]): void {
    if (this.#mode === 'blob') {
      pieces.push({ kind: 'blob', blob: this.#blobs, bytes: meant, last: false });
      return;
    }
    this.#keep(written);
    if (this.#mode === 'text') return;
    this.#start += String.fromCharCode(meant[0] as number);
    if (this.#mode === 'probe') {
      if (!dataPrefix.startsWith(this.#start)) this.#startOther(pieces);
      else if (this.#start === dataPrefix) this.#mode = 'header';
    } else if (meant[0] === comma) {
      if (/;\s*base64\s*,$/i.test(this.#start)) this.#startBlob();
      else this.#mode = 'text';
    } else if (this.#start.length > dataHeaderLimit) {
      this.#mode = 'text';
    }
  }

  /** The value is no data URI: it stays, or, under `b64_json`, is an image's text from its first byte. */
  #startOther(pieces: BlobPiece[]): void {
    if (this.#key !== 'b64_json') {
      this.#mode = 'text';
      return;
    }
    this.#startBlob();
    pieces.push({ kind: 'blob', blob: this.#blobs, bytes: Buffer.from(this.#start, 'latin1'), last: false });
  }

  #startBlob(): void {
    // What is dropped here JSON.parse would not see at the end.
    this.#textFrom(this.#stringStart, '"');
    this.#length = this.#stringStart;
    this.#mode = 'blob';
  }

  #endString(pieces: BlobPiece[]): void {
    if (this.#mode === 'probe') this.#startOther(pieces);
    if (this.#mode === 'blob') {
      pieces.push({ kind: 'blob', blob: this.#blobs, bytes: new Uint8Array(0), last: true });
      this.#keep(Buffer.from(`"${this.#mark}${this.#blobs}"`));
      this.#blobs += 1;
    } else {
      this.#keep(Uint8Array.of(quote));
      if (this.#expectKey) this.#key = this.#textFrom(this.#stringStart, '');
    }
    this.#mode = 'structure';
  }

  /** The meaning of the string that is kept from a place on; `end` is what it lacks to be whole. */
  #textFrom(start: number, end: string): string {
    try {
      return JSON.parse(this.#kept.toString('utf8', start, this.#length) + end) as string;
    } catch {
      throw notJson();
    }
  }

  #keep(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > metadataLimit) throw new ImggenError('bad_answer', 'the answer has more than 1 MB besides its images');
    if (length > this.#kept.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, this.#kept.length * 2));
      this.#kept.copy(larger, 0, 0, this.#length);
      this.#kept = larger;
    }
    this.#kept.set(bytes, this.#length);
    this.#length = length;
  }
}

function notJson(): ImggenError {
  return new ImggenError('bad_answer', 'the answer is not valid JSON');
}

/** The next place of a byte in a chunk; asked from places that only grow, it reads the chunk once. */
class Finder {
  readonly #chunk: Uint8Array;
  readonly #byte: number;
  #at = -1;

  constructor(chunk: Uint8Array, byte: number) {
    this.#chunk = chunk;
    this.#byte = byte;
  }

  /** The first place at or after `at`; the chunk's length when there is none. */
  from(at: number): number {
    if (this.#at < at) {
      const found = this.#chunk.indexOf(this.#byte, at);
      this.#at = found === -1 ? this.#chunk.length : found;
    }
    return this.#at;
  }
}
