import type { Json } from '../../request/types.ts';
import type { Flaw } from './flaws.ts';
import type { Locate } from './positions.ts';
import type { Entry, Field, Position } from './types.ts';

/** What was read of a text; undefined where its flaws leave nothing to look at. */
export interface Reading {
  tree: Tree | undefined;
  flaws: Flaw[];
}

/** A value that knows where it is written, whatever it is written in. Offsets are in UTF-16 units from 0. */
export interface Tree {
  readonly value: Json;
  readonly at: number;
  /** The keys of a map, in their order; undefined for anything else. */
  pairs(): readonly Pair[] | undefined;
  /** The elements of a list; undefined for anything else. */
  items(): readonly Tree[] | undefined;
}

export interface Pair {
  readonly key: string;
  readonly at: number;
  readonly value: Tree;
}

/** The job that a map declares. */
export function entryOf(tree: Tree, index: number, locate: Locate): Entry {
  return { index, at: locate(tree.at), fields: fieldsOf(tree, locate) };
}

/** The keys of a map as fields; none for anything else. */
export function fieldsOf(tree: Tree, locate: Locate): Field[] {
  return (tree.pairs() ?? []).map((pair) => new TreeField(pair, locate));
}

/** Its positions are worked out when they are asked for, which a file without mistakes never does. */
class TreeField implements Field {
  readonly key: string;
  readonly value: Json;
  readonly #pair: Pair;
  readonly #locate: Locate;

  constructor(pair: Pair, locate: Locate) {
    this.key = pair.key;
    this.value = pair.value.value;
    this.#pair = pair;
    this.#locate = locate;
  }

  get at(): Position {
    return this.#locate(this.#pair.at);
  }

  get valueAt(): Position {
    return this.#locate(this.#pair.value.at);
  }

  within(path: readonly (string | number)[]): Position {
    let tree = this.#pair.value;
    for (const step of path) {
      const inside =
        typeof step === 'number' ? tree.items()?.[step] : tree.pairs()?.find(({ key }) => key === step)?.value;
      if (inside === undefined) break;
      tree = inside;
    }
    return this.#locate(tree.at);
  }
}

/** Whether a value is what has keys. */
export function isMap(value: Json): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
