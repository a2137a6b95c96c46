import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { Base64Decoder } from '../../src/images/base64.ts';
import { chunkSizes, cut, noise, property, refusalOf } from '../support/properties.ts';

function decode(text: string, sizes: readonly number[]): Buffer {
  const decoder = new Base64Decoder();
  const pieces = [...cut(Buffer.from(text, 'latin1'), sizes)].map((piece) => decoder.push(piece));
  return Buffer.concat([...pieces, decoder.finish()]);
}

/** What base64 text is (RFC 4648, 4 and 5), blanks apart: whole groups, the last of them padded or cut short. */
function isBase64(text: string): boolean {
  return /^([\w+/-]{4})*([\w+/-]{2}(==)?|[\w+/-]{3}=?)?$/.test(text.replace(/[ \t\r\n]/g, ''));
}

const bytes = fc.oneof(
  { weight: 9, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 3, arbitrary: noise(2000) },
  noise(20_000),
);
const blank = fc.constantFrom(' ', '\n', '\r\n', '\t', '  \n');

/** Bytes in one of the spellings that base64 has. */
const spelled = fc
  .record({
    bytes,
    urlSafe: fc.boolean(),
    padded: fc.boolean(),
    wrap: fc.option(fc.tuple(fc.integer({ min: 1, max: 80 }), blank)),
  })
  .map(({ bytes, urlSafe, padded, wrap }) => {
    let text = Buffer.from(bytes)
      .toString(urlSafe ? 'base64url' : 'base64')
      .replace(/=+$/, '');
    if (padded) text = text.padEnd(Math.ceil(text.length / 4) * 4, '=');
    if (wrap) text = text.replace(new RegExp(`.{${wrap[0]}}`, 'g'), (line) => line + wrap[1]);
    return { bytes: Buffer.from(bytes), text };
  });

/** Text that is nearly base64. */
const nearly = fc.oneof(
  fc.string({ unit: fc.constantFrom('A', 'b', '9', '+', '/', '-', '_', '=', '=', ' ', '\n'), maxLength: 14 }),
  fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 14 }),
  fc
    .tuple(
      spelled,
      fc.nat(),
      fc.integer({ min: 0, max: 2 }),
      fc.constantFrom('', '=', '*', '\0', 'é', 'A', '==', 'AA==', ','),
    )
    .map(([{ text }, at, removed, added]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + added + text.slice(place + removed);
    }),
);

describe('Base64Decoder', () => {
  property(
    'gives the bytes of valid text, however it is written and cut',
    fc.property(spelled, chunkSizes, ({ bytes, text }, sizes) => {
      expect(decode(text, sizes).equals(bytes)).toBe(true);
    }),
  );

  property(
    'is not misled by an earlier use of the same memory',
    fc.property(spelled, fc.integer({ min: 1, max: 7 }), ({ bytes, text }, size) => {
      const decoder = new Base64Decoder();
      const memory = new Uint8Array(size);
      const pieces: Buffer[] = [];
      for (const chunk of cut(Buffer.from(text), [size])) {
        memory.set(chunk);
        pieces.push(Buffer.from(decoder.push(memory.subarray(0, chunk.length))));
        memory.fill(0x2a);
      }
      expect(Buffer.concat([...pieces, decoder.finish()]).equals(bytes)).toBe(true);
    }),
  );

  property(
    'refuses what is not base64 and takes what is, as bytes that Buffer gives too',
    fc.property(nearly, chunkSizes, (text, sizes) => {
      let decoded: Buffer | undefined;
      const refusal = refusalOf(() => (decoded = decode(text, sizes)));
      expect(refusal === undefined).toBe(isBase64(text));
      if (decoded) expect(decoded.equals(Buffer.from(text.replace(/[ \t\r\n]/g, ''), 'base64'))).toBe(true);
    }),
    2,
  );
});
