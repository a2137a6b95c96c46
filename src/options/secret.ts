/**
 * A secret value. Every way of printing it (template, JSON, inspection) gives the short form `sk-…1234`; only `reveal()`
 * gives the text.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  /** `sk-…1234`: enough to tell two keys apart, too little to use; `…` for fewer than 16 characters. */
  toString(): string {
    return this.#text.length < 16 ? '…' : `${this.#text.slice(0, 3)}…${this.#text.slice(-4)}`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}
