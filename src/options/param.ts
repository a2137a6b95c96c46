import type { Json } from '../request/types.ts';
import { InvalidValue } from './parse.ts';

/** The API's fields that imggen itself depends on, and the name that sets each: `--param` must not pass by it. */
export const ownParams: ReadonlyMap<string, string> = new Map([
  ['prompt', 'prompt'],
  ['n', 'count'],
  ['model', 'model'],
  ['stream', 'stream'],
]);

/**
 * The value of `--param name=value`: JSON, or else text. Throws InvalidValue for JSON that JavaScript cannot hold as it
 * is written, and would send as something else: `12345678901234567890`, `1e400`, `{"a":1,"a":2}`.
 */
export function jsonOrText(text: string): Json {
  let value: Json;
  let members = 0;
  try {
    value = JSON.parse(text, function (this: unknown, _key, member: Json) {
      if (!Array.isArray(this)) members += 1;
      return member;
    }) as Json;
  } catch {
    return text;
  }
  const tokens = text.match(/"(?:\\.|[^"\\])*"|-?\d[\d.eE+-]*|:/g) ?? [];
  const changed = tokens.find((token) => /^-?\d/.test(token) && !isExact(token));
  if (changed !== undefined)
    throw new InvalidValue(`${changed} would be sent as ${String(Number(changed))}`, 'as text: --param \'name="…"\'');
  // The reviver is also called for the whole, which is the member of an object.
  if (tokens.filter((token) => token === ':').length >= members)
    throw new InvalidValue('an object has a key twice', `it would be sent as ${JSON.stringify(value)}`);
  return value;
}

/** Whether a number of JSON keeps every digit as a double. */
function isExact(literal: string): boolean {
  return digitsOf(literal) === digitsOf(String(Number(literal)));
}

/** `-1.50e3` → `15e2`: the same for all ways to write a number, but for its sign. */
function digitsOf(number: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = /^-?(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(number) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  return significant && `${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
