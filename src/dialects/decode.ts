import { ImggenError } from '../errors.ts';
import type { Answer } from '../http/types.ts';
import { type OpenSink, readAnswer } from './answer.ts';
import { decodeDocument, isOfTheApi, mergeReplies, refusalWithoutDocument } from './reply.ts';
import { type Document, InlineImage, type Reply } from './types.ts';

/** How much of an answer's text is kept in case nothing can be made of it, in bytes. */
const startLimit = 16 << 10;

/** What an answer has said so far, for when it breaks off. */
export class Heard {
  /** Whether the HTTP status is 2xx: then the answer may have been paid for. */
  isSuccess = false;
  readonly documents: Document[] = [];
  readonly replies: Reply[] = [];
  /** Takes secrets out of the text that is no document. */
  redact = (text: string): string => text;
  #start = '';

  /** Notes the start of the answer's text. */
  add(bytes: Uint8Array): void {
    if (this.#start.length < startLimit)
      this.#start += Buffer.from(bytes.subarray(0, startLimit - this.#start.length)).toString('latin1');
  }

  /** The answer as text: its documents, or its start where there is none. */
  get texts(): string[] {
    if (this.documents.length > 0) return this.documents.map((document) => JSON.stringify(document));
    return this.#start === '' ? [] : [this.redact(Buffer.from(this.#start, 'latin1').toString())];
  }
}

/** What decoding an answer needs besides the answer. */
export interface DecodeOptions {
  open: OpenSink;
  /** Takes secrets out of a text: a server may echo them. */
  redact: (text: string) => string;
  /** Called with each document and what it says, as it comes. */
  onDocument: (document: Document, reply: Reply) => Promise<void>;
}

/**
 * Reads an answer to its end: the bytes of its images go to sinks, what it says becomes the reply.
 * Throws the ImggenError of a refusal, of a body that is not the API's, or of a connection that broke.
 *
 * @param heard filled as the answer comes
 */
export async function decodeAnswer(
  answer: Answer,
  { open, redact, onDocument }: DecodeOptions,
  heard: Heard,
): Promise<Reply> {
  const { status, url, headers } = answer;
  heard.isSuccess = status >= 200 && status <= 299;
  heard.redact = redact;
  const header = headers['x-request-id'];
  const requestId = header === undefined ? null : redact(header);
  let isOurs = false;
  try {
    for await (const document of readAnswer(listened(answer.body, heard), open)) {
      const clean = cleaned(document, redact);
      heard.documents.push(clean);
      const reply = decodeDocument(clean, { status, requestId, url });
      heard.replies.push(reply);
      await onDocument(clean, reply);
      isOurs ||= reply.images.length > 0 || isOfTheApi(clean);
    }
  } catch (error) {
    if (status >= 300 && status < 400) throw refusalWithoutDocument(status, requestId, redirectOf(answer));
    // The status alone tells a refusal, also when its text breaks off.
    const isUnreadable = error instanceof ImggenError && ['bad_answer', 'network', 'timeout'].includes(error.code);
    if (isUnreadable && !heard.isSuccess) throw refusalWithoutDocument(status, requestId, error.message);
    throw error;
  }
  if (!isOurs) {
    throw new ImggenError('bad_answer', "the answer is JSON, and not the API's", {
      hint: 'check the base URL: imggen config get baseUrl',
      requestId: requestId ?? undefined,
    });
  }
  return mergeReplies(heard.replies);
}

async function* listened(body: AsyncIterable<Uint8Array>, heard: Heard): AsyncGenerator<Uint8Array, void> {
  for await (const bytes of body) {
    heard.add(bytes);
    yield bytes;
  }
}

function redirectOf({ headers: { location } }: Answer): string {
  return location === undefined
    ? 'it is a redirect to nowhere'
    : `it redirects to ${location}, which a request with a key does not follow`;
}

/** A document in which `redact` has been over every text, keys included; but not over URLs, which must still work. */
function cleaned(document: Document, redact: (text: string) => string): Document {
  if (typeof document === 'string') return /^\s*https?:\/\//i.test(document) ? document : redact(document);
  if (Array.isArray(document)) return document.map((entry) => cleaned(entry, redact));
  if (typeof document !== 'object' || document === null || document instanceof InlineImage) return document;
  return Object.fromEntries(Object.entries(document).map(([key, value]) => [redact(key), cleaned(value, redact)]));
}
