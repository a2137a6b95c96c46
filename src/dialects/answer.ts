import { ImggenError } from '../errors.ts';
import { type BlobPiece, JsonStream, metadataLimit } from './json-stream.ts';
import { SseReader } from './sse.ts';
import type { Document } from './types.ts';

/** What an answer's body holds, in the order of arrival. A document comes after the blobs that it refers to. */
export type AnswerPart = BlobPiece | { kind: 'document'; document: Document };

/** How many images one answer may hold: ten, and the previews of a stream. */
const blobLimit = 64;
const documentLimit = 1000;

/**
 * Reads an answer's body as it arrives, whatever it is: one JSON document, or an event stream of many. Which of them
 * is told by the first byte, since a server may answer `stream: true` either way.
 *
 * Throws ImggenError `bad_answer` for a body that is neither, ends too early or is too large besides its images; what
 * `body` throws passes through.
 */
export async function* readAnswer(body: AsyncIterable<Uint8Array>): AsyncGenerator<AnswerPart, void> {
  let reader: DocumentReader | EventReader | undefined;
  let lead = 0;
  for await (let chunk of body) {
    if (reader === undefined) {
      const first = chunk.findIndex((byte) => !isLead(byte));
      lead += first === -1 ? chunk.length : first;
      if (lead > metadataLimit) throw notOurs();
      if (first === -1) continue;
      chunk = chunk.subarray(first);
      reader = isJson(chunk[0] as number) ? new DocumentReader() : new EventReader();
    }
    yield* reader.push(chunk);
  }
  if (reader === undefined) throw new ImggenError('bad_answer', 'the answer is empty');
  yield* reader.finish();
}

/** Blanks, or the bytes of a UTF-8 byte order mark. */
function isLead(byte: number): boolean {
  return byte <= 0x20 || byte === 0xef || byte === 0xbb || byte === 0xbf;
}

function isJson(byte: number): boolean {
  return byte === 0x7b || byte === 0x5b;
}

function notOurs(): ImggenError {
  return new ImggenError('bad_answer', 'the answer is neither JSON nor an event stream');
}

class DocumentReader {
  readonly #json = new JsonStream();

  *push(chunk: Uint8Array): Generator<AnswerPart> {
    for (const piece of this.#json.push(chunk)) yield checked(piece);
  }

  *finish(): Generator<AnswerPart> {
    yield { kind: 'document', document: this.#json.finish() };
  }
}

class EventReader {
  readonly #sse = new SseReader();
  #json: JsonStream | undefined;
  /** Whether the event's data is JSON, once its start has come; `[DONE]` and keep-alives are not. */
  #isJson: boolean | undefined;
  #nextBlob = 0;
  #documents = 0;
  #bytesOutside = 0;

  *push(chunk: Uint8Array): Generator<AnswerPart> {
    // Comments, unread fields and data that is no document are bounded like all that is no image.
    let inDocuments = 0;
    for (const part of this.#sse.push(chunk)) {
      if (part.kind === 'end') {
        yield* this.#endEvent();
      } else if (this.#isDocument(part.bytes)) {
        inDocuments += part.bytes.length;
        yield* this.#data(part.bytes);
      }
    }
    this.#bytesOutside += chunk.length - inDocuments;
    if (this.#bytesOutside > metadataLimit) throw notOurs();
  }

  *finish(): Generator<AnswerPart> {
    for (const part of this.#sse.finish()) if (part.kind === 'end') yield* this.#endEvent();
    if (this.#documents === 0) throw notOurs();
  }

  /** Whether the event's data is a document, told by its first byte that is not blank. */
  #isDocument(bytes: Uint8Array): boolean {
    if (this.#isJson === undefined) {
      const first = bytes.find((byte) => byte > 0x20);
      if (first !== undefined) this.#isJson = first === 0x7b;
    }
    return this.#isJson === true;
  }

  *#data(bytes: Uint8Array): Generator<AnswerPart> {
    this.#json ??= new JsonStream(this.#nextBlob);
    for (const piece of this.#json.push(bytes)) yield checked(piece);
  }

  *#endEvent(): Generator<AnswerPart> {
    this.#isJson = undefined;
    if (this.#json === undefined) return;
    const document = this.#json.finish();
    this.#nextBlob = this.#json.nextBlob;
    this.#json = undefined;
    this.#documents += 1;
    if (this.#documents > documentLimit) throw new ImggenError('bad_answer', 'the answer has too many events');
    yield { kind: 'document', document };
  }
}

function checked(piece: BlobPiece): BlobPiece {
  if (piece.blob >= blobLimit) throw new ImggenError('bad_answer', `the answer has more than ${blobLimit} images`);
  return piece;
}
