import { ImggenError, messageOf } from '../errors.ts';
import { PartFile, type PartPlace, removePart } from '../files/part.ts';
import { Base64Decoder } from '../images/base64.ts';
import type { AnswerPart } from '../dialects/answer.ts';
import type { Document } from '../dialects/types.ts';
import { ImageSink } from './sink.ts';
import type { StoredPart } from '../images/types.ts';

/** What became of one blob of an answer: stored, or why not. */
export type ReceivedBlob = { stored: StoredPart } | { reason: string };

/** A blob that is arriving. */
type OpenBlob = { sink: ImageSink; decoder: Base64Decoder } | { reason: string };

/**
 * Takes an answer apart as it arrives: images that stand in it go to part files, documents come back in their order.
 * An image that is not one is noted and does not spoil the others.
 */
export class AnswerReceiver {
  readonly #blobs: ReceivedBlob[] = [];
  /** The blobs before this one are of documents that are over. */
  #settled = 0;
  readonly #place: PartPlace;
  readonly #run: string;
  #open: OpenBlob | undefined;

  constructor(place: PartPlace, run: string) {
    this.#place = place;
    this.#run = run;
  }

  /** Yields each document after its blobs are stored. Throws what reading throws, and `output` when the disks fail. */
  async *documents(parts: AsyncIterable<AnswerPart>): AsyncGenerator<Document, void> {
    for await (const piece of parts) {
      if (piece.kind === 'document') {
        yield piece.document;
        continue;
      }
      this.#open ??= await this.#start(piece.blob);
      if (piece.last) {
        this.#blobs[piece.blob] = await this.#end(this.#open);
        this.#open = undefined;
      } else {
        this.#open = await this.#add(this.#open, piece.bytes);
      }
    }
  }

  /** A document is over, and of its blobs only these are images: the others were previews, which nobody gets. */
  async settle(images: readonly number[]): Promise<void> {
    for (; this.#settled < this.#blobs.length; this.#settled += 1) {
      if (images.includes(this.#settled)) continue;
      const preview = this.take(this.#settled);
      if ('stored' in preview) await removePart(preview.stored.part);
    }
  }

  /** What became of a blob; its part file is the caller's from now on. */
  take(blob: number): ReceivedBlob {
    const received = this.#blobs[blob];
    this.#blobs[blob] = { reason: 'it is in the answer twice' };
    return received ?? { reason: 'the answer does not have it' };
  }

  /** The blobs that are stored and not taken, for when the answer broke off. */
  takeStored(): StoredPart[] {
    return this.#blobs.flatMap((_blob, index) => {
      const received = this.take(index);
      return 'stored' in received ? [received.stored] : [];
    });
  }

  /** Whether an image has arrived whole. */
  get hasStored(): boolean {
    return this.#blobs.some((received) => 'stored' in received);
  }

  /** Removes every part file that was not taken, and forgets the answer. */
  async discard(): Promise<void> {
    if (this.#open && 'sink' in this.#open) await this.#open.sink.part.discard();
    for (const { part } of this.takeStored()) await removePart(part);
    this.#open = undefined;
    this.#blobs.length = 0;
    this.#settled = 0;
  }

  async #start(blob: number): Promise<OpenBlob> {
    const part = await PartFile.create(this.#place, blobName(this.#run, blob));
    return { sink: new ImageSink(part), decoder: new Base64Decoder() };
  }

  async #add(open: OpenBlob, text: Uint8Array): Promise<OpenBlob> {
    if ('reason' in open) return open;
    try {
      await open.sink.write(open.decoder.push(text));
      return open;
    } catch (error) {
      return await failed(open.sink, error);
    }
  }

  async #end(open: OpenBlob): Promise<ReceivedBlob> {
    if ('reason' in open) return open;
    try {
      await open.sink.write(open.decoder.finish());
      return { stored: await open.sink.finish() };
    } catch (error) {
      return await failed(open.sink, error);
    }
  }
}

/** The name of the part file of a blob; by it, what a killed process left is found again. */
export function blobName(run: string, blob: number): string {
  return `${run}-b${blob}`;
}

/** A bad image is a reason; a disk that fails is an error of the run. */
async function failed(sink: ImageSink, error: unknown): Promise<{ reason: string }> {
  await sink.part.discard();
  if (error instanceof ImggenError && error.code === 'bad_answer') return { reason: messageOf(error) };
  throw error;
}
