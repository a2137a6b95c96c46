import { ImggenError } from '../errors.ts';
import type { Limits } from './limits.ts';

/** Ends an exchange in which the server says nothing for too long. What its reader takes does not count. */
export class Silence {
  readonly #timer: NodeJS.Timeout;
  #isHeard = false;
  #isWaiting = true;

  constructor(ms: number, limits: Limits, host: string) {
    this.#timer = limits.after(ms, () => {
      if (!this.#isWaiting) return;
      const seconds = ms / 1000;
      const never = new ImggenError('network', `${host} did not answer within ${seconds} s`);
      limits.end(this.#isHeard ? new Error(`it said nothing for ${seconds} s`) : never);
    });
  }

  /** The server has said something. */
  heard(): void {
    this.#isHeard = true;
    this.#isWaiting = false;
  }

  /** It is its turn again. */
  listen(): void {
    this.#isWaiting = true;
    this.#timer.refresh();
  }
}
