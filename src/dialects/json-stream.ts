import { randomUUID } from 'node:crypto';
import { ImggenError } from '../errors.ts';
import type { Document, InlineImage } from './types.ts';

/** How the text of an image stands for its bytes. */
export interface ImageEncoding {
  base64: boolean;
  /** Whether `%2B` stands for `+`, as in any URL. */
  percent: boolean;
}

/** A piece of an image's text, unescaped; `last` comes with an empty piece. */
export interface ImageText {
  encoding: ImageEncoding;
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

const dataUri = 'data:';
const schemes: readonly string[] = ['http:', 'https:'];
/** How images begin in base64: PNG, JPEG, WebP, GIF, AVIF; a dot stands for any character. */
const imageStarts: readonly string[] = ['iVBORw0KGgo', '/9j/', 'UklGR', 'R0lGOD', 'AAAA.GZ0eXBhdmlm'];

type Mode =
  /** Between strings. */
  | 'structure'
  /** In a string that stays in the document. */
  | 'text'
  /** At the start of a value: is it the text of an image? */
  | 'probe'
  /** In the part of a data URI before its comma. */
  | 'header'
  /** In the text of an image. */
  | 'image';

/**
 * Reads one JSON document of any size in little memory. The text of an image (a value of `b64_json`, a data URI, or
 * base64 that begins like an image) is handed out in pieces as it arrives; all the rest is kept, with a mark where the
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
  /** The unescaped start of the current value, without blanks before it, while it may still be an image. */
  #start = '';
  #encoding: ImageEncoding = { base64: true, percent: false };
  #images = 0;
  /** A mark that the server cannot know, so that none of its texts can pass for one. */
  readonly #mark = `image-${randomUUID()}-`;

  push(chunk: Uint8Array): ImageText[] {
    const pieces: ImageText[] = [];
    let nextQuote = -1;
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
        // The start of a value is looked at byte by byte, the rest is taken in whole runs.
        if (this.#mode === 'text' || this.#mode === 'image') {
          if (nextQuote < at) nextQuote = indexOf(chunk, quote, at);
          end = at + indexOf(chunk.subarray(at, nextQuote), backslash, 0);
        }
        const run = chunk.subarray(at, end);
        this.#take(run, run, pieces);
      }
      at = end;
    }
    return pieces;
  }

  /** @param images what became of the images whose texts push() gave, in that order */
  finish(images: readonly InlineImage[]): Document {
    if (this.#mode !== 'structure' || this.#containers.length > 0) {
      throw new ImggenError('bad_answer', 'the answer ended in the middle');
    }
    try {
      return JSON.parse(this.#kept.toString('utf8', 0, this.#length), (_key, value: unknown) =>
        typeof value === 'string' && value.startsWith(this.#mark)
          ? images[Number(value.slice(this.#mark.length))]
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

  #escaped(sequence: string, pieces: ImageText[]): void {
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

  /** Takes a run of the current string: as it is written, and unescaped. */
  #take(written: Uint8Array, meant: Uint8Array, pieces: ImageText[]): void {
    if (this.#mode === 'image') {
      pieces.push({ encoding: this.#encoding, bytes: meant, last: false });
      return;
    }
    this.#keep(written);
    if (this.#mode === 'text') return;
    if (this.#start === '' && blanks.includes(meant[0] as number)) return;
    this.#start += String.fromCharCode(meant[0] as number);
    if (this.#mode === 'probe') {
      const kind = kindOf(this.#start, this.#key);
      if (kind === 'data URI') this.#mode = 'header';
      else if (kind === 'image') this.#startPlain(pieces);
      else if (kind === 'text') this.#mode = 'text';
    } else if (meant[0] === comma) {
      this.#endHeader();
    } else if (this.#start.length > dataHeaderLimit) {
      this.#mode = 'text';
    }
  }

  #endHeader(): void {
    const base64 = /;\s*base64\s*,$/i.test(this.#start);
    if (base64 || /^data:image\//i.test(this.#start)) this.#startImage({ base64, percent: true });
    else this.#mode = 'text';
  }

  /** The value is base64 from its first character on. */
  #startPlain(pieces: ImageText[]): void {
    this.#startImage({ base64: true, percent: false });
    pieces.push({ encoding: this.#encoding, bytes: Buffer.from(this.#start, 'latin1'), last: false });
  }

  #startImage(encoding: ImageEncoding): void {
    // JSON.parse does not see at the end what is dropped here.
    this.#textFrom(this.#stringStart, '"');
    this.#length = this.#stringStart;
    this.#encoding = encoding;
    this.#mode = 'image';
  }

  #endString(pieces: ImageText[]): void {
    if (this.#mode === 'probe' && this.#key === 'b64_json') this.#startPlain(pieces);
    if (this.#mode === 'image') {
      pieces.push({ encoding: this.#encoding, bytes: new Uint8Array(0), last: true });
      this.#keep(Buffer.from(`"${this.#mark}${this.#images}"`));
      this.#images += 1;
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

/** What a value is that begins so; undefined while it can be several things. */
function kindOf(start: string, key: string): 'data URI' | 'image' | 'text' | undefined {
  const lower = start.toLowerCase();
  if (lower === dataUri) return 'data URI';
  if (schemes.includes(lower)) return 'text';
  if ([dataUri, ...schemes].some((scheme) => scheme.startsWith(lower))) return undefined;
  if (key === 'b64_json') return 'image';
  const fitting = imageStarts.filter((known) => [...start].every((char, k) => known[k] === '.' || known[k] === char));
  if (fitting.length === 0) return 'text';
  return fitting.some((known) => known.length === start.length) ? 'image' : undefined;
}

function notJson(): ImggenError {
  return new ImggenError('bad_answer', 'the answer is not valid JSON');
}

/** The place of a byte; the length where there is none. */
function indexOf(bytes: Uint8Array, byte: number, from: number): number {
  const found = bytes.indexOf(byte, from);
  return found === -1 ? bytes.length : found;
}
