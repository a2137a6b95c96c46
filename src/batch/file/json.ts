import { type JSONVisitor, type ParseErrorCode, visit } from 'jsonc-parser';
import type { Json } from '../../request/types.ts';
import { depthLimit, inexact, listNode, mapNode, mistakeLimit, mistakes, type Room } from './node.ts';
import type { Field, Mistake, Node, Position, Reading } from './types.ts';

/** By the number that jsonc-parser gives an error: its table is a const enum, which leaves nothing to import. */
const messages: Readonly<Record<number, string>> = {
  1: 'this is not JSON; a text stands in double quotes',
  2: 'this is not a number as JSON writes it',
  3: 'a key is expected, in double quotes',
  4: 'a value is expected',
  5: 'a colon is expected',
  6: 'a comma is expected',
  7: 'a closing brace } is expected',
  8: 'a closing bracket ] is expected',
  9: 'the value has ended before this',
  10: 'JSON has no comments',
  11: 'a comment has no end',
  12: 'a text has no closing quote',
  13: 'a number has no end',
  14: 'an escape \\u needs four hexadecimal digits',
  15: 'JSON has no such escape',
  16: 'a text cannot hold a control character; a line end is written as \\n',
} satisfies Record<ParseErrorCode, string>;

type Place = [offset: number, length: number, line: number, character: number];

/** A map or a list whose end is not read yet. */
interface Open {
  at: Position;
  fields: Field[] | undefined;
  items: Node[];
  keys: Set<string>;
  /** The key whose value comes next. */
  key: Pick<Field, 'key' | 'at'> | undefined;
}

/** Thrown to leave a text that nests too deeply, or holds too much, before it takes all memory. */
const stop = new Error('stop');

/** Reads JSON texts: a whole file, or its lines one after another. */
export class JsonReader implements JSONVisitor {
  readonly #room: Room;
  #line: number | undefined;
  #mistakes: Mistake[] = [];
  #root: Node | undefined;
  #isBroken = false;
  #open: Open[] = [];

  /** @param room for the values of all texts together */
  constructor(room: Room) {
    this.#room = room;
  }

  /**
   * Reads a text, with every mistake of its syntax.
   * @param line the number of a text that is one line of a file; undefined for a whole file
   */
  read(text: string, line?: number): Reading {
    this.#line = line;
    this.#mistakes = [];
    this.#root = undefined;
    this.#isBroken = false;
    this.#open = [];
    try {
      visit(text, this, { disallowComments: true });
    } catch (error) {
      if (error !== stop) throw error;
    }
    return { node: this.#isBroken ? undefined : this.#root, mistakes: this.#mistakes };
  }

  readonly onError = (code: number, ...place: Place): void => {
    this.#isBroken = true;
    this.#add({ at: this.#at(...place), message: messages[code] ?? 'this is not JSON' });
  };

  readonly onObjectBegin = (...place: Place): void => this.#begin(this.#at(...place), []);
  readonly onArrayBegin = (...place: Place): void => this.#begin(this.#at(...place), undefined);
  readonly onObjectEnd = (): void => this.#end();
  readonly onArrayEnd = (): void => this.#end();

  readonly onObjectProperty = (key: string, ...place: Place): void => {
    const open = this.#open.at(-1) as Open;
    const at = this.#at(...place);
    if (open.keys.has(key)) this.#add(mistakes.repeated(at, key));
    open.keys.add(key);
    open.key = { key, at };
  };

  readonly onLiteralValue = (value: Json, ...place: Place): void => {
    const at = this.#at(...place);
    const mistake = inexact(at, value);
    if (mistake) this.#add(mistake);
    this.#put({ at, value });
  };

  #begin(at: Position, fields: Field[] | undefined): void {
    if (this.#open.length === depthLimit) this.#leave(mistakes.tooDeep(at));
    this.#open.push({ at, fields, items: [], keys: new Set(), key: undefined });
  }

  #end(): void {
    const { at, fields, items } = this.#open.pop() as Open;
    this.#put(fields ? mapNode(at, fields) : listNode(at, items));
  }

  #put(node: Node): void {
    this.#room.left -= 1;
    if (this.#room.left < 0) this.#leave(mistakes.tooLarge(node.at));
    const open = this.#open.at(-1);
    if (!open) this.#root = node;
    else if (!open.fields) open.items.push(node);
    else if (open.key) open.fields.push({ ...open.key, node });
  }

  #at(offset: number, _length: number, line: number, character: number): Position {
    return this.#line === undefined
      ? { line: line + 1, column: character + 1 }
      : { line: this.#line, column: offset + 1 };
  }

  #add(mistake: Mistake): void {
    if (this.#mistakes.push(mistake) === mistakeLimit) this.#stop();
  }

  #leave(mistake: Mistake): never {
    this.#mistakes.push(mistake);
    this.#stop();
  }

  #stop(): never {
    this.#isBroken = true;
    throw stop;
  }
}
