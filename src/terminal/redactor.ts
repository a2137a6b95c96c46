/** A secret, and the short form that is shown for it. */
export interface Redactable {
  reveal(): string;
  toString(): string;
}

/** A shorter secret would be found in text that has nothing to do with it. */
const shortestRedacted = 8;

/** Replaces the secrets that are known by now by their short forms. */
export class Redactor {
  readonly #secrets = new Set<Redactable>();

  add(secret: Redactable): void {
    if (secret.reveal().length >= shortestRedacted) this.#secrets.add(secret);
  }

  redact(text: string): string {
    let clean = text;
    for (const secret of this.#secrets) clean = clean.replaceAll(secret.reveal(), secret.toString());
    return clean;
  }
}
