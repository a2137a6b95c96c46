import { usageError } from '../errors.ts';
import { oneOfHint } from '../similar.ts';
import { Secret } from './secret.ts';

/** What is wrong with a value. The caller knows where it came from, and names that. */
export class InvalidValue extends Error {
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** Calls `parse`; an InvalidValue becomes an ImggenError `usage` that names the text by `label`, but shows no secret. */
export function parseNamed<T>(label: string, raw: string, parse: (raw: string) => T, isSecret = false): T {
  try {
    // Node puts this character where bytes are not UTF-8.
    if (raw.includes('\ufffd')) throw new InvalidValue('is not valid UTF-8', 'type it anew, or rename the file');
    return parse(raw);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    const isHidden = isSecret || raw === '' || /:\/\/[^/]*@/.test(raw);
    const shown = isHidden ? '' : ` ${raw.length > 60 ? `${raw.slice(0, 60)}…` : raw}`;
    throw usageError(`${label}${shown} ${error.message}`, error.hint);
  }
}

/** What a value may be, in the words of JSON Schema. */
export interface ValueSchema {
  type: 'string' | 'integer' | 'number' | 'boolean';
  enum?: readonly string[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  minLength?: number;
  pattern?: string;
}

/** Turns the text of a flag, variable or config value into its type. Throws InvalidValue. */
export interface Parse<T> {
  (text: string): T;
  /** What a file with types, such as a batch file, may hold. */
  schema: ValueSchema;
}

function parser<T>(schema: ValueSchema, parse: (text: string) => T): Parse<T> {
  return Object.assign((value: string) => parse(value), { schema });
}

/** Any text but the empty one. */
export const text: Parse<string> = parser({ type: 'string', minLength: 1, pattern: '\\S' }, (value) => {
  if (value.trim() === '') throw new InvalidValue('is empty');
  return value;
});

export const secret: Parse<Secret> = parser({ type: 'string', minLength: 1 }, (value) => {
  const key = value.trim();
  // A header carries it: other characters come from a paste that went wrong.
  if (!/^[\x21-\x7e]+$/.test(key)) throw new InvalidValue('is empty or has characters that no API key has');
  return new Secret(key);
});

/** Any text, because the model decides; `values` are what a batch file may have. */
export function suggested(values: readonly string[]): Parse<string> {
  return parser({ type: 'string', enum: values }, text);
}

/** A whole number from `min` to `max`, both allowed. */
export function integer(min: number, max: number): Parse<number> {
  return parser({ type: 'integer', minimum: min, maximum: max }, (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value.trim()) || number < min || number > max) {
      throw new InvalidValue(`is not a whole number from ${min} to ${max}`);
    }
    return number;
  });
}

/** The longest side of an image that can be asked for, in pixels. */
const longestSide = 16_384;

/** A size in pixels, of which one side may be left out: `800x600`, `800x`, `x600`. */
export const dimensions: Parse<string> = parser(
  { type: 'string', pattern: '^\\s*(\\d{1,5}\\s*[xX×]\\s*\\d{0,5}|[xX×]\\s*\\d{1,5})\\s*$' },
  (value) => {
    const [, width = '', height = ''] = /^(\d{0,5})\s*[x×]\s*(\d{0,5})$/i.exec(value.trim()) ?? [];
    const sides = [width, height].filter((side) => side !== '').map(Number);
    if (sides.length === 0 || sides.some((side) => side < 1 || side > longestSide)) {
      throw new InvalidValue(
        `is not a size with sides from 1 to ${longestSide}`,
        '800x600, or with one side 800x, x600',
      );
    }
    return [width, height].map((side) => (side === '' ? '' : Number(side))).join('x');
  },
);

/** A number of seconds above 0 and up to one day, as setTimeout can hold. */
export const seconds: Parse<number> = parser({ type: 'number', exclusiveMinimum: 0, maximum: 86_400 }, (value) => {
  const number = Number(value);
  if (!/^\d*\.?\d+$/.test(value.trim()) || number <= 0 || number > 86_400) {
    throw new InvalidValue('is not a number of seconds above 0 and up to 86400');
  }
  return number;
});

export const boolean: Parse<boolean> = parser({ type: 'boolean' }, (value) => {
  const word = value.trim().toLowerCase();
  if (['true', '1', 'yes', 'on'].includes(word)) return true;
  if (['false', '0', 'no', 'off', ''].includes(word)) return false;
  throw new InvalidValue('is neither true nor false');
});

/** One of `values`; `aliases` are other spellings of them. Upper case is accepted. */
export function oneOf<T extends string>(values: readonly T[], aliases: Readonly<Record<string, T>> = {}): Parse<T> {
  return parser({ type: 'string', enum: [...values, ...Object.keys(aliases)] }, (value) => {
    const word = value.trim().toLowerCase();
    const found = values.find((known) => known === word) ?? (Object.hasOwn(aliases, word) ? aliases[word] : undefined);
    if (found === undefined) throw notOneOf(values);
    return found;
  });
}

/** An http(s) URL without credentials, query or fragment, and without a slash at its end. */
export const baseUrl: Parse<string> = parser({ type: 'string', pattern: '^\\s*[hH][tT][tT][pP][sS]?:' }, (value) => {
  const { href } = httpUrl(value);
  // URL.search is empty for an empty query.
  if (/[?#]/.test(href)) throw new InvalidValue('has a query or a fragment');
  return href.replace(/\/+$/, '');
});

/** A URL template with `{task_id}` in its path or query. */
export const taskUrl: Parse<string> = parser({ type: 'string', pattern: '[{]task_id[}]' }, (value) => {
  const template = value.trim();
  if (!template.includes('{task_id}')) throw new InvalidValue('has no {task_id} in it');
  if (!/^https?:\/\//i.test(template)) throw new InvalidValue('is not an http(s) URL');
  const [one, other] = ['x', 'y'].map((id) => httpUrl(template.replaceAll('{task_id}', id)).origin);
  // The server chooses the id: it must not choose the host that gets the key.
  if (one !== other) throw new InvalidValue('has {task_id} in the name of its host');
  return template;
});

function httpUrl(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw new InvalidValue('is not an http(s) URL');
  if (url.username || url.password)
    throw new InvalidValue('has a user name or password in it', 'the key is stored by: imggen login');
  return url;
}

const types: Readonly<Record<ValueSchema['type'], { name: string; holds: (value: unknown) => boolean }>> = {
  string: { name: 'text', holds: (value) => typeof value === 'string' },
  integer: { name: 'a whole number', holds: Number.isSafeInteger },
  number: { name: 'a number', holds: Number.isFinite },
  boolean: { name: 'true or false', holds: (value) => typeof value === 'boolean' },
};

/** Why a value of a file with types does not fit the schema; undefined when it fits. */
export function mismatchOf(value: unknown, { type, enum: values }: ValueSchema): InvalidValue | undefined {
  const isQuotable = type === 'string' && typeof value !== 'object';
  if (!types[type].holds(value))
    return new InvalidValue(`is not ${types[type].name}`, isQuotable ? 'put it in quotes' : undefined);
  // The parser has better messages for the rest of the schema.
  return values && !values.includes(value as string) ? notOneOf(values) : undefined;
}

function notOneOf(values: readonly string[]): InvalidValue {
  return new InvalidValue('is not a known value', oneOfHint(values));
}
