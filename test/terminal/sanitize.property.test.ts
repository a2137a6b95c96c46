import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { oneLine, safeJson } from '../../src/terminal/sanitize.ts';
import { anyText, property } from '../support/properties.ts';

/** Control characters, marks that turn the direction of text, ends of lines and of paragraphs, halves of characters. */
const obeyed = /[\p{Cc}\p{Bidi_C}\p{Zl}\p{Zp}\p{Cs}]/u;

const sequence = fc.constantFrom('\u001b]8;;http://x\u001b\\', '\u001bP+q\u001b\\', '\u009b2J', '\u001bc', '\u2067');
const hostile = fc.array(fc.oneof(sequence, anyText), { maxLength: 8 }).map((parts) => parts.join(''));
const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, 1.5),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    hostile,
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.oneof(hostile, fc.constant('__proto__')), tie('value')), { maxLength: 4 })
      .map((entries) => Object.fromEntries(entries)),
  ),
})).value;

describe('oneLine', () => {
  property(
    'leaves nothing that a terminal obeys',
    fc.property(hostile, (text) => {
      const line = oneLine(text);
      expect(line).not.toMatch(obeyed);
      expect(oneLine(line)).toBe(line);
    }),
    10,
  );

  test('leaves plain text as it is', () => {
    const plain = 'aZ09 ~!"#&<>\\{}[]é猫\u0301नि👩';
    expect(oneLine(plain)).toBe(plain);
  });
});

describe('safeJson', () => {
  property(
    'is the same value, and nothing that a terminal obeys',
    fc.property(value, fc.constantFrom(undefined, 2), (value, indent) => {
      const text = safeJson(value, indent);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(indent === undefined ? text : text.replaceAll('\n', '')).not.toMatch(obeyed);
    }),
    4,
  );
});
