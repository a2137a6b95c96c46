import type { IncomingMessage } from 'node:http';
import { gatewayRefusal } from './refusal.ts';

/** The largest body that is read, in bytes: the longest prompt, every character an escaped surrogate pair, twice. */
const bodyLimit = 1_000_000;

/**
 * Reads a request's body as text, and to its end in any case: a client that still writes would not see the answer.
 * @throws {Refusal} 413 when it is longer than the limit
 */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= bodyLimit) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (length > bodyLimit) throw gatewayRefusal('tooLarge', `the body is longer than ${bodyLimit} bytes`);
  return Buffer.concat(chunks).toString();
}
