/** What a walker wants next of the stream of bytes. */
export type Step =
  /** The next `count` bytes, as its answer. */
  | { take: number }
  /** To pass over `count` bytes. */
  | { skip: number }
  /** To pass over everything up to the first `byte`, which is next then. */
  | { until: number };

/** A walker reads a format's structure as straight code; it returns when the image is whole. */
export type Walker = Generator<Step, void, Buffer>;

/** The most that a walker may ask to see at once. */
export const takeLimit = 4096;
const nothing = Buffer.alloc(0);

/** Drives a walker with chunks cut anywhere. */
export class Walk {
  readonly #walker: Walker;
  #step: Step | undefined;
  #taken: Buffer = nothing;
  #toSkip = 0;

  constructor(walker: Walker) {
    this.#walker = walker;
    this.#advance(nothing);
  }

  /** Whether the walker has seen the end of the image. */
  get done(): boolean {
    return this.#step === undefined;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (this.#step !== undefined && at < chunk.length) {
      if ('skip' in this.#step) {
        const count = Math.min(this.#toSkip, chunk.length - at);
        at += count;
        this.#toSkip -= count;
        if (this.#toSkip === 0) this.#advance(nothing);
      } else if ('until' in this.#step) {
        const found = chunk.indexOf(this.#step.until, at);
        at = found === -1 ? chunk.length : found;
        if (found !== -1) this.#advance(nothing);
      } else {
        const count = Math.min(this.#step.take - this.#taken.length, chunk.length - at);
        this.#taken = Buffer.concat([this.#taken, chunk.subarray(at, at + count)]);
        at += count;
        if (this.#taken.length === this.#step.take) this.#advance(this.#taken);
      }
    }
  }

  /** Moves to the next step that needs bytes. */
  #advance(answer: Buffer): void {
    this.#taken = nothing;
    for (;;) {
      const { value, done } = this.#walker.next(answer);
      this.#step = done ? undefined : value;
      if (this.#step !== undefined && 'take' in this.#step) this.#step.take = Math.min(this.#step.take, takeLimit);
      this.#toSkip = this.#step !== undefined && 'skip' in this.#step ? this.#step.skip : 0;
      const empty =
        this.#step !== undefined &&
        (('skip' in this.#step && this.#toSkip <= 0) || ('take' in this.#step && this.#step.take <= 0));
      if (!empty) return;
      answer = nothing;
    }
  }
}
