import { setTimeout as sleep } from 'node:timers/promises';
import { ImggenError } from '../errors.ts';
import type { Pace } from '../transport/types.ts';

/** Who is asked to wait for longer than this, in milliseconds, would rather hear of it. */
const patienceMs = 600_000;

/** A job whose turn never came: nothing of it was sent. */
export class NotBegun extends ImggenError {}

/**
 * When each generation of a batch may be sent: not more often than the rate, and none while the server has asked
 * anyone to wait. All workers share one, so that a 429 slows every one of them.
 */
export class SharedPace implements Pace {
  readonly #intervalMs: number;
  readonly #stop: AbortController;
  /** When the next turn of the rate is, by `performance.now()`. */
  #nextAt = 0;
  /** Nobody has a turn before. */
  #heldUntil = 0;

  /**
   * @param intervalMs the least time between two turns, in milliseconds; 0 for none
   * @param stop ends the waiting; nobody has a turn after it
   */
  constructor(intervalMs: number, stop: AbortController) {
    this.#intervalMs = intervalMs;
    this.#stop = stop;
  }

  /** Resolves when a generation may be sent. Throws the signal's reason, a NotBegun, when the batch has stopped. */
  async turn(): Promise<void> {
    const mine = Math.max(performance.now(), this.#nextAt);
    this.#nextAt = mine + this.#intervalMs;
    for (let at = mine; ; at = this.#heldUntil) {
      this.#stop.signal.throwIfAborted();
      const waitMs = Math.max(at, this.#heldUntil) - performance.now();
      if (waitMs <= 0) return;
      await sleep(waitMs, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  /** Nobody has a turn for `waitMs` milliseconds; for more than ten minutes of them the batch stops instead. */
  hold(waitMs: number): void {
    if (waitMs > patienceMs) this.#stop.abort(new NotBegun('incomplete', `the server asks to wait for ${Math.round(waitMs / 60_000)} minutes`));
    this.#heldUntil = Math.max(this.#heldUntil, performance.now() + waitMs);
  }
}
