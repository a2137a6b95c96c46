import type { Json } from '../../request/types.ts';
import { depthLimit, type Flaw, flawLimit, flaws } from './flaws.ts';
import { eachKey, elements, endOf, measure, skipBlanks } from './json-text.ts';
import type { Pair, Reading, Tree } from './tree.ts';

/** Of each of them something is held, some hundred bytes. */
const valueLimit = 4_000_000;

/**
 * Reads a JSON text with JSON.parse, which is quick, and goes through the text again for what JSON.parse does not
 * tell: which keys stand twice, and, when it is asked for, where things stand.
 * @returns undefined when JSON.parse refuses the text
 */
export function readJson(text: string): Reading | undefined {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
  const { colons, tooDeep, tooLarge } = measure(text, { depth: depthLimit, values: valueLimit });
  if (tooLarge !== undefined) return { tree: undefined, flaws: [flaws.tooLarge(tooLarge)] };
  if (tooDeep !== undefined) return { tree: undefined, flaws: [flaws.tooDeep(tooDeep)] };
  const tree = new JsonTree(text, skipBlanks(text, 0), value);
  // A key that stands twice in the text is held once.
  return { tree, flaws: keysIn(value) === colons ? [] : firstOf(flawsIn(tree)) };
}

/** How many keys a value has, in all its depth; NaN when it holds a number like 1e999. */
function keysIn(value: Json): number {
  if (typeof value === 'number') return Number.isFinite(value) ? 0 : Number.NaN;
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += keysIn(item);
    return count;
  }
  for (const key in value) count += 1 + keysIn(value[key] as Json);
  return count;
}

function firstOf(flaws: Iterable<Flaw>): Flaw[] {
  const first: Flaw[] = [];
  for (const flaw of flaws) if (first.push(flaw) === flawLimit) break;
  return first;
}

function* flawsIn(tree: Tree): Generator<Flaw> {
  if (typeof tree.value === 'number' && !Number.isFinite(tree.value)) yield flaws.noNumber(tree.at);
  const seen = new Set<string>();
  for (const { key, at, value } of tree.pairs() ?? []) {
    if (seen.has(key)) yield flaws.repeated(at, key);
    seen.add(key);
    yield* flawsIn(value);
  }
  for (const item of tree.items() ?? []) yield* flawsIn(item);
}

/** A value of a good JSON text. What is inside is looked for in the text when it is asked for. */
class JsonTree implements Tree {
  readonly value: Json;
  readonly at: number;
  readonly #text: string;

  constructor(text: string, at: number, value: Json) {
    this.#text = text;
    this.at = at;
    this.value = value;
  }

  pairs(): Pair[] | undefined {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const pairs: Pair[] = [];
    eachKey(this.#text, this.at, (key, at, valueAt) => {
      pairs.push({ key, at, value: new JsonTree(this.#text, valueAt, value[key] as Json) });
    });
    return pairs.length === Object.keys(value).length ? pairs : pairs.map((pair) => this.#alone(pair));
  }

  items(): Tree[] | undefined {
    const { value } = this;
    if (!Array.isArray(value)) return undefined;
    return elements(this.#text, this.at).map((at, index) => new JsonTree(this.#text, at, value[index] as Json));
  }

  /** Of a key that stands twice JSON.parse holds the last value; each of them is read here by itself. */
  #alone({ key, at, value: { at: valueAt } }: Pair): Pair {
    const value = JSON.parse(this.#text.slice(valueAt, endOf(this.#text, valueAt))) as Json;
    return { key, at, value: new JsonTree(this.#text, valueAt, value) };
  }
}
