import type { ParseErrorCode } from 'jsonc-parser';
import { type Flaw, flawLimit, flaws } from './flaws.ts';

/** What is wrong, by the number that jsonc-parser gives it: its table is a const enum, which leaves nothing to import. */
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

/** What is wrong with a text that JSON.parse refuses, in the text's order; always at least one flaw. */
export async function jsonFlaws(text: string): Promise<[Flaw, ...Flaw[]]> {
  const { visit } = await import('jsonc-parser');
  const found: Flaw[] = [];
  const onError = (code: number, at: number) => {
    if (found.length < flawLimit) found.push({ at, message: messages[code] ?? 'this is not JSON' });
  };
  try {
    visit(text, { onError }, { disallowComments: true, allowTrailingComma: false });
  } catch {
    // Nested beyond what the parser's recursion holds.
    found.push(flaws.tooDeep(0));
  }
  const [first = { at: 0, message: 'this is not JSON' }, ...others] = found;
  return [first, ...others];
}
