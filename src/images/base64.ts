import { ImggenError } from '../errors.ts';

const blanks = /[ \t\r\n]+/g;
const wholeGroups = /^[\w+/-]*={0,2}$/;
const lastGroup = /^([\w+/-]{2,3})?$/;

/**
 * Decodes base64 text that arrives in pieces cut anywhere: standard or URL-safe alphabet, with or without padding,
 * blanks and line ends ignored. push() gives the bytes that are complete; push() and finish() throw ImggenError
 * `bad_answer` for text that is not base64.
 */
export class Base64Decoder {
  /** The text that waits for the rest of its group. */
  #rest = '';
  #padded = false;

  push(bytes: Uint8Array): Buffer {
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    const text = this.#rest + piece.replace(blanks, '');
    const length = text.length - (text.length % 4);
    const groups = text.slice(0, length);
    this.#rest = text.slice(length);
    return this.#decode(groups, wholeGroups);
  }

  finish(): Buffer {
    return this.#decode(this.#rest, lastGroup);
  }

  #decode(text: string, expected: RegExp): Buffer {
    if (!expected.test(text) || (this.#padded && text !== '')) {
      throw new ImggenError('bad_answer', 'the image in the answer is not valid base64');
    }
    this.#padded ||= text.endsWith('=');
    return Buffer.from(text, 'base64');
  }
}
