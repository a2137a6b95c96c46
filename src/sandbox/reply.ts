import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Refusal } from './refusal.ts';

/** A piece of a body. Base64 is encoded while it is sent: an answer with ten images never exists as one string. */
export type Part = string | Buffer | { base64: Buffer };

/** What the server sends, and how the connection fails meanwhile. */
export interface Reply {
  status: number;
  headers: Record<string, string | number>;
  body: readonly Part[];
  /** `cut` closes the connection after half of the body, `drop` before the first byte, `slow` lets it trickle. */
  delivery?: 'whole' | 'cut' | 'slow' | 'drop' | undefined;
}

/** A reply with a Content-Length. */
export function sized(status: number, contentType: string, body: readonly Part[]): Reply {
  return { status, headers: { 'content-type': contentType, 'content-length': lengthOf(body) }, body };
}

/** A JSON reply. */
export function json(status: number, value: unknown): Reply {
  return sized(status, 'application/json', [JSON.stringify(value)]);
}

/** A page that does not come from the API. */
export function html(status: number, title: string): Reply {
  return sized(status, 'text/html', [htmlPage(title)]);
}

/** A page such as proxies and captive portals send. */
export function htmlPage(title: string): string {
  return `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`;
}

/** The reply of a refusal; its JSON gets the request id. */
export function refused(refusal: Refusal, requestId: string): Reply {
  const { status, body } = refusal;
  const reply = typeof body === 'string' ? html(status, body) : json(status, { ...body, request_id: requestId });
  return { ...reply, headers: { ...reply.headers, ...refusal.headers } };
}

/** The reply of the fault `drop-…`: none. */
export const dropped: Reply = { status: 0, headers: {}, body: [], delivery: 'drop' };

const wholeChunk = 64 * 1024;
/** Chunks of a slow body, and the pause after each in milliseconds: three seconds in all. */
const slowSteps = 120;
const slowPause = 25;
/** From the half of a cut body to the cut, in milliseconds: time for the client to read. */
const cutPause = 50;

/**
 * Sends a reply.
 * @param signal aborts when the client is gone; then this rejects with an `AbortError`
 */
export async function deliver(reply: Reply, response: ServerResponse, signal: AbortSignal): Promise<void> {
  const { status, headers, body, delivery } = reply;
  if (delivery === 'drop') {
    response.destroy();
    return;
  }
  response.writeHead(status, headers);
  const length = lengthOf(body);
  const slow = delivery === 'slow';
  let left = delivery === 'cut' ? Math.floor(length / 2) : length;
  for (const chunk of chunksOf(body, slow ? Math.ceil(length / slowSteps) : wholeChunk)) {
    if (left === 0) break;
    const part = chunk.subarray(0, left);
    left -= part.length;
    if (!response.write(part)) await once(response, 'drain', { signal });
    if (slow) await sleep(slowPause, undefined, { signal });
  }
  if (delivery === 'cut') {
    await sleep(cutPause, undefined, { signal });
    response.destroy();
  } else {
    response.end();
  }
}

function lengthOf(body: readonly Part[]): number {
  return body.reduce((sum, part) => sum + partLength(part), 0);
}

function partLength(part: Part): number {
  if (typeof part === 'string') return Buffer.byteLength(part);
  return Buffer.isBuffer(part) ? part.length : 4 * Math.ceil(part.base64.length / 3);
}

function* chunksOf(body: readonly Part[], size: number): Generator<Buffer> {
  for (const part of body) {
    const encode = typeof part === 'object' && 'base64' in part;
    const bytes = typeof part === 'string' ? Buffer.from(part) : encode ? part.base64 : part;
    // Whole groups of three, or padding would appear in the middle of the base64.
    const step = encode ? 3 * Math.ceil(size / 4) : size;
    for (let start = 0; start < bytes.length; start += step) {
      const slice = bytes.subarray(start, start + step);
      yield encode ? Buffer.from(slice.toString('base64')) : slice;
    }
  }
}
