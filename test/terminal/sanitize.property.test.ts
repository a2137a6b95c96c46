import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { oneLine, safeJson } from '../../src/terminal/sanitize.ts';
import { anyText, property } from '../support/properties.ts';

/** Control characters, marks that turn the direction of text, ends of lines and of paragraphs, halves of characters. */
const obeyed = /[\p{Cc}\p{Bidi_C}\p{Zl}\p{Zp}\p{Cs}]/u;

const sequence = fc.constantFrom(
  '\u001b[31m',
  '\u001b]0;title\u0007',
  '\u001b]8;;http://x\u001b\\',
  '\u009b2J',
  '\u001b',
  '\u001bc',
  '\u001bP+q\u001b\\',
  '\r',
  '\ud83d',
  '\ude00',
  '\u202e',
  '\u2067',
);
const hostile = fc.oneof(
  anyText,
  fc.array(fc.oneof(sequence, anyText), { maxLength: 8 }).map((parts) => parts.join('')),
);
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

  property(
    'leaves plain text as it is',
    fc.property(fc.string({ unit: fc.constantFrom(...'aZ09 ~!"#&<>\\{}[]é猫\u0301नि👩') }), (text) => {
      expect(oneLine(text)).toBe(text.trim());
    }),
  );
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
