/**
 * Ends one exchange early: when the caller's signal aborts, when the whole takes too long, or when the other side stays
 * silent for too long in its turn. Then `signal` aborts with the reason.
 * (AbortSignal.any would do for the first, but on Node 20 it leaks for as long as the caller's signal lives.)
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

  /** Now it is the other side's turn, for at most so many milliseconds, until the next call of this or of `heard`. */
  expect(ms: number, reason: () => Error): void {
    this.heard();
    this.#turn = this.#after(ms, reason);
  }

  /** The other side has said something. */
  heard(): void {
    clearTimeout(this.#turn);
  }

  /** The exchange is over. */
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
