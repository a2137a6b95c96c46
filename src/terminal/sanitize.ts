import { stripVTControlCharacters } from 'node:util';

/**
 * What must not reach a terminal: control characters (C0, C1), marks that turn the direction of text, line and
 * paragraph separators, invisible joiners of words, and halves of surrogate pairs.
 */
const unsafe =
  /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]/gu;

/** Text from outside on one line, without anything that a terminal would obey. */
export function oneLine(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\t\r\n]+/g, ' ')
    .replace(unsafe, '')
    .trim();
}

/** JSON text in which those characters are escaped: the same value, and harmless on a terminal. */
export function safeJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent);
  return text.replace(unsafe, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
