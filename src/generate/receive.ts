import type { ImageSink } from '../dialects/answer.ts';
import type { DecodeOptions } from '../dialects/decode.ts';
import type { ImageEncoding } from '../dialects/json-stream.ts';
import { InlineImage } from '../dialects/types.ts';
import { ImggenError, messageOf } from '../errors.ts';
import { PartFile, type PartPlace, removePart } from '../files/part.ts';
import { Base64Decoder } from '../images/base64.ts';
import { PercentDecoder } from '../images/percent.ts';
import type { StoredPart } from '../images/types.ts';
import type { Services } from './services.ts';
import { PartSink } from './sink.ts';

/** Puts the images that stand in an answer into part files, as they arrive. An image that is none spoils no other. */
export class AnswerReceiver {
  readonly #place: PartPlace;
  readonly #run: string;
  #count = 0;
  #open: PartSink | undefined;
  /** The images that are whole, and nobody's yet. */
  readonly #stored = new Set<StoredPart>();

  constructor(place: PartPlace, run: string) {
    this.#place = place;
    this.#run = run;
  }

  /** Begins an image. What the sink throws: `output` when both places of the part file fail. */
  readonly open = async (encoding: ImageEncoding): Promise<ImageSink> => {
    const part = await PartFile.create(this.#place, inlineName(this.#run, this.#count));
    this.#count += 1;
    const sink = new PartSink(part);
    this.#open = sink;
    const decode = decoderOf(encoding);
    let reason: string | undefined;
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      if (reason !== undefined) return;
      try {
        await work();
      } catch (error) {
        await part.discard();
        this.#open = undefined;
        if (!(error instanceof ImggenError) || error.code !== 'bad_answer') throw error;
        reason = messageOf(error);
      }
    };
    return {
      write: async (text) => await attempt(async () => await sink.write(decode.push(text))),
      end: async () => {
        let stored: StoredPart | undefined;
        await attempt(async () => {
          await sink.write(decode.finish());
          stored = await sink.finish();
        });
        this.#open = undefined;
        if (stored) this.#stored.add(stored);
        return new InlineImage(stored ? { stored } : { reason: reason ?? 'it is empty' });
      },
    };
  };

  /** The caller keeps the image from now on. */
  take(stored: StoredPart): void {
    this.#stored.delete(stored);
  }

  /** Removes an image that nobody gets, such as a preview. */
  async drop({ outcome }: InlineImage): Promise<void> {
    if (!('stored' in outcome)) return;
    this.#stored.delete(outcome.stored);
    await removePart(outcome.stored.part);
  }

  /** The images that are whole and that nobody has taken: of an answer that broke off. */
  get left(): readonly StoredPart[] {
    return [...this.#stored];
  }

  /** Removes every part file that nobody has taken. */
  async discard(): Promise<void> {
    await this.#open?.part.discard();
    this.#open = undefined;
    for (const { part } of this.#stored) await removePart(part);
    this.#stored.clear();
    this.#count = 0;
  }
}

/** How the answers of a run are decoded. */
export function decoding(receiver: AnswerReceiver, { redact, onDocument }: Services): DecodeOptions {
  return {
    open: receiver.open,
    redact,
    onDocument: async (document, { previews }) => {
      onDocument(document);
      for (const preview of previews) await receiver.drop(preview);
    },
  };
}

/** The name of the part file of an image that stands in the answer; what a killed process left is found by it. */
export function inlineName(run: string, position: number): string {
  return `${run}-b${position}`;
}

/** The bytes that the text of an image stands for. */
function decoderOf({ base64, percent }: ImageEncoding): {
  push: (text: Uint8Array) => Uint8Array;
  finish: () => Uint8Array;
} {
  const unescape = new PercentDecoder();
  const decoder = new Base64Decoder();
  if (!base64) return unescape;
  if (!percent) return decoder;
  return {
    push: (text) => decoder.push(unescape.push(text)),
    finish: () => Buffer.concat([decoder.push(unescape.finish()), decoder.finish()]),
  };
}
