import { ImggenError } from '../errors.ts';
import type { PartFile } from '../files/part.ts';
import { ImageMeter } from '../images/meter.ts';
import type { StoredPart } from '../images/types.ts';

/** No image is larger, in bytes; a compressed answer could grow without end. */
const imageLimit = 2 ** 30;

/** Writes an image to its part file while the meter watches. */
export class PartSink {
  readonly part: PartFile;
  #meter = new ImageMeter();

  constructor(part: PartFile) {
    this.part = part;
  }

  get bytes(): number {
    return this.#meter.bytes;
  }

  /** Throws ImggenError `bad_answer` when the bytes are no image or too many, `output` when they cannot be written. */
  async write(chunk: Uint8Array): Promise<void> {
    this.#meter.push(chunk);
    if (this.#meter.bytes > imageLimit) throw new ImggenError('bad_answer', 'it has more than 1 GiB');
    await this.part.write(chunk);
  }

  async restart(): Promise<void> {
    this.#meter = new ImageMeter();
    await this.part.restart();
  }

  /** Throws TruncatedImage, ImggenError `bad_answer` or `output` unless the image is whole and on the disk. */
  async finish(): Promise<StoredPart> {
    const facts = this.#meter.finish();
    await this.part.finish();
    return { part: this.part.path, facts };
  }
}
