/** What a walker wants next of the stream: the next bytes as its answer, to skip bytes, or to skip up to a byte. */
export type Step = { take: number } | { skip: number } | { until: number };

/** A walker reads a format's structure as straight code; it returns when the image is whole. */
export type Walker = Generator<Step, void, Buffer>;

/** The most bytes that a walker gets at once. */
export const takeLimit = 4096;
const nothing = Buffer.alloc(0);

/** Drives a walker with chunks cut anywhere. */
export class Walk {
  readonly #walker: Walker;
  /** Undefined once the walker has returned. */
  #step: Step | undefined;
  /** How many bytes the step still takes or skips. */
  #left = 0;
  #taken: Buffer = nothing;

  constructor(walker: Walker) {
    this.#walker = walker;
    this.#advance();
  }

  /** Whether the walker has seen the end of the image. */
  get done(): boolean {
    return this.#step === undefined;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; this.#step !== undefined && at < chunk.length;) {
      if ('until' in this.#step) {
        at = chunk.indexOf(this.#step.until, at);
        if (at === -1) return;
        this.#advance();
        continue;
      }
      const piece = chunk.subarray(at, at + this.#left);
      if ('take' in this.#step) this.#taken = Buffer.concat([this.#taken, piece]);
      at += piece.length;
      this.#left -= piece.length;
      if (this.#left === 0) this.#advance();
    }
  }

  /** Moves to the next step that needs bytes. A broken file may make a walker ask for less than none. */
  #advance(): void {
    do {
      const { value } = this.#walker.next(this.#taken);
      this.#taken = nothing;
      this.#step = value ?? undefined;
      if (!value || 'until' in value) return;
      this.#left = Math.max(0, 'take' in value ? Math.min(value.take, takeLimit) : value.skip);
    } while (this.#left === 0);
  }
}
