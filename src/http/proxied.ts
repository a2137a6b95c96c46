import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { connectTimeoutMs, type Exchange, type Incoming, maxHeaderSize, type Outgoing } from './exchange.ts';
import { readHeaders } from './headers.ts';
import type { TellingProxyAgent, Told } from './undici.ts';

/** undici's parser is WebAssembly, which V8 would optimise for longer than a run takes; Node 24 needs the last two. */
const quickWasm: readonly string[] = ['--liftoff-only', '--no-wasm-tier-up', '--no-wasm-dynamic-tiering'];

type Undici = typeof import('./undici.ts');

/** HTTP through a proxy, with undici, which is loaded for it. */
export class ProxiedExchange implements Exchange {
  readonly #proxy: string;
  #undici: Promise<Undici> | undefined;
  #kept: TellingProxyAgent | undefined;

  /** @param proxy its http(s) URL */
  constructor(proxy: string) {
    this.#proxy = proxy;
  }

  async send({ method, url, headers, body, signal, onSent }: Outgoing): Promise<Incoming> {
    const undici = await (this.#undici ??= load());
    signal.throwIfAborted();
    const isKept = method === 'GET';
    const agent = isKept ? (this.#kept ??= this.#agent(undici)) : this.#agent(undici);
    const end = () => void (isKept || agent.destroy().catch(() => {}));
    try {
      const told: Told = { onSent };
      // undici's own limits would cut a slow generation off, whatever --timeout says.
      const limits = { headersTimeout: 0, bodyTimeout: 0 };
      const options = {
        method,
        headers,
        body: body === undefined || body instanceof Uint8Array ? (body ?? null) : Readable.from(body.open()),
        dispatcher: agent,
        reset: !isKept,
        signal,
        ...limits,
        ...told,
      };
      const answer = await orAborted(undici.request(url, options), signal);
      answer.body.on('error', () => {}).once('close', end);
      return { status: answer.statusCode, headers: readHeaders(answer.headers), body: answer.body };
    } catch (error) {
      end();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#kept?.destroy().catch(() => {});
  }

  #agent({ TellingProxyAgent }: Undici): TellingProxyAgent {
    return new TellingProxyAgent({ uri: this.#proxy, connect: { timeout: connectTimeoutMs }, maxHeaderSize });
  }
}

async function load(): Promise<Undici> {
  for (const flag of quickWasm) setFlagsFromString(flag);
  return await import('./undici.ts');
}

/** undici hears of an abort only once it is connected, which a proxy that says nothing puts off for ever. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
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
