import { createHash } from 'node:crypto';
import { ImggenError } from '../errors.ts';
import { formatOf, headLength, readers } from './formats.ts';
import type { ImageFacts, ImageFormat } from './types.ts';
import { Walk } from './walk.ts';

/** The bytes begin as an image and stop before its end: another copy may be whole. */
export class TruncatedImage extends ImggenError {}

/**
 * Watches the bytes of one image go by: format, size in pixels, length, hash, and whether the end of the image was
 * among them. It changes and keeps nothing of them.
 */
export class ImageMeter {
  readonly #hash = createHash('sha256');
  #head: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #walk: Walk | undefined;
  #format: ImageFormat | undefined;
  #width: number | null = null;
  #height: number | null = null;

  get bytes(): number {
    return this.#bytes;
  }

  /** Throws ImggenError `bad_answer` as soon as the first bytes are not an image's. */
  push(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
    if (this.#walk) {
      this.#walk.push(chunk);
      return;
    }
    this.#head = Buffer.concat([this.#head, chunk]);
    if (this.#head.length < headLength) return;
    this.#format = formatOf(this.#head);
    if (!this.#format) throw notAnImage(this.#head);
    this.#walk = new Walk(
      readers[this.#format].walk((width, height) => {
        this.#width ??= width;
        this.#height ??= height;
      }),
    );
    this.#walk.push(this.#head);
    this.#head = Buffer.alloc(0);
  }

  /** Throws ImggenError `bad_answer` unless the bytes were one whole image; TruncatedImage when its end is missing. */
  finish(): ImageFacts {
    if (!this.#format && this.#bytes > 0 && this.#bytes < headLength) {
      throw new TruncatedImage('bad_answer', `it ends after ${this.#bytes} bytes`);
    }
    if (!this.#format) throw notAnImage(this.#head);
    if (!this.#walk?.done) {
      throw new TruncatedImage('bad_answer', `the ${this.#format} image ends too early, after ${this.#bytes} bytes`);
    }
    return {
      format: this.#format,
      width: this.#width,
      height: this.#height,
      bytes: this.#bytes,
      sha256: this.#hash.digest('hex'),
    };
  }
}

function notAnImage(head: Buffer): ImggenError {
  const start = head.toString('latin1', 0, 24).replace(/[^\x20-\x7e]/g, '.');
  return new ImggenError(
    'bad_answer',
    head.length === 0 ? 'it is empty' : `it is not an image, it begins with "${start}"`,
  );
}
