import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import type { LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { ImggenError } from '../errors.ts';
import { isLoopbackHost, publicLookup, refusePrivateLiteral } from './address.ts';
import { decoded } from './encoding.ts';
import { hintUnknown, NetworkFault, networkFault } from './fault.ts';
import { type Proxies, proxiesOf } from './proxies.ts';
import { retryDelay } from './retry.ts';
import type { Answer, Trace } from './types.ts';

export interface HttpOptions {
  env: Readonly<Record<string, string | undefined>>;
  /** Ends everything under way; its reason is what the calls then throw. */
  signal: AbortSignal;
  userAgent: string;
  /** Told of each exchange, for `--verbose`. */
  trace: (event: Trace) => void;
}

export interface PostOptions {
  /** The limit for the whole answer, body included, in milliseconds. */
  timeoutMs: number;
  /** How often a request that surely was not processed is repeated. */
  retries: number;
  /** The user's own choice to repeat also what may have been processed; asked when it comes to that. */
  retryUnknown: () => boolean;
  /** Told whether the present try may have been processed: from the request's first byte on, until it is refused. */
  onSent: (sent: boolean) => void;
  /** Told when a try that may have been processed is repeated. */
  onUnknown: () => void;
}

const connectTimeoutMs = 15_000;
/** How long a download may say nothing. */
const stallMs = 30_000;
const redirectLimit = 5;
/** Of an answer, in bytes. */
const maxHeaderSize = 64 * 1024;
/** undici's parser is WebAssembly, which V8 would optimise for longer than a run takes; Node 24 needs the last two. */
const quickWasm: readonly string[] = ['--liftoff-only', '--no-wasm-tier-up', '--no-wasm-dynamic-tiering'];
/** Statuses by which a server says that it did not take the request. */
const notProcessed: readonly number[] = [429, 503];
/** Statuses that leave it open. */
const unknown: readonly number[] = [500, 502, 504];

export interface GetOptions {
  /** How many redirects are followed: 5. */
  redirects?: number;
  /** Refuses hosts that are on this machine or its network, also behind a redirect or a name. */
  publicOnly?: boolean;
  /** The limit for the whole answer, in milliseconds; none by default. */
  timeoutMs?: number;
}

/** The HTTP client, once it is loaded. */
interface Client {
  request: typeof import('./undici.ts').request;
  anywhere: Dispatcher;
  /** For this machine itself. */
  loopback: Dispatcher;
  publicOnly: Dispatcher;
}

/** HTTP as imggen needs it: one POST that costs money, and GETs that do not. */
export class Http {
  readonly #options: HttpOptions;
  readonly #proxies: Proxies | undefined;
  #client: Promise<Client> | undefined;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#proxies = proxiesOf(options.env);
  }

  /**
   * Sends a generation and has its answer read: any HTTP status is an answer. It is repeated only when it surely was
   * not processed: no connection, 429, 503. Redirects are not followed, they would carry the key elsewhere.
   * Throws NetworkFault, and what `read` throws.
   */
  async post<T>(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    options: PostOptions,
    read: (answer: Answer) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      const last = attempt >= options.retries;
      let reason: string;
      let retryAfter: string | undefined;
      try {
        const answer = await this.#postOnce(url, headers, body, options);
        const isRefused = notProcessed.includes(answer.status);
        const isRepeatable = isRefused || (unknown.includes(answer.status) && options.retryUnknown());
        retryAfter = answer.headers['retry-after'];
        // To wait longer than for an answer helps nobody: the user hears of it instead.
        if (last || !isRepeatable || retryDelay(attempt, retryAfter, 1, new Date()) > options.timeoutMs) return await read(answer);
        reason = `HTTP ${answer.status}`;
        if (isRefused) options.onSent(false);
        else options.onUnknown();
        await discard(answer).catch(() => {});
      } catch (error) {
        if (last || !(error instanceof ImggenError) || !mayRepeat(error, options)) throw error;
        reason = error.message;
      }
      await this.pause(url, reason, attempt, retryAfter);
    }
  }

  /** Waits before repeat number `attempt` (from 0). */
  async pause(url: string, reason: string, attempt: number, retryAfter: string | undefined): Promise<void> {
    const waitMs = retryDelay(attempt, retryAfter, Math.random(), new Date());
    this.#options.trace({ kind: 'retry', url, reason, waitMs });
    await this.wait(waitMs);
  }

  /** Waits; throws the signal's reason when that comes first. */
  async wait(waitMs: number): Promise<void> {
    const { signal } = this.#options;
    await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }

  /**
   * Gets a URL, following redirects to http(s) only. The headers go to every host on the way: with a key among them,
   * `redirects` must be 0. Throws NetworkFault, or ImggenError `bad_answer` for a redirect that leads nowhere.
   */
  async get(url: string, headers: Readonly<Record<string, string>> = {}, options: GetOptions = {}): Promise<Answer> {
    const { redirects: limit = redirectLimit, publicOnly = false, timeoutMs } = options;
    const signals = [this.#options.signal, ...(timeoutMs === undefined ? [] : [AbortSignal.timeout(Math.max(0, timeoutMs))])];
    let current = url;
    for (let redirects = 0; ; redirects += 1) {
      if (!isHttp(current)) throw new ImggenError('bad_answer', `${shortUrl(current)} is not an http(s) URL`);
      if (publicOnly) refusePrivateLiteral(current);
      const answer = await this.#exchange('GET', current, headers, undefined, {
        headersTimeout: stallMs,
        bodyTimeout: stallMs,
        signal: AbortSignal.any(signals),
        publicOnly,
      });
      const location = answer.headers.location;
      if (answer.status < 300 || answer.status > 399 || location === undefined) return answer;
      await discard(answer);
      if (redirects >= limit) throw new ImggenError('bad_answer', `${shortUrl(url)} redirects more than ${limit} times`);
      current = resolveLocation(location, current);
    }
  }

  /** Ends the connections that are kept for more. */
  async close(): Promise<void> {
    await this.#client?.then(({ anywhere, loopback, publicOnly }) => Promise.all([anywhere, loopback, publicOnly].map((each) => each.destroy()))).catch(() => {});
  }

  async #postOnce(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    { timeoutMs, onSent }: PostOptions,
  ): Promise<Answer> {
    const timer = new AbortController();
    const timeout = setTimeout(() => timer.abort(), timeoutMs);
    const watch = watchSending(url, onSent);
    const host = new URL(url).host;
    const fail = (error: unknown): unknown => {
      this.#options.signal.throwIfAborted();
      if (!timer.signal.aborted) return error;
      return new NetworkFault('timeout', `${host} did not answer within ${timeoutMs / 1000} s`, {
        hint: watch.sent() ? hintUnknown : 'allow more: --timeout; nothing was sent',
        sent: watch.sent(),
        passing: false,
      });
    };
    const end = () => {
      clearTimeout(timeout);
      watch.stop();
    };
    try {
      const answer = await this.#exchange('POST', url, headers, body, {
        // undici's own limits would cut a slow generation off, whatever --timeout says.
        headersTimeout: 0,
        bodyTimeout: 0,
        signal: AbortSignal.any([this.#options.signal, timer.signal]),
        publicOnly: false,
        sent: watch.sent,
      });
      return { ...answer, body: guarded(answer.body, fail, end) };
    } catch (error) {
      end();
      throw fail(error);
    }
  }

  async #exchange(
    method: 'GET' | 'POST',
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string | undefined,
    limits: { headersTimeout: number; bodyTimeout: number; signal: AbortSignal; publicOnly: boolean; sent?: () => boolean },
  ): Promise<Answer> {
    const { trace, userAgent, signal } = this.#options;
    const { host } = new URL(url);
    const { request, anywhere, loopback, publicOnly } = await this.#load();
    let responded = false;
    const fault = (error: unknown) => {
      signal.throwIfAborted();
      if (error instanceof ImggenError) return error;
      return networkFault(error, host, { sent: responded || limits.sent?.() === true, paid: method === 'POST' });
    };
    const all = { 'user-agent': userAgent, accept: '*/*', 'accept-encoding': 'identity', ...headers };
    trace({ kind: 'request', method, url, headers: all, ...(body === undefined ? {} : { body }) });
    const silence = new AbortController();
    const silent = () => silence.abort(new NetworkFault('network', `${host} did not answer within ${limits.headersTimeout / 1000} s`, { sent: true }));
    const timer = limits.headersTimeout > 0 ? setTimeout(silent, limits.headersTimeout) : undefined;
    const ended = AbortSignal.any([limits.signal, silence.signal]);
    try {
      const answer = request(url, {
        method,
        headers: all,
        body: body ?? null,
        dispatcher: limits.publicOnly ? publicOnly : isLoopbackHost(url) ? loopback : anywhere,
        headersTimeout: 0,
        bodyTimeout: limits.bodyTimeout,
        signal: ended,
        // A connection that is used once cannot have been closed by the server in the meantime.
        reset: method === 'POST',
      });
      const response = await orAborted(answer, ended);
      responded = true;
      const received = flat(response.headers);
      trace({ kind: 'response', method, url, status: response.statusCode, headers: received });
      const bytes = await decoded(toTheLast(response.body), received['content-encoding']);
      return { status: response.statusCode, headers: received, body: guarded(bytes, fault, () => {}) };
    } catch (error) {
      throw fault(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #load(): Promise<Client> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  async #connect(): Promise<Client> {
    for (const flag of quickWasm) setFlagsFromString(flag);
    const { request, Agent, EnvHttpProxyAgent } = await import('./undici.ts');
    const proxies = this.#proxies;
    const agent = (lookup?: LookupFunction): Dispatcher => {
      const options = { connect: { timeout: connectTimeoutMs, ...(lookup && { lookup }) }, maxHeaderSize };
      return proxies ? new EnvHttpProxyAgent({ ...options, ...proxies }) : new Agent(options);
    };
    const anywhere = agent();
    // A proxy has no business between this machine and itself.
    const loopback = proxies ? new Agent({ maxHeaderSize }) : anywhere;
    return { request, anywhere, loopback, publicOnly: agent(publicLookup) };
  }
}

/** Whether a try that failed may be repeated: surely when it never left, else by the user's choice. */
function mayRepeat(error: ImggenError, { retryUnknown, onUnknown }: PostOptions): boolean {
  if (error instanceof NetworkFault && !error.sent) return error.passing;
  const isUnknown = error instanceof NetworkFault || error.code === 'bad_answer';
  if (!isUnknown || !retryUnknown()) return false;
  onUnknown();
  return true;
}

/** Says whether the POST's headers were written to a connection: from then on its fate is unknown. */
function watchSending(url: string, onSent: (sent: boolean) => void): { sent: () => boolean; stop: () => void } {
  const { pathname, search } = new URL(url);
  let sent = false;
  onSent(false);
  const onHeaders = (message: unknown) => {
    const { request } = message as { request: { method: string; path: string } };
    // Through a proxy for plain http the path is the whole URL.
    if (request.method !== 'POST' || !request.path.endsWith(pathname + search)) return;
    sent = true;
    onSent(true);
  };
  subscribe('undici:client:sendHeaders', onHeaders);
  return { sent: () => sent, stop: () => unsubscribe('undici:client:sendHeaders', onHeaders) };
}

/** undici hears of an abort only once it is connected, which a proxy that says nothing puts off for ever. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let abort = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason);
  });
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** A body whose errors are translated, and whose end is told of. */
async function* guarded(
  body: AsyncIterable<Uint8Array>,
  translate: (error: unknown) => unknown,
  end: () => void,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body;
  } catch (error) {
    throw translate(error);
  } finally {
    end();
  }
}

/** A stream that breaks forgets what of it waits to be read; here that comes first. */
async function* toTheLast(body: Readable): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body;
  } catch (error) {
    for (let rest = body.read() as Uint8Array | null; rest !== null; rest = body.read() as Uint8Array | null) yield rest;
    throw error;
  }
}

async function discard({ body }: Answer): Promise<void> {
  for await (const _ of body) break;
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]));
}

function isHttp(url: string): boolean {
  return /^https?:\/\//i.test(url) && URL.canParse(url);
}

function resolveLocation(location: string, base: string): string {
  return URL.canParse(location, base) ? new URL(location, base).href : location;
}

/** A URL as it is shown: without its query, which often carries a signature. */
export function shortUrl(url: string): string {
  const [start = ''] = url.split(/[?#]/, 1);
  return start.length > 100 ? `${start.slice(0, 100)}…` : start;
}
