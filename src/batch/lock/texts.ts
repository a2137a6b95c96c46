import { entryOf, laterOf } from './entry.ts';
import type { LockDocument, LockEntry } from './types.ts';

/** Reads the compact JSON of a job's entry where the log has it. */
export type ReadAt = (key: string, position: number) => string;

/**
 * A lock file's jobs in memory, small: each as its compact JSON, some 700 bytes, which is parsed when it is asked for;
 * or only as its position in the log, so that a run of any length needs little.
 */
export class LockTexts implements LockDocument {
  readonly #texts = new Map<string, string | number>();
  #readAt: ReadAt | undefined;
  /** Whether something was changed since the file was read. */
  isChanged = false;

  get size(): number {
    return this.#texts.size;
  }

  has(key: string): boolean {
    return this.#texts.has(key);
  }

  get(key: string): LockEntry | undefined {
    const text = this.text(key);
    return text === undefined ? undefined : entryOf(text);
  }

  keys(): IterableIterator<string> {
    return this.#texts.keys();
  }

  *[Symbol.iterator](): Iterator<[string, LockEntry]> {
    for (const [key, text] of this.texts()) yield [key, entryOf(text)];
  }

  /** The compact JSON of every job. */
  *texts(): Iterable<[key: string, text: string]> {
    for (const [key, where] of this.#texts) yield [key, this.#read(key, where)];
  }

  /** The compact JSON of a job. */
  text(key: string): string | undefined {
    const where = this.#texts.get(key);
    return where === undefined ? undefined : this.#read(key, where);
  }

  /** @param text the compact JSON of an entry */
  set(key: string, text: string): void {
    if (this.text(key) !== text) this.#put(key, text);
  }

  /** The same for a text that is in the log: only its position is kept. */
  setAt(key: string, text: string, position: number): void {
    if (this.text(key) !== text) this.#put(key, position);
  }

  /** Where positions lead to. */
  readFrom(readAt: ReadAt): void {
    this.#readAt = readAt;
  }

  delete(key: string): void {
    if (this.#texts.delete(key)) this.isChanged = true;
  }

  /** Takes over what an equal file says of a job, if it is later than what is known. */
  join(key: string, text: string): void {
    const known = this.text(key);
    this.set(key, known === undefined ? text : laterOf(known, text));
  }

  /** The same for a file below this one: of two of one time this one holds, for here the images were processed anew. */
  putBelow(key: string, text: string): void {
    const known = this.get(key);
    if (known === undefined || entryOf(text).generated > known.generated) this.set(key, text);
  }

  copy(): LockTexts {
    const copy = new LockTexts();
    for (const [key, where] of this.#texts) copy.#texts.set(key, where);
    copy.#readAt = this.#readAt;
    return copy;
  }

  #put(key: string, where: string | number): void {
    this.#texts.set(key, where);
    this.isChanged = true;
  }

  #read(key: string, where: string | number): string {
    if (typeof where === 'string') return where;
    if (!this.#readAt) throw new Error(`nothing is known of ${key} but a position`);
    return this.#readAt(key, where);
  }
}
