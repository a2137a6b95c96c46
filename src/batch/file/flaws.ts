import type { Json } from '../../request/types.ts';
import type { Locate } from './positions.ts';
import type { Mistake } from './types.ts';

/** A mistake at an offset of the text. */
export interface Flaw {
  at: number;
  message: string;
  hint?: string;
}

/** Values nested deeper than this, in maps and lists, are a mistake: what is made of them later recurses. */
export const depthLimit = 64;

/** The way out for whom a document is too small. */
export const anySize = 'JSON Lines may have any size: a job a line';

/** A document's flaws beyond this number are left out: a file of another sort can have as many as characters. */
export const flawLimit = 1000;

/** The flaws that any format can have. */
export const flaws = {
  tooDeep: (at: number): Flaw => ({ at, message: `this is nested more than ${depthLimit} deep` }),
  repeated: (at: number, key: string): Flaw => ({ at, message: `the key ${quoted(key)} is given twice` }),
  tooLarge: (at: number): Flaw => ({ at, message: 'the document is too large to go on here', hint: anySize }),
  nothing: (at: number): Flaw => ({ at, message: 'there is no image in it' }),
  unlike: ({ at, value }: { at: number; value: Json }, name: string, wanted: string, hint?: string): Flaw => {
    return { at, message: `${name} is ${kindOf(value)}, not ${wanted}`, ...(hint && { hint }) };
  },
  noNumber: (at: number): Flaw => ({ at, message: 'this number is beyond what can be held' }),
};

/** A flaw as a mistake at its line and column. */
export function mistakeOf({ at, ...rest }: Flaw, locate: Locate): Mistake {
  return { at: locate(at), ...rest };
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
