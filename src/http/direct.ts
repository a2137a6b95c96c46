import * as http from 'node:http';
import type { LookupFunction, OnReadOpts, Socket } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { urlToHttpOptions } from 'node:url';
import { connectTimeoutMs, type Exchange, type Incoming, maxHeaderSize, type Outgoing } from './exchange.ts';
import { readHeaders } from './headers.ts';

/**
 * How much is read at once, in bytes. A download is written as it comes, the more the better. An answer to a POST may be
 * text with images in it, whose reader is quickest with what the processor's cache holds.
 */
const readSizes = { GET: 256 * 1024, POST: 64 * 1024 };
/** What happens to a kept connection that the server closed just as it was used again. */
const staleCodes: readonly (string | undefined)[] = ['ECONNRESET', 'EPIPE'];

/** What an agent hands on to createConnection, besides what Node takes. */
interface ConnectOptions extends http.ClientRequestArgs {
  ended: AbortSignal;
}

/** An agent as its documentation has it: it may give a connection later. */
type Patient = Omit<http.Agent, 'createConnection'> & {
  createConnection: (options: ConnectOptions, done: (error: Error | null, socket?: Socket) => void) => void;
};

/** HTTP straight to the server, with Node's own client: nothing else starts as quickly. */
export class DirectExchange implements Exchange {
  readonly #lookup: LookupFunction | undefined;
  readonly #agents = new Map<string, http.Agent>();

  /** @param lookup in place of the system's look-up of names */
  constructor(lookup?: LookupFunction) {
    this.#lookup = lookup;
  }

  async send(outgoing: Outgoing): Promise<Incoming> {
    const { method, headers, signal } = outgoing;
    const url = new URL(outgoing.url);
    const client = url.protocol === 'https:' ? await import('node:https') : http;
    const options: ConnectOptions = {
      ...urlToHttpOptions(url),
      // The name and password of a URL are not sent.
      auth: null,
      method,
      headers,
      maxHeaderSize,
      // Whatever NODE_OPTIONS says.
      insecureHTTPParser: false,
      agent: this.#agent(client, method),
      ...(this.#lookup && { lookup: this.#lookup }),
      ended: signal,
    };
    for (;;) {
      const request = client.request(options);
      try {
        const answer = await answerTo(request, outgoing);
        return { status: answer.statusCode ?? 0, headers: readHeaders(answer.headersDistinct), body: answer };
      } catch (error) {
        const isStale = request.reusedSocket && staleCodes.includes((error as NodeJS.ErrnoException).code);
        if (!isStale || signal.aborted) throw error;
      }
    }
  }

  close(): Promise<void> {
    for (const agent of this.#agents.values()) agent.destroy();
    return Promise.resolve();
  }

  #agent({ Agent }: { Agent: typeof http.Agent }, method: Outgoing['method']): http.Agent {
    const key = `${Agent === http.Agent} ${method}`;
    const known =
      this.#agents.get(key) ?? afterConnecting(new Agent({ keepAlive: method === 'GET' }), readSizes[method]);
    this.#agents.set(key, known);
    return known;
  }
}

/** An agent that gives requests only connections that stand, TLS included: so it is known when something was sent. */
function afterConnecting(agent: http.Agent, readSize: number): http.Agent {
  const connect = agent.createConnection.bind(agent) as unknown as (options: object) => Socket;
  (agent as unknown as Patient).createConnection = (options, done) => {
    const socket = connect({ ...options, onread: intoOneBuffer(readSize, () => socket) });
    whenItStands(socket, options.ended, (error) => (error ? done(error) : done(null, socket)));
  };
  return agent;
}

/**
 * Has a connection read into one buffer, again and again, so that there is less to clean up. The parser of HTTP copies
 * what it keeps.
 */
function intoOneBuffer(size: number, socket: () => Socket): OnReadOpts {
  const callback = (length: number, buffer: Uint8Array) => socket().emit('data', buffer.subarray(0, length));
  return { buffer: Buffer.allocUnsafeSlow(size), callback };
}

/** Calls back once: when a connection stands, or when it has failed, takes too long or is not wanted any more. */
function whenItStands(socket: Socket, ended: AbortSignal, done: (error?: Error) => void): void {
  const stands = 'encrypted' in socket ? 'secureConnect' : 'connect';
  const finish = (error?: Error) => {
    clearTimeout(timer);
    ended.removeEventListener('abort', abort);
    socket.off(stands, succeed).off('error', finish).off('close', closed);
    done(error);
  };
  const succeed = () => finish();
  const closed = () => finish(new Error('it was closed at once'));
  const abort = () => socket.destroy(ended.reason as Error);
  const late = () => socket.destroy(Object.assign(new Error('it did not answer in time'), { code: 'ETIMEDOUT' }));
  const timer = setTimeout(late, connectTimeoutMs);
  ended.addEventListener('abort', abort);
  // The last is for the moment until the request listens.
  socket
    .once(stands, succeed)
    .once('error', finish)
    .once('close', closed)
    .on('error', () => {});
  if (ended.aborted) abort();
}

/** Sends a request and resolves when its answer begins. */
function answerTo(request: http.ClientRequest, { body, signal, onSent }: Outgoing): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    let answer: http.IncomingMessage | undefined;
    const abort = () => void (answer ?? request).destroy(signal.reason as Error);
    signal.addEventListener('abort', abort);
    request
      .once('socket', onSent)
      .once('response', (response) => {
        answer = response;
        // Whoever reads the body is told; until somebody does, an error must not end the process.
        response.on('error', () => {});
        resolve(response);
      })
      .on('error', (error) => {
        // A body without a length would otherwise seem to be whole when its connection breaks.
        if (answer && !answer.complete) answer.destroy(error);
        reject(error);
      })
      .once('close', () => {
        signal.removeEventListener('abort', abort);
        // For an answer that is none, such as a switch to another protocol.
        reject(new Error('it was closed without an answer'));
      });
    if (body === undefined || body instanceof Uint8Array) request.end(body);
    else pipeline(Readable.from(body.open()), request, () => {});
    if (signal.aborted) abort();
  });
}
