import { ImggenError } from '../errors.ts';
import { type ImageEncoding, type ImageText, JsonStream, metadataLimit } from './json-stream.ts';
import { SseReader } from './sse.ts';
import type { Document, InlineImage } from './types.ts';

/** Takes the text of one image as it arrives. */
export interface ImageSink {
  write(text: Uint8Array): Promise<void>;
  end(): Promise<InlineImage>;
}

/** Called when an image begins in an answer. */
export type OpenSink = (encoding: ImageEncoding) => Promise<ImageSink>;

/** How many images one answer may hold: ten, and the previews of a stream. */
const imageLimit = 64;
const documentLimit = 1000;

/**
 * Reads an answer's body as it arrives: one JSON document, or an event stream of many. The first byte tells which, since
 * a server may answer `stream: true` either way. The bytes of images go to sinks; a document comes after its images.
 *
 * Throws ImggenError `bad_answer` for a body that is neither, ends too early or is too large besides its images; errors
 * of `body` and of the sinks pass through.
 */
export async function* readAnswer(body: AsyncIterable<Uint8Array>, open: OpenSink): AsyncGenerator<Document, void> {
  const images = new Images(open);
  let reader: DocumentReader | EventReader | undefined;
  let lead = 0;
  for await (let chunk of body) {
    if (reader === undefined) {
      const first = chunk.findIndex((byte) => !isLead(byte));
      lead += first === -1 ? chunk.length : first;
      if (lead > metadataLimit) throw notOurs();
      if (first === -1) continue;
      chunk = chunk.subarray(first);
      reader = isJson(chunk[0] as number) ? new DocumentReader(images) : new EventReader(images);
    }
    if (reader instanceof DocumentReader) await reader.push(chunk);
    else yield* reader.push(chunk);
  }
  if (reader === undefined) throw new ImggenError('bad_answer', 'the answer is empty');
  if (reader instanceof DocumentReader) yield reader.finish();
  else yield* reader.finish();
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

/** The images of one answer. */
class Images {
  readonly #open: OpenSink;
  #count = 0;
  #sink: ImageSink | undefined;

  constructor(open: OpenSink) {
    this.#open = open;
  }

  /** Returns the image when the piece was its last. */
  async add({ encoding, bytes, last }: ImageText): Promise<InlineImage | undefined> {
    if (this.#sink === undefined) {
      this.#count += 1;
      if (this.#count > imageLimit)
        throw new ImggenError('bad_answer', `the answer has more than ${imageLimit} images`);
      this.#sink = await this.#open(encoding);
    }
    if (bytes.length > 0) await this.#sink.write(bytes);
    if (!last) return undefined;
    const image = await this.#sink.end();
    this.#sink = undefined;
    return image;
  }
}

/** One JSON document, whose images go to their sinks. */
class DocumentReader {
  readonly #json = new JsonStream();
  readonly #images: Images;
  readonly #found: InlineImage[] = [];

  constructor(images: Images) {
    this.#images = images;
  }

  async push(chunk: Uint8Array): Promise<void> {
    for (const piece of this.#json.push(chunk)) {
      const image = await this.#images.add(piece);
      if (image) this.#found.push(image);
    }
  }

  finish(): Document {
    return this.#json.finish(this.#found);
  }
}

class EventReader {
  readonly #sse = new SseReader();
  readonly #images: Images;
  /** The document of the event under way. */
  #document: DocumentReader | undefined;
  /** Whether the event's data is JSON, once its start has come; `[DONE]` and keep-alives are not. */
  #isJson: boolean | undefined;
  #documents = 0;
  #bytesOutside = 0;

  constructor(images: Images) {
    this.#images = images;
  }

  async *push(chunk: Uint8Array): AsyncGenerator<Document, void> {
    // Comments, unread fields and data that is no document are bounded like all that is no image.
    let inDocuments = 0;
    for (const part of this.#sse.push(chunk)) {
      if (part.kind === 'end') {
        yield* this.#endEvent();
      } else if (this.#isDocument(part.bytes)) {
        inDocuments += part.bytes.length;
        this.#document ??= new DocumentReader(this.#images);
        await this.#document.push(part.bytes);
      }
    }
    this.#bytesOutside += chunk.length - inDocuments;
    if (this.#bytesOutside > metadataLimit) throw notOurs();
  }

  *finish(): Generator<Document, void> {
    for (const part of this.#sse.finish()) if (part.kind === 'end') yield* this.#endEvent();
    if (this.#documents === 0) throw notOurs();
  }

  /** Whether the event's data is a document: its first byte that is not blank tells. */
  #isDocument(bytes: Uint8Array): boolean {
    if (this.#isJson === undefined) {
      const first = bytes.find((byte) => byte > 0x20);
      if (first !== undefined) this.#isJson = first === 0x7b;
    }
    return this.#isJson === true;
  }

  *#endEvent(): Generator<Document, void> {
    this.#isJson = undefined;
    if (this.#document === undefined) return;
    const document = this.#document.finish();
    this.#document = undefined;
    this.#documents += 1;
    if (this.#documents > documentLimit) throw new ImggenError('bad_answer', 'the answer has too many events');
    yield document;
  }
}
