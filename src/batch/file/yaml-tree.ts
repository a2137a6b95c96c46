import type { Json } from '../../request/types.ts';
import type { Pair, Tree } from './tree.ts';

/** Counted for each value besides its characters: what it takes in memory at least. */
const valueSize = 32;

export interface YamlPair extends Pair {
  readonly value: YamlTree;
}

/** A value of a YAML document, which knows how large it is with all that its aliases stand for. */
export class YamlTree implements Tree {
  readonly at: number;
  readonly value: Json;
  /** Characters, and `valueSize` for each value. */
  readonly size: number;
  /** Levels of lists and maps. */
  readonly height: number;
  readonly #pairs: readonly YamlPair[] | undefined;
  readonly #items: readonly YamlTree[] | undefined;

  private constructor(at: number, value: Json, pairs?: readonly YamlPair[], items?: readonly YamlTree[]) {
    let size = valueSize + (typeof value === 'string' ? value.length : 0);
    let height = 0;
    for (const pair of pairs ?? []) {
      size += pair.key.length + pair.value.size;
      height = Math.max(height, pair.value.height);
    }
    for (const item of items ?? []) {
      size += item.size;
      height = Math.max(height, item.height);
    }
    this.at = at;
    this.value = value;
    this.size = size;
    this.height = pairs || items ? height + 1 : 0;
    this.#pairs = pairs;
    this.#items = items;
  }

  static scalar(at: number, value: string | number | boolean | null): YamlTree {
    return new YamlTree(at, value);
  }

  static list(at: number, items: readonly YamlTree[]): YamlTree {
    return new YamlTree(
      at,
      items.map(({ value }) => value),
      undefined,
      items,
    );
  }

  static map(at: number, pairs: readonly YamlPair[]): YamlTree {
    // As JSON.parse does, this makes of `__proto__` a key like any other.
    const value = Object.fromEntries(pairs.map(({ key, value }) => [key, value.value]));
    return new YamlTree(at, value, pairs);
  }

  pairs(): readonly YamlPair[] | undefined {
    return this.#pairs;
  }

  items(): readonly YamlTree[] | undefined {
    return this.#items;
  }

  /** The same value where an alias stands for it. */
  aliasedAt(at: number): YamlTree {
    return new YamlTree(at, this.value, this.#pairs, this.#items);
  }
}
