import { ImggenError } from '../errors.ts';
import type { Answer } from '../http/types.ts';
import { readAnswer } from '../dialects/answer.ts';
import { decodeDocument, isOfTheApi, mergeReplies, refusalWithoutDocument } from '../dialects/reply.ts';
import { BlobRef, type Document, type Reply } from '../dialects/types.ts';
import type { AnswerReceiver } from './receive.ts';
import type { Services } from './services.ts';

/** What an answer has said so far, for when it breaks off. */
export interface Seen {
  documents: Document[];
  replies: Reply[];
}

export function newSeen(): Seen {
  return { documents: [], replies: [] };
}

/**
 * Reads an answer to its end: its images go to the receiver's files, what it says becomes the reply. Secrets that the
 * server echoes are taken out here, before anything can print or store them.
 * Throws the ImggenError of a refusal, of a body that is not the API's, or of a connection that broke.
 */
export async function decodeAnswer(
  answer: Answer,
  receiver: AnswerReceiver,
  { redact, onDocument }: Services,
  { documents, replies }: Seen = newSeen(),
): Promise<Reply> {
  const header = answer.headers['x-request-id'];
  const requestId = header === undefined ? null : redact(header);
  let isOurs = false;
  try {
    for await (const document of receiver.documents(readAnswer(answer.body))) {
      const clean = cleaned(document, redact);
      onDocument(clean);
      documents.push(clean);
      const reply = decodeDocument(clean, answer.status, requestId);
      await receiver.settle(reply.images.flatMap((image) => (image.kind === 'inline' ? [image.blob] : [])));
      replies.push(reply);
      isOurs ||= reply.images.length > 0 || isOfTheApi(clean);
    }
  } catch (error) {
    if (answer.status >= 300 && answer.status < 400) {
      throw refusalWithoutDocument(answer.status, requestId, redirectOf(answer));
    }
    const isUnreadable = error instanceof ImggenError && error.code === 'bad_answer';
    if (isUnreadable && (answer.status < 200 || answer.status > 299)) {
      throw refusalWithoutDocument(answer.status, requestId, error.message);
    }
    throw error;
  }
  if (!isOurs) {
    throw new ImggenError('bad_answer', "the answer is JSON, and not the API's", {
      hint: 'check the base URL: imggen config get baseUrl',
      requestId: requestId ?? undefined,
    });
  }
  return mergeReplies(replies);
}

function redirectOf({ headers: { location } }: Answer): string {
  return location === undefined
    ? 'it is a redirect to nowhere'
    : `it redirects to ${location}, which a request with a key does not follow`;
}

/** A document in which `redact` has been over every text, keys included; but not over URLs, which must still work. */
function cleaned(document: Document, redact: (text: string) => string): Document {
  if (typeof document === 'string') return /^https?:\/\//i.test(document) ? document : redact(document);
  if (Array.isArray(document)) return document.map((entry) => cleaned(entry, redact));
  if (typeof document !== 'object' || document === null || document instanceof BlobRef) return document;
  return Object.fromEntries(Object.entries(document).map(([key, value]) => [redact(key), cleaned(value, redact)]));
}
