// Loads the package `yaml`: import() this file when a YAML document is at hand.
import { type Alias, isAlias, isMap, isSeq, type ParsedNode, type Scalar } from 'yaml';
import { anySize, depthLimit, type Flaw, flaws, kindOf, quoted } from './flaws.ts';
import type { Reading } from './tree.ts';
import { parseYaml } from './yaml-syntax.ts';
import { type YamlPair, YamlTree } from './yaml-tree.ts';

/** About half a million values: 10,000 jobs that each merge ten keys make a quarter of it. */
const aliasLimit = 16 << 20;

/** Reads a YAML document; aliases and merge keys (`<<`) are replaced by what they stand for. */
export function readYaml(text: string): Reading {
  const { contents, flaws } = parseYaml(text);
  if (!contents) return { tree: undefined, flaws };
  const reader = new Reader();
  const tree = reader.read(contents, 1);
  return { tree: reader.isFull ? undefined : tree, flaws: [...flaws, ...reader.flaws] };
}

/** Goes through the nodes in the order of the text, in which an alias stands for the last anchor of its name. */
class Reader {
  readonly flaws: Flaw[] = [];
  /** What has an anchor; undefined while it is being read. */
  readonly #anchors = new Map<string, YamlTree | undefined>();
  /** The size of all that aliases have stood for so far. */
  #aliased = 0;

  /** Whether the aliases stood for too much: of the rest nothing was read. */
  get isFull(): boolean {
    return this.#aliased > aliasLimit;
  }

  /** @param depth the lists and maps that a node is in, with itself */
  read(node: ParsedNode, depth: number): YamlTree {
    if (isAlias(node)) return this.#alias(node, depth);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, undefined);
    const tree = this.#written(node, depth);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, tree);
    return tree;
  }

  #written(node: Exclude<ParsedNode, Alias.Parsed>, depth: number): YamlTree {
    const [at] = node.range;
    if (isMap(node)) return this.#map(at, node.items as never, depth);
    if (isSeq(node))
      return YamlTree.list(
        at,
        node.items.map((item) => this.read(item, depth + 1)),
      );
    const value = node.value as string | number | boolean | null;
    return typeof value !== 'number' || Number.isFinite(value)
      ? YamlTree.scalar(at, value)
      : this.#nothing(flaws.noNumber(at));
  }

  #alias({ source, range: [at] }: Alias.Parsed, depth: number): YamlTree {
    const tree = this.#anchors.get(source);
    if (!tree) {
      const name = quoted(source);
      if (this.#anchors.has(source))
        return this.#nothing({ at, message: `the alias ${name} stands for what it is in` });
      return this.#nothing({ at, message: `no anchor ${name} stands before this alias` });
    }
    if (depth + tree.height > depthLimit + 1) return this.#nothing(flaws.tooDeep(at));
    if (this.isFull) return YamlTree.scalar(at, null);
    this.#aliased += tree.size;
    if (!this.isFull) return tree.aliasedAt(at);
    return this.#nothing({ at, message: 'the aliases stand for too much', hint: anySize });
  }

  #map(
    at: number,
    items: readonly { key: Scalar.Parsed & { value: string }; value: ParsedNode | null }[],
    depth: number,
  ): YamlTree {
    const pairs = new Map<string, YamlPair>();
    const seen = new Set<string>();
    const merged: YamlTree[] = [];
    for (const {
      key: { value: key, type, range, anchor },
      value: node,
    } of items) {
      if (anchor !== undefined) this.#anchors.set(anchor, YamlTree.scalar(range[0], key));
      const isMerge = key === '<<' && type === 'PLAIN';
      const value = node ? this.read(node, depth + 1) : YamlTree.scalar(range[1], null);
      const name = isMerge ? '<<' : `=${key}`;
      if (seen.has(name)) this.flaws.push(flaws.repeated(range[0], key));
      else if (isMerge) merged.push(...this.#mergeable(value));
      else pairs.set(key, { key, at: range[0], value });
      seen.add(name);
    }
    // What the map itself says comes first, then the first of what is merged.
    for (const tree of merged)
      for (const pair of tree.pairs() ?? []) if (!pairs.has(pair.key)) pairs.set(pair.key, pair);
    return YamlTree.map(at, [...pairs.values()]);
  }

  #mergeable(tree: YamlTree): readonly YamlTree[] {
    const maps = tree.items() ?? [tree];
    const wrong = maps.find((map) => !map.pairs());
    if (!wrong) return maps;
    this.flaws.push({ at: wrong.at, message: `<< takes a map or a list of maps, this is ${kindOf(wrong.value)}` });
    return [];
  }

  #nothing(flaw: Flaw): YamlTree {
    this.flaws.push(flaw);
    return YamlTree.scalar(flaw.at, null);
  }
}
