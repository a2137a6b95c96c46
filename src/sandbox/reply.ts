import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the server sends, and how the connection fails meanwhile. */
export interface Reply {
  status: number;
  headers: Record<string, string | number>;
  body: Buffer;
  /** `cut` closes the connection after half of the body, `drop` before the first byte, `slow` lets it trickle. */
  delivery?: 'cut' | 'slow' | 'drop' | undefined;
}

/** The reply of the fault `drop-…`: none. */
export const dropped: Reply = { status: 0, headers: {}, body: Buffer.alloc(0), delivery: 'drop' };

export function json(status: number, value: unknown): Reply {
  return sized(status, 'application/json', JSON.stringify(value));
}

/** A page that does not come from the API. */
export function html(status: number, title: string): Reply {
  return sized(status, 'text/html', htmlPage(title));
}

/** A page such as proxies and captive portals send. */
export function htmlPage(title: string): string {
  return `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`;
}

function sized(status: number, contentType: string, text: string): Reply {
  const body = Buffer.from(text);
  return { status, headers: { 'content-type': contentType, 'content-length': body.length }, body };
}

/** Pieces of a slow body, and the pause after each in milliseconds: three seconds in all. */
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
  if (delivery === 'drop') return void response.destroy();
  response.writeHead(status, headers);
  const send = async (piece: Buffer, pause: number) => {
    if (!response.write(piece)) await once(response, 'drain', { signal });
    await sleep(pause, undefined, { signal });
  };
  if (delivery === 'cut') {
    await send(body.subarray(0, Math.floor(body.length / 2)), cutPause);
    return void response.destroy();
  }
  if (delivery !== 'slow') return void response.end(body);
  const step = Math.ceil(body.length / slowSteps);
  for (let at = 0; at < body.length; at += step) await send(body.subarray(at, at + step), slowPause);
  response.end();
}
