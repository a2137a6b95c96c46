import type { Json } from '../../request/types.ts';
import type { Field, Mistake, Node, Position } from './types.ts';

/** The deepest nesting of maps and lists: the code that hashes and sends a value recurses. */
export const depthLimit = 64;
/** The most jobs of a file: each takes some kilobytes until it is done. */
export const jobLimit = 250_000;
/** The most values of a file: each takes some hundred bytes while the file is read. */
export const valueLimit = 2_000_000;
/** How many more values there may be. */
export interface Room {
  left: number;
}

/** The most mistakes of a file: another sort of file can have as many as characters. */
export const mistakeLimit = 1000;

export function listNode(at: Position, items: readonly Node[]): Node {
  return { at, value: items.map(({ value }) => value), items };
}

/** Makes `__proto__` a key like any other, as JSON.parse does. */
export function mapNode(at: Position, fields: readonly Field[]): Node {
  return { at, value: Object.fromEntries(fields.map(({ key, node }) => [key, node.value])), fields };
}

/** The mistakes that more than one format can have. */
export const mistakes = {
  tooDeep: (at: Position): Mistake => ({ at, message: `this is nested more than ${depthLimit} deep` }),
  tooLarge: (at: Position): Mistake => ({
    at,
    message: 'the file holds too much to go on here',
    hint: 'split the file',
  }),
  tooMany: (at: Position): Mistake => ({ at, message: `there are more than ${jobLimit} jobs`, hint: 'split the file' }),
  repeated: (at: Position, key: string): Mistake => ({ at, message: `the key ${quoted(key)} is given twice` }),
  nothing: (at: Position): Mistake => ({ at, message: 'there is no image in it' }),
  unlike: ({ at, value }: Node, name: string, wanted: string, hint?: string): Mistake => {
    return { at, message: `${name} is ${kindOf(value)}, not ${wanted}`, ...(hint && { hint }) };
  },
};

/** The mistake of a number that would be sent as another one, or as null; undefined for any other value. */
export function inexact(at: Position, value: Json): Mistake | undefined {
  if (
    typeof value !== 'number' ||
    (Number.isFinite(value) && !(Number.isInteger(value) && !Number.isSafeInteger(value)))
  )
    return undefined;
  return { at, message: 'this number is beyond what can be held exactly', hint: `at most ${Number.MAX_SAFE_INTEGER}` };
}

/** A word of the file in a message: in quotes, on one line, and short. */
export function quoted(word: string): string {
  return JSON.stringify(word.length > 60 ? `${word.slice(0, 60)}…` : word);
}

/** What a value is, in a sentence: `a list`. */
export function kindOf(value: Json): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? 'a text' : typeof value === 'number' ? 'a number' : `${value}`;
}
