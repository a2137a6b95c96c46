// Loads the package `yaml`: import() this file when a YAML document is at hand.
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isSeq,
  Lexer,
  LineCounter,
  type Pair,
  type ParsedNode,
  Parser,
  type Scalar,
  type YAMLError,
} from 'yaml';
import type { Json } from '../../request/types.ts';
import { depthLimit, inexact, kindOf, listNode, mapNode, mistakes, quoted, valueLimit } from './node.ts';
import type { Field, Mistake, Node, Position, Reading } from './types.ts';

/** Always YAML 1.2, also with another %YAML line: `yes` and `on` are texts, `017` is 17. */
const dialect = {
  version: '1.2',
  schema: 'core',
  resolveKnownTags: false,
  merge: false,
  stringKeys: true,
  // The package compares each key with every other.
  uniqueKeys: false,
  prettyErrors: false,
} as const;

/** The most that all aliases together stand for, by `measure`: 10,000 jobs that each merge ten keys are a quarter of it. */
const aliasLimit = 16 << 20;
/** What a value counts besides its characters. */
const valueSize = 32;

type Place = (offset: number) => Position;

/** Reads a YAML document; aliases and merge keys (`<<`) are replaced by what they stand for. */
export function readYaml(text: string): Reading {
  const lines = new LineCounter();
  // By itself the parser misses line ends inside of what it cannot read.
  lines.addNewLine(0);
  for (const { index } of text.matchAll(/\n/g)) lines.addNewLine(index + 1);
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const tokens = tokensOf(text, place);
  if (!Array.isArray(tokens)) return { node: undefined, mistakes: [tokens] };
  const [document] = new Composer(dialect).compose(tokens, true, text.length) as Iterable<Document.Parsed>;
  if (!document) return { node: undefined, mistakes: [] };
  const found = [...document.errors, ...document.warnings].map((error) => mistakeOf(error, place));
  if (document.errors.length > 0 || !document.contents) return { node: undefined, mistakes: found };
  const reader = new Reader(place);
  const node = reader.read(document.contents, 1);
  return { node: reader.isFull ? undefined : node, mistakes: [...found, ...reader.mistakes] };
}

/** The tokens of a text that is one document and neither too large nor too deep to be composed, or what is wrong with it. */
function tokensOf(text: string, place: Place): CST.Token[] | Mistake {
  const tokens: CST.Token[] = [];
  const parser = new Parser();
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    lexemes += 1;
    if (lexemes > valueLimit) return mistakes.tooLarge(place(parser.offset));
    for (const token of parser.next(lexeme)) tokens.push(token);
  }
  for (const token of parser.end()) tokens.push(token);
  const [first, second] = tokens.filter((token) => token.type === 'document');
  if (second)
    return { at: place(second.offset), message: 'a second document begins here', hint: 'one file holds one document' };
  // The composer recurses, and at the end of the stack V8 may end the whole process instead of throwing.
  const tooDeep = first?.value && deeperThan(depthLimit, first.value);
  return tooDeep === undefined ? tokens : mistakes.tooDeep(place(tooDeep));
}

/** Where the first list or map begins that has more than `limit` levels, its own counted, above its end. */
function deeperThan(limit: number, token: CST.Token): number | undefined {
  if (!('items' in token)) return undefined;
  if (limit === 0) return token.offset;
  for (const { key, value } of token.items)
    for (const inside of [key, value]) {
      const found = inside ? deeperThan(limit - 1, inside) : undefined;
      if (found !== undefined) return found;
    }
  return undefined;
}

function mistakeOf({ code, message, pos: [offset] }: YAMLError, place: Place): Mistake {
  const at = place(offset);
  if (code === 'NON_STRING_KEY') return { at, message: 'a key must be a text' };
  // Some messages quote the text, however long it is.
  const short = message.length > 120 ? `${message.slice(0, 120)}…` : message;
  if (code === 'TAG_RESOLVE_FAILED')
    return { at, message: short.replace(/^Unresolved/, 'unknown'), hint: 'tags are not needed here' };
  return { at, message: short.slice(0, 1).toLowerCase() + short.slice(1) };
}

/** A node with an anchor, and what it costs to use it. */
interface Anchored {
  node: Node;
  size: number;
  height: number;
}

/** Goes through a document in the order of the text, in which an alias stands for the last anchor of its name. */
class Reader {
  readonly mistakes: Mistake[] = [];
  readonly #place: Place;
  /** Undefined while the node is being read. */
  readonly #anchors = new Map<string, Anchored | undefined>();
  /** The size of all that aliases have stood for so far. */
  #aliased = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  /** Whether the aliases stood for too much: nothing was read of the rest. */
  get isFull(): boolean {
    return this.#aliased > aliasLimit;
  }

  /** @param depth the maps and lists that a node is in, with itself */
  read(written: ParsedNode, depth: number): Node {
    const at = this.#place(written.range[0]);
    if (isAlias(written)) return this.#alias(written.source, at, depth);
    const { anchor } = written;
    if (anchor !== undefined) this.#anchors.set(anchor, undefined);
    let node: Node;
    if (isMap(written)) node = this.#map(written.items as never, at, depth);
    else if (isSeq(written))
      node = listNode(
        at,
        written.items.map((item) => this.read(item, depth + 1)),
      );
    else node = this.#scalar(written.value as Json, at);
    if (anchor !== undefined) this.#anchors.set(anchor, measure(node));
    return node;
  }

  #scalar(value: Json, at: Position): Node {
    const mistake = inexact(at, value);
    return mistake ? this.#nothing(mistake) : { at, value };
  }

  #alias(name: string, at: Position, depth: number): Node {
    const anchored = this.#anchors.get(name);
    if (!anchored) {
      const isOpen = this.#anchors.has(name);
      const why = isOpen
        ? `the alias ${quoted(name)} stands for what it is in`
        : `no anchor ${quoted(name)} stands before this alias`;
      return this.#nothing({ at, message: why });
    }
    const { node, size, height } = anchored;
    if (depth + height > depthLimit + 1) return this.#nothing(mistakes.tooDeep(at));
    if (this.isFull) return { at, value: null };
    this.#aliased += size;
    return this.isFull ? this.#nothing({ at, message: 'the aliases stand for too much' }) : { ...node, at };
  }

  #map(
    pairs: readonly Pair<Scalar.Parsed & { value: string }, ParsedNode | null>[],
    at: Position,
    depth: number,
  ): Node {
    const fields = new Map<string, Field>();
    const seen = new Set<string>();
    const merged: Node[] = [];
    for (const {
      key: { value: key, type, range, anchor },
      value,
    } of pairs) {
      const keyAt = this.#place(range[0]);
      if (anchor !== undefined) this.#anchors.set(anchor, measure({ at: keyAt, value: key }));
      const node = value ? this.read(value, depth + 1) : { at: this.#place(range[1]), value: null };
      const isMerge = key === '<<' && type === 'PLAIN';
      const name = isMerge ? key : `=${key}`;
      if (seen.has(name)) this.mistakes.push(mistakes.repeated(keyAt, key));
      else if (isMerge) merged.push(...this.#mergeable(node));
      else fields.set(key, { key, at: keyAt, node });
      seen.add(name);
    }
    // What the map itself says comes first, then the first of what is merged.
    for (const { fields: others = [] } of merged)
      for (const field of others) if (!fields.has(field.key)) fields.set(field.key, field);
    return mapNode(at, [...fields.values()]);
  }

  #mergeable(node: Node): readonly Node[] {
    const maps = node.items ?? [node];
    const wrong = maps.find(({ fields }) => !fields);
    if (!wrong) return maps;
    this.#nothing({ at: wrong.at, message: `<< takes a map or a list of maps, this is ${kindOf(wrong.value)}` });
    return [];
  }

  #nothing(mistake: Mistake): Node {
    this.mistakes.push(mistake);
    return { at: mistake.at, value: null };
  }
}

/** What a node takes in memory, with all that is in it, and how many levels of maps and lists it has. */
function measure(node: Node): Anchored {
  const inside = [...(node.items ?? []), ...(node.fields ?? []).map((field) => field.node)].map(measure);
  const characters = typeof node.value === 'string' ? node.value.length : 0;
  return {
    node,
    size: inside.reduce((sum, { size }) => sum + size, valueSize + characters),
    height: node.fields || node.items ? inside.reduce((most, { height }) => Math.max(most, height), 0) + 1 : 0,
  };
}
