import { createHash } from 'node:crypto';
import { ImggenError } from '../errors.ts';
import { formatOf, headLength, readers } from './formats.ts';
import type { ImageFacts, ImageFormat } from './types.ts';
import { Walk } from './walk.ts';

/** The bytes begin as an image and stop before its end: another copy may be whole. */
export class TruncatedImage extends ImggenError {}

/**
 * Measures the bytes of one image as they pass: format, size in pixels, length, hash, and whether the end of the image
 * was among them. It keeps none of them.
 */
export class ImageMeter {
  readonly #hash = createHash('sha256');
  /** The first bytes, until they tell the format. */
  #head: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #walk: Walk | undefined;
  #format: ImageFormat | undefined;
  #size: { width: number; height: number } | undefined;

  get bytes(): number {
    return this.#bytes;
  }

  /** Throws ImggenError `bad_answer` as soon as the first bytes are not an image's. */
  push(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
    if (this.#walk) return this.#walk.push(chunk);
    this.#head = Buffer.concat([this.#head, chunk]);
    if (this.#head.length < headLength) return;
    this.#format = formatOf(this.#head);
    if (!this.#format) throw notAnImage(this.#head);
    const { walk } = readers[this.#format];
    this.#walk = new Walk(walk((width, height) => (this.#size ??= { width, height })));
    this.#walk.push(this.#head);
  }

  /** Throws ImggenError `bad_answer` unless the bytes were one whole image; TruncatedImage when its end is missing. */
  finish(): ImageFacts {
    if (!this.#format && this.#bytes > 0) throw new TruncatedImage('bad_answer', `it ends after ${this.#bytes} bytes`);
    if (!this.#format) throw notAnImage(this.#head);
    if (!this.#walk?.done) {
      throw new TruncatedImage('bad_answer', `the ${this.#format} image ends too early, after ${this.#bytes} bytes`);
    }
    const { width, height } = this.#size ?? { width: null, height: null };
    return { format: this.#format, width, height, bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }
}

function notAnImage(head: Buffer): ImggenError {
  const start = head.toString('latin1', 0, 24).replace(/[^\x20-\x7e]/g, '.');
  const message = head.length === 0 ? 'it is empty' : `it is not an image, it begins with "${start}"`;
  return new ImggenError('bad_answer', message);
}
