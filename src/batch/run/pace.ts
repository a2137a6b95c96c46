import { setTimeout as sleep } from 'node:timers/promises';
import { ImggenError } from '../../errors.ts';
import type { Pace } from '../../generate/services.ts';

/** Who is asked to wait for longer than this, in milliseconds, would rather hear of it. */
const patienceMs = 600_000;
/** The longest that a timer holds. */
const timerMs = 2 ** 31 - 1;

/** A job whose turn never came, or not again after a refusal: nothing of it was processed. */
export class NotBegun extends ImggenError {}

/**
 * When each generation of a batch may be sent: not more often than the rate, and none while the server has asked
 * anyone to wait. All workers share one, so that a 429 slows every one of them.
 */
export class SharedPace implements Pace {
  readonly #intervalMs: number;
  readonly #stop: AbortController;
  /** When the next turn is, by `performance.now()`. */
  #nextAt = 0;
  /** Counts the holds: whoever waited through one takes a new turn, in order. */
  #holds = 0;
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
    for (let holds = -1; holds !== this.#holds;) {
      holds = this.#holds;
      const mine = Math.max(performance.now(), this.#nextAt);
      this.#nextAt = mine + this.#intervalMs;
      await this.#until(mine, holds);
    }
  }

  /** Nobody has a turn for `waitMs` milliseconds; for more than ten minutes of them the batch stops instead. */
  hold(waitMs: number): void {
    if (waitMs > patienceMs)
      this.#stop.abort(
        new NotBegun('incomplete', `the server asks to wait for ${Math.round(waitMs / 60_000)} minutes`),
      );
    this.#heldUntil = Math.max(this.#heldUntil, performance.now() + waitMs);
    this.#nextAt = this.#heldUntil;
    this.#holds += 1;
  }

  /** Waits for a time, or for less when a hold makes it out of date. */
  async #until(at: number, holds: number): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      signal.throwIfAborted();
      const waitMs = at - performance.now();
      if (waitMs <= 0 || holds !== this.#holds) return;
      await sleep(Math.min(waitMs, timerMs), undefined, { signal }).catch(() => {});
    }
  }
}
