/**
 * What ends one exchange before its time: somebody's signal, or a limit. Its own signal then has the reason.
 * (AbortSignal.any would do it, but Node 20 never forgets what follows a signal that lives long.)
 */
export class Limits {
  readonly #controller = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #followed: AbortSignal;
  readonly #follow = (): void => this.end(this.#followed.reason);

  constructor(followed: AbortSignal) {
    this.#followed = followed;
    followed.addEventListener('abort', this.#follow);
    if (followed.aborted) this.#follow();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** Calls back after so many milliseconds; the timer may be started again. It keeps no process alive. */
  after(ms: number, callback: () => void): NodeJS.Timeout {
    const timer = setTimeout(callback, ms).unref();
    this.#timers.push(timer);
    return timer;
  }

  /** The exchange is over. */
  release(): void {
    this.#followed.removeEventListener('abort', this.#follow);
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
