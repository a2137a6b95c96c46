import { setTimeout as sleep } from 'node:timers/promises';
import { ImggenError } from '../errors.ts';
import { publicLookup, refusePrivateLiteral } from './address.ts';
import { DirectExchange } from './direct.ts';
import { toTheLast, watched } from './body.ts';
import { decoded } from './encoding.ts';
import type { Exchange } from './exchange.ts';
import { hintUnknown, NetworkFault, networkFault } from './fault.ts';
import { Limits } from './limits.ts';
import { type Proxies, proxiesOf, proxyFor } from './proxies.ts';
import { retryDelay } from './retry.ts';
import { Silence } from './silence.ts';
import type { Answer, Pace, Trace } from './types.ts';

export interface HttpOptions {
  env: Readonly<Record<string, string | undefined>>;
  /** Ends everything under way; its reason is what the calls then throw. */
  signal: AbortSignal;
  userAgent: string;
  /** Told of each exchange, for `--verbose`. */
  trace: (event: Trace) => void;
  /** Shared by several POSTs; none by default. */
  pace?: Pace | undefined;
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
  /** Told before each repeat: why, and after how many milliseconds. */
  onRetry?: (reason: string, waitMs: number) => void;
}

/** How long a download may say nothing. */
const stallMs = 30_000;
const redirectLimit = 5;
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

/** What holds for one exchange. */
interface ExchangeOptions {
  /** For the whole answer, body included. */
  timeoutMs: number | undefined;
  /** For each silence, before the answer begins and within it. */
  silenceMs: number | undefined;
  publicOnly: boolean;
  onSent: () => void;
}

/** HTTP as imggen needs it: one POST that costs money, and GETs that do not. */
export class Http {
  readonly #options: HttpOptions;
  readonly #proxies: Proxies | undefined;
  /** The ways that are in use, by proxy, or by which addresses they lead to. */
  readonly #ways = new Map<string, Promise<Exchange>>();

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
    const { pace } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      const last = attempt >= options.retries;
      let reason: string;
      let waitMs: number | undefined;
      let isHeld = false;
      await pace?.turn();
      try {
        const answer = await this.#postOnce(url, headers, body, options);
        const isRefused = notProcessed.includes(answer.status);
        const isRepeatable = isRefused || (unknown.includes(answer.status) && options.retryUnknown());
        const retryAfter = answer.headers['retry-after'];
        waitMs = waitBefore(attempt, retryAfter);
        if (isRefused && pace) {
          isHeld = true;
          pace.hold(waitMs);
        }
        // To wait longer than for an answer helps nobody: the user hears of it instead.
        if (last || !isRepeatable || retryDelay(attempt, retryAfter, 1, new Date()) > options.timeoutMs)
          return await read(answer);
        reason = `HTTP ${answer.status}`;
        if (isRefused) options.onSent(false);
        else options.onUnknown();
        answer.abandon();
      } catch (error) {
        if (last || !(error instanceof ImggenError) || !mayRepeat(error, options)) throw error;
        reason = error.message;
        waitMs ??= waitBefore(attempt, undefined);
      }
      options.onRetry?.(reason, waitMs);
      // The pace holds everybody for as long, and ends the wait when there is nothing to wait for any more.
      if (isHeld) this.#tell(url, reason, waitMs);
      else await this.#pause(url, reason, waitMs);
    }
  }

  /** Waits before repeat number `attempt` (from 0). */
  async pause(url: string, reason: string, attempt: number, retryAfter: string | undefined): Promise<void> {
    await this.#pause(url, reason, waitBefore(attempt, retryAfter));
  }

  async #pause(url: string, reason: string, waitMs: number): Promise<void> {
    this.#tell(url, reason, waitMs);
    await this.wait(waitMs);
  }

  #tell(url: string, reason: string, waitMs: number): void {
    this.#options.trace({ kind: 'retry', url, reason, waitMs });
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
    const deadline = timeoutMs === undefined ? undefined : Date.now() + timeoutMs;
    const remaining = () => (deadline === undefined ? undefined : Math.max(0, deadline - Date.now()));
    let current = url;
    for (let redirects = 0; ; redirects += 1) {
      if (!isHttp(current)) throw new ImggenError('bad_answer', `${shortUrl(current)} is not an http(s) URL`);
      if (publicOnly) refusePrivateLiteral(current);
      const silence = { silenceMs: stallMs, timeoutMs: remaining() };
      const answer = await this.#exchange('GET', current, headers, undefined, {
        ...silence,
        publicOnly,
        onSent: () => {},
      });
      const location = answer.headers.location;
      if (answer.status < 300 || answer.status > 399 || location === undefined) return answer;
      await discard(answer);
      if (redirects >= limit)
        throw new ImggenError('bad_answer', `${shortUrl(url)} redirects more than ${limit} times`);
      current = resolveLocation(location, current);
    }
  }

  /** Ends the connections that are kept for more. */
  async close(): Promise<void> {
    await Promise.all([...this.#ways.values()].map(async (way) => (await way).close())).catch(() => {});
  }

  async #postOnce(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    { timeoutMs, onSent }: PostOptions,
  ): Promise<Answer> {
    onSent(false);
    const limits = { timeoutMs, silenceMs: undefined, publicOnly: false };
    return await this.#exchange('POST', url, headers, body, { ...limits, onSent: () => onSent(true) });
  }

  async #exchange(
    method: 'GET' | 'POST',
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string | undefined,
    { timeoutMs, silenceMs, publicOnly, onSent }: ExchangeOptions,
  ): Promise<Answer> {
    const { trace, userAgent, signal } = this.#options;
    const { host } = new URL(url);
    const fate = { sent: false, paid: method === 'POST' };
    const limits = new Limits(signal);
    if (timeoutMs !== undefined) limits.after(timeoutMs, () => limits.end(tooLate(host, timeoutMs, fate)));
    const silence = silenceMs === undefined ? undefined : new Silence(silenceMs, limits, host);
    const fault = (error: unknown): unknown => {
      limits.release();
      signal.throwIfAborted();
      return error instanceof ImggenError ? error : networkFault(error, host, fate);
    };
    const all = { 'user-agent': userAgent, accept: '*/*', 'accept-encoding': 'identity', ...headers };
    trace({ kind: 'request', method, url, headers: all, ...(body === undefined ? {} : { body }) });
    try {
      const way = await this.#way(url, publicOnly);
      const answer = await way.send({
        method,
        url,
        headers: all,
        body,
        signal: limits.signal,
        onSent: () => {
          fate.sent = true;
          onSent();
        },
      });
      trace({ kind: 'response', method, url, status: answer.status, headers: answer.headers });
      silence?.heard();
      const bytes = await decoded(toTheLast(answer.body), answer.headers['content-encoding']);
      const end = () => limits.release();
      return {
        status: answer.status,
        headers: answer.headers,
        body: watched(bytes, { silence, translate: fault, end }),
        abandon: () => {
          end();
          answer.body.destroy();
        },
      };
    } catch (error) {
      throw fault(error);
    }
  }

  #way(url: string, publicOnly: boolean): Promise<Exchange> {
    const proxy = this.#proxies && proxyFor(url, this.#proxies);
    const key = proxy ?? (publicOnly ? 'public' : 'anywhere');
    const way = this.#ways.get(key) ?? openWay(proxy, publicOnly);
    this.#ways.set(key, way);
    return way;
  }
}

/** Most have no proxy, and do not load what one needs. */
async function openWay(proxy: string | undefined, publicOnly: boolean): Promise<Exchange> {
  if (proxy === undefined) return new DirectExchange(publicOnly ? publicLookup : undefined);
  const { ProxiedExchange } = await import('./proxied.ts');
  return new ProxiedExchange(proxy);
}

/** Whether a try that failed may be repeated: surely when it never left, else by the user's choice. */
function mayRepeat(error: ImggenError, { retryUnknown, onUnknown }: PostOptions): boolean {
  if (error instanceof NetworkFault && !error.sent) return error.passing;
  const isUnknown = error instanceof NetworkFault || error.code === 'bad_answer';
  if (!isUnknown || !retryUnknown()) return false;
  onUnknown();
  return true;
}

function waitBefore(attempt: number, retryAfter: string | undefined): number {
  return retryDelay(attempt, retryAfter, Math.random(), new Date());
}

/** The whole answer has not come in time. A GET costs nothing, and can be repeated. */
function tooLate(host: string, timeoutMs: number, { sent, paid }: { sent: boolean; paid: boolean }): NetworkFault {
  const hint = sent ? hintUnknown : 'allow more: --timeout; nothing was sent';
  const message = `${host} did not answer within ${timeoutMs / 1000} s`;
  return new NetworkFault('timeout', message, { hint: paid ? hint : undefined, sent, passing: !paid });
}

async function discard({ body }: Answer): Promise<void> {
  for await (const _ of body) break;
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
