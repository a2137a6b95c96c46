import { setTimeout as sleep } from 'node:timers/promises';
import { ImggenError } from '../../errors.ts';
import type { Pace } from '../../generate/services.ts';

/** A longer wait than this, in milliseconds, ends the batch. */
const patienceMs = 600_000;
/** The longest that a timer holds. */
const timerMs = 2 ** 31 - 1;

/** A job whose turn never came, or not again after a refusal: nothing of it was processed. */
export class NotBegun extends ImggenError {}

/**
 * When each generation of a batch may be sent: not more often than the rate, and none while the server has asked for
 * a pause. All jobs share one pace, so that a 429 slows all of them.
 */
export class SharedPace implements Pace {
  readonly #intervalMs: number;
  readonly #stop: AbortController;
  /** When the next turn is, by `performance.now()`. */
  #nextAt = 0;
  /** Counts the holds: a job that waited through one takes a new turn, in order. */
  #holds = 0;
  /** No turn comes before this time. */
  #heldUntil = 0;

  /**
   * @param intervalMs the least time between two turns, in milliseconds; 0 for none
   * @param stop ends the waiting; no turn comes after it
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

  /** No turn comes for `waitMs` milliseconds, which never shortens a longer hold; for more than ten minutes the batch stops instead. */
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

/** How many images a batch may still ask for: `--max-images` is a hard limit. */
export class Budget {
  #left: number;

  /** @param images from 0; Infinity for no limit */
  constructor(images: number) {
    this.#left = images;
  }

  /** Takes `images` out of the budget; false, and nothing taken, when not enough are left. */
  take(images: number): boolean {
    if (images > this.#left) return false;
    this.#left -= images;
    return true;
  }

  /** Puts back images that surely were not generated. */
  giveBack(images: number): void {
    this.#left += images;
  }
}

/** Reads `--rate`: `30/min`, `2/s`. Returns the time between two generations, in milliseconds; undefined for anything else. */
export function parseRate(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\/(s|min|h)$/.exec(text.trim()) ?? [];
  const intervalMs = { s: 1000, min: 60_000, h: 3_600_000 }[unit as 's' | 'min' | 'h'] / Number(amount);
  return Number.isFinite(intervalMs) ? intervalMs : undefined;
}
