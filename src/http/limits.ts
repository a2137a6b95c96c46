/**
 * Ends one exchange early: its `signal` aborts with the caller's signal, after the limit for the whole, or when the
 * server is silent for too long. (On Node 20, AbortSignal.any leaks as long as the caller's signal lives.)
 */
export class Limits {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal;
  #whole: NodeJS.Timeout | undefined;
  #turn: NodeJS.Timeout | undefined;

  constructor(caller: AbortSignal) {
    this.#caller = caller;
    caller.addEventListener('abort', this.#follow);
    if (caller.aborted) this.#follow();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Limits the whole exchange, in milliseconds. */
  limit(ms: number, reason: () => Error): void {
    this.#whole = this.#after(ms, reason);
  }

  /** Limits the silence from now on, in milliseconds, until the next call of this or of `heard`. */
  expect(ms: number, reason: () => Error): void {
    this.heard();
    this.#turn = this.#after(ms, reason);
  }

  heard(): void {
    clearTimeout(this.#turn);
  }

  /** Ends all limits: the exchange is over. */
  release(): void {
    this.#caller.removeEventListener('abort', this.#follow);
    clearTimeout(this.#whole);
    clearTimeout(this.#turn);
  }

  readonly #follow = (): void => this.#controller.abort(this.#caller.reason);

  /** The timer keeps no process alive. */
  #after(ms: number, reason: () => Error): NodeJS.Timeout {
    return setTimeout(() => this.#controller.abort(reason()), ms).unref();
  }
}
