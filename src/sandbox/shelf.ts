/** Keeps things under names for a limited time, so that a sandbox that runs for days does not grow. */
export class Shelf<Thing> {
  readonly #lifetime: number;
  readonly #things = new Map<string, { thing: Thing; until: number }>();

  /** @param lifetime in milliseconds, the same for all things */
  constructor(lifetime: number) {
    this.#lifetime = lifetime;
  }

  /** @param name a fresh one */
  put(name: string, thing: Thing): void {
    this.#sweep();
    this.#things.set(name, { thing, until: Date.now() + this.#lifetime });
  }

  get(name: string): Thing | undefined {
    this.#sweep();
    return this.#things.get(name)?.thing;
  }

  /** Equal lifetimes make the map's order of insertion the order of expiry. */
  #sweep(): void {
    for (const [name, { until }] of this.#things) {
      if (until > Date.now()) return;
      this.#things.delete(name);
    }
  }
}
