/** Keeps things under names for a limited time, so that a sandbox that runs for days does not grow. */
export class Shelf<Thing> {
  readonly #keep: number;
  readonly #things = new Map<string, { thing: Thing; until: number }>();

  /** @param keep how long a thing is found, in milliseconds */
  constructor(keep: number) {
    this.#keep = keep;
  }

  /** @param name one that was not used before */
  put(name: string, thing: Thing): void {
    this.#sweep();
    this.#things.set(name, { thing, until: Date.now() + this.#keep });
  }

  get(name: string): Thing | undefined {
    this.#sweep();
    return this.#things.get(name)?.thing;
  }

  #sweep(): void {
    // All are kept equally long, so the map's order of insertion is the order of forgetting.
    for (const [name, { until }] of this.#things) {
      if (until > Date.now()) return;
      this.#things.delete(name);
    }
  }
}
