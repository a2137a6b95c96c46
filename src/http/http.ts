import { setTimeout as sleep } from 'node:timers/promises';
import { ImggenError } from '../errors.ts';
import { publicLookup, refusePrivateLiteral } from './address.ts';
import { decoded } from './body.ts';
import type { Route } from './connect.ts';
import { exchange, type Incoming, type RequestBody } from './exchange.ts';
import { networkFault, ProxyFault } from './fault.ts';
import { Limits } from './limits.ts';
import { type Proxies, proxiesOf, proxyFor } from './proxies.ts';
import type { Answer, Trace } from './types.ts';

export interface HttpOptions {
  env: Readonly<Record<string, string | undefined>>;
  /** Ends everything under way; the calls throw its reason. */
  signal: AbortSignal;
  userAgent: string;
  /** Called for each step, for `--verbose`. */
  trace: (event: Trace) => void;
  /** How long a connection may take to stand, TLS and a proxy included, in milliseconds: 15 s. */
  connectMs?: number;
  /** How long the server of a GET may be silent, in milliseconds: 30 s. */
  stallMs?: number;
}

export interface GetOptions {
  /** How many redirects are followed: 5. */
  redirects?: number;
  /** Refuses hosts on this machine or its network, also behind a redirect or a name. */
  publicOnly?: boolean;
  /** The limit for the whole answer, in milliseconds; none by default. */
  timeoutMs?: number;
}

/** HTTP as imggen needs it: one POST that costs money, and GETs that do not. */
export class Http {
  readonly #options: HttpOptions;
  readonly #proxies: Proxies | undefined;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#proxies = proxiesOf(options.env);
  }

  /**
   * Sends a POST, once, and returns the start of its answer, of any status. Redirects are not followed: they would
   * carry the key elsewhere. Throws ImggenError, whose `charged` is `no` if the request had not left.
   *
   * @param timeoutMs the limit for the whole answer, body included, in milliseconds
   */
  async post(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: RequestBody,
    timeoutMs: number,
  ): Promise<Answer> {
    return await this.#exchange('POST', url, headers, body, { timeoutMs, publicOnly: false });
  }

  /** Waits before a request is repeated. */
  async pause(url: string, reason: string, waitMs: number): Promise<void> {
    this.tellRetry(url, reason, waitMs);
    await this.wait(waitMs);
  }

  /** Shows with --verbose why a request is repeated, and after how many milliseconds. */
  tellRetry(url: string, reason: string, waitMs: number): void {
    this.#options.trace({ kind: 'retry', url, reason, waitMs });
  }

  /** Waits; throws the signal's reason when that comes first. */
  async wait(waitMs: number): Promise<void> {
    const { signal } = this.#options;
    await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }

  /**
   * Gets a URL, following redirects to http(s) only. The headers go to every host on the way: with a key among them,
   * `redirects` must be 0. Throws ImggenError: `download_failed` for a redirect that leads nowhere.
   */
  async get(url: string, headers: Readonly<Record<string, string>> = {}, options: GetOptions = {}): Promise<Answer> {
    const { redirects: limit = 5, publicOnly = false, timeoutMs } = options;
    const deadline = timeoutMs === undefined ? undefined : Date.now() + timeoutMs;
    const remaining = () => (deadline === undefined ? undefined : Math.max(0, deadline - Date.now()));
    let current = url;
    for (let redirects = 0; ; redirects += 1) {
      if (!isHttp(current)) throw new ImggenError('download_failed', `${shortUrl(current)} is not an http(s) URL`);
      if (publicOnly) refusePrivateLiteral(current);
      const limits = { timeoutMs: remaining(), publicOnly };
      const answer = await this.#exchange('GET', current, headers, undefined, limits);
      const location = answer.headers.location;
      if (answer.status < 300 || answer.status > 399 || location === undefined) return answer;
      answer.abandon();
      current = resolveLocation(location, current);
      if (redirects < limit) continue;
      const how = limit > 0 ? `more than ${limit} times` : `to ${shortUrl(current)}, which is not followed`;
      throw new ImggenError('download_failed', `${shortUrl(url)} redirects ${how}`);
    }
  }

  async #exchange(
    method: 'GET' | 'POST',
    url: string,
    headers: Readonly<Record<string, string>>,
    body: RequestBody | undefined,
    { timeoutMs, publicOnly }: { timeoutMs: number | undefined; publicOnly: boolean },
  ): Promise<Answer> {
    const { trace, userAgent, signal, connectMs = 15_000, stallMs = 30_000 } = this.#options;
    const { host } = new URL(url);
    const state = { sent: false, method };
    const limits = new Limits(signal);
    const fault = (error: unknown): unknown => {
      limits.release();
      if (signal.aborted) return state.sent ? signal.reason : unsent(signal.reason);
      const cause: unknown = limits.signal.aborted && !(error instanceof ProxyFault) ? limits.signal.reason : error;
      return cause instanceof ImggenError ? cause : networkFault(cause, host, state);
    };
    /** Waits for the server. A generation may be silent until the limit for its whole answer. */
    const listen = (reason: () => Error) => {
      limits.heard();
      if (method === 'GET') limits.expect(stallMs, reason);
    };
    if (timeoutMs !== undefined) limits.limit(timeoutMs, () => tooLate(host, timeoutMs, state.sent));
    limits.expect(connectMs, () => Object.assign(new Error('connect timed out'), { code: 'ETIMEDOUT' }));
    const length = body && !(body instanceof Uint8Array) ? { 'content-length': String(body.length) } : {};
    const all = { 'user-agent': userAgent, accept: '*/*', 'accept-encoding': 'identity', ...headers, ...length };
    trace({ kind: 'request', method, url, headers: all, ...(body === undefined ? {} : { body }) });
    try {
      const onSent = () => {
        state.sent = true;
        listen(() => new ImggenError('network', `${host} did not answer within ${stallMs / 1000} s`));
      };
      const outgoing = { method, url, headers: all, body, signal: limits.signal, onSent };
      const answer = await exchange(outgoing, this.#route(url, publicOnly));
      limits.heard();
      trace({ kind: 'response', method, url, status: answer.status, headers: answer.headers });
      const abandon = () => {
        limits.release();
        answer.body.destroy();
      };
      return { url, status: answer.status, headers: answer.headers, body: read(answer), abandon };
    } catch (error) {
      throw fault(error);
    }

    async function* read({ body, headers }: Incoming): AsyncGenerator<Uint8Array, void> {
      const silent = () => new Error(`it said nothing for ${stallMs / 1000} s`);
      try {
        listen(silent);
        for await (const bytes of decoded(body, headers['content-encoding'])) {
          // The time that the reader takes does not count.
          limits.heard();
          yield bytes;
          listen(silent);
        }
      } catch (error) {
        throw fault(error);
      } finally {
        limits.release();
        body.destroy();
      }
    }
  }

  #route(url: string, publicOnly: boolean): Route {
    return { proxy: this.#proxies && proxyFor(url, this.#proxies), lookup: publicOnly ? publicLookup() : undefined };
  }
}

/** The interruption of a request that had not left. */
function unsent(reason: unknown): unknown {
  return reason instanceof ImggenError ? new ImggenError(reason.code, reason.message, { charged: 'no' }) : reason;
}

/** The whole answer has not come in time. */
function tooLate(host: string, timeoutMs: number, isSent: boolean): ImggenError {
  return new ImggenError('timeout', `${host} did not answer within ${timeoutMs / 1000} s`, {
    hint: isSent ? undefined : 'allow more: --timeout; nothing was sent',
    charged: isSent ? 'maybe' : 'no',
  });
}

function isHttp(url: string): boolean {
  return /^https?:\/\//i.test(url) && URL.canParse(url);
}

function resolveLocation(location: string, base: string): string {
  return URL.canParse(location, base) ? new URL(location, base).href : location;
}

/** A URL for messages: without its query, which may be a signature. */
export function shortUrl(url: string): string {
  const [start = ''] = url.split(/[?#]/, 1);
  return start.length > 100 ? `${start.slice(0, 100)}…` : start;
}
