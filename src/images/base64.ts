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
    const text = this.#rest + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    const [groups, rest] = split(text);
    this.#rest = rest;
    const decoded = Buffer.from(groups, 'base64');
    // Nothing but groups of the alphabet decode to three bytes each: to look at each character takes twice as long.
    const isPlain = !this.#padded && decoded.length === (groups.length / 4) * 3;
    return isPlain ? decoded : this.#check(text.replace(blanks, ''));
  }

  finish(): Buffer {
    const text = this.#rest.replace(blanks, '');
    if (!lastGroup.test(text) || (this.#padded && text !== '')) throw notDecodable();
    return Buffer.from(text, 'base64');
  }

  #check(text: string): Buffer {
    const [groups, rest] = split(text);
    if (!wholeGroups.test(groups) || (this.#padded && groups !== '')) throw notDecodable();
    this.#padded ||= groups.endsWith('=');
    this.#rest = rest;
    return Buffer.from(groups, 'base64');
  }
}

/** Groups of four characters, and the rest. */
function split(text: string): [groups: string, rest: string] {
  const length = text.length - (text.length % 4);
  return [text.slice(0, length), text.slice(length)];
}

function notDecodable(): ImggenError {
  return new ImggenError('bad_answer', 'the image in the answer is not valid base64');
}
