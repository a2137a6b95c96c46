import { ImggenError } from '../errors.ts';

const notBase64 = /[^A-Za-z0-9+/_=-]/;
const spaces = /[ \t\r\n]+/g;

/**
 * Decodes base64 text that arrives in pieces cut anywhere: standard or URL-safe alphabet, with or without padding,
 * blanks and line ends ignored. push() gives the bytes that are complete; push() and finish() throw ImggenError
 * `bad_answer` for text that is not base64.
 */
export class Base64Decoder {
  /** Up to three characters that wait for the rest of their group. */
  #rest = '';
  #padded = false;

  push(bytes: Uint8Array): Buffer {
    let text = this.#rest + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    const whole = text.length - (text.length % 4);
    // The usual case: nothing but groups of the alphabet, which decode to three bytes each.
    if (!this.#padded) {
      const decoded = Buffer.from(text.slice(0, whole), 'base64');
      if (decoded.length === (whole / 4) * 3) {
        this.#rest = text.slice(whole);
        return decoded;
      }
    }
    text = text.replace(spaces, '');
    if (notBase64.test(text)) throw notDecodable();
    return this.#decode(text, text.length - (text.length % 4));
  }

  finish(): Buffer {
    const text = this.#rest.replace(spaces, '');
    // A group that is cut short has no padding: `A=` and `==` stand for no byte at all.
    if (notBase64.test(text) || text.length === 1 || text.includes('=')) throw notDecodable();
    return this.#decode(text, text.length);
  }

  #decode(text: string, length: number): Buffer {
    const groups = text.slice(0, length);
    const padding = groups.indexOf('=');
    if (padding !== -1 ? !/^={1,2}$/.test(groups.slice(padding)) || this.#padded : this.#padded && groups !== '') {
      throw notDecodable();
    }
    if (padding !== -1) this.#padded = true;
    this.#rest = text.slice(length);
    return Buffer.from(groups, 'base64');
  }
}

function notDecodable(): ImggenError {
  return new ImggenError('bad_answer', 'the image in the answer is not valid base64');
}
