import { type IncomingMessage, request } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { connect, maxHeaderSize, type Route } from './connect.ts';

/** The body of a request: bytes, or a stream of known length that can be opened again. */
export type RequestBody = Uint8Array | { length: number; open: () => AsyncIterable<Uint8Array> };

/** A request on its way out. */
export interface Outgoing {
  method: 'GET' | 'POST';
  url: string;
  headers: Readonly<Record<string, string>>;
  body: RequestBody | undefined;
  /** Ends the exchange at any moment, its body included. */
  signal: AbortSignal;
  /** Called right before the first byte is written: until then nothing was sent. */
  onSent: () => void;
}

/** The start of an answer. Its body fails unless it reaches the end that its headers announce. */
export interface Incoming {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Readable;
}

/**
 * One request and its answer, on a connection of its own: on a kept one that the server closes at that moment, nobody
 * could say whether it took the request. Throws ProxyFault and the errors of Node.
 */
export async function exchange(
  { method, url, headers, body, signal, onSent }: Outgoing,
  route: Route,
): Promise<Incoming> {
  const target = new URL(url);
  const socket = await connect(target, route, signal);
  onSent();
  return await new Promise((resolve, reject) => {
    let answer: IncomingMessage | undefined;
    const outgoing = request({
      createConnection: () => socket,
      method,
      path: target.pathname + target.search,
      headers: { ...headers, host: target.host },
      maxHeaderSize,
      insecureHTTPParser: false,
    })
      .once('response', (response) => {
        answer = response;
        // The reader gets the error. Without a reader it must not end the process.
        response.on('error', () => {});
        resolve({ status: response.statusCode ?? 0, headers: readHeaders(response), body: response });
      })
      .on('error', (error) => {
        // A body without a length would seem whole when its connection breaks.
        if (answer && !answer.complete) answer.destroy(error);
        reject(error);
      })
      // A switch to another protocol is neither an answer nor an error.
      .once('close', () => reject(new Error('socket hang up')));
    if (body === undefined || body instanceof Uint8Array) outgoing.end(body);
    else pipeline(Readable.from(body.open()), outgoing, () => {});
  });
}

/** One text for each name. Node reads headers as Latin-1; servers write UTF-8. */
function readHeaders({ headersDistinct }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headersDistinct).map(([name, values = []]) => [
      name,
      Buffer.from(values.join(', '), 'latin1').toString(),
    ]),
  );
}
