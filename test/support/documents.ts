import fc from 'fast-check';
import { expect } from 'vitest';
import type { OpenSink } from '../../src/dialects/answer.ts';
import { InlineImage } from '../../src/dialects/types.ts';
import { anyText } from './properties.ts';
import { seeded } from './random.ts';

/** A JSON value that still knows how often its keys stand in it, in which order, and how its numbers are written. */
export type Node =
  | { kind: 'token'; token: string }
  | { kind: 'text'; text: string }
  | { kind: 'array'; items: Node[] }
  | { kind: 'object'; entries: [key: string, value: Node][] };

const imageBytes = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ size: 'medium' }));
const base64 = fc
  .tuple(imageBytes, fc.constantFrom('base64', 'base64url'))
  .map(([bytes, spelling]) => Buffer.from(bytes).toString(spelling as BufferEncoding));

const dataHeader = fc.oneof(
  fc.constantFrom(
    'data:image/png;base64,',
    'data:;base64,',
    'data:image/webp;charset=utf-8; BASE64 ,',
    'data:image/png;\n\tbase64\r,',
    'data:,',
    'data:text/plain,',
    'data:base64,',
    'data:image/png;base64;,',
    'data:image/png;base64x,',
    'data:image/\u00e9\u732b;base64,',
    'data:image/png;base64',
    'Data:image/png;base64,',
    ' data:;base64,',
    'data:image/png,',
    'DATA:image/svg+xml,%3C',
    ' \t/9j/',
    'UklGR',
    'AAAAIGZ0eXBhdmlm',
    'https:',
    'dat',
    'data',
    'data:',
    'datadata:;base64,',
  ),
  // Around the longest header that is looked at.
  fc.integer({ min: 250, max: 262 }).map((length) => `${'data:image/png'.padEnd(length - 8, 'x')};base64,`),
);

const text = fc.oneof(
  anyText,
  base64,
  {
    weight: 2,
    arbitrary: fc.tuple(dataHeader, fc.oneof(base64, base64, anyText)).map(([header, rest]) => header + rest),
  },
  fc.constantFrom('', 'https://example.com/a?b=1&c=2', 'blob-', '=', 'iVBORw0KGgo='),
);

const key = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('b64_json', 'url', 'urls', 'data', 'code') },
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    'toJSON',
    'length',
    '',
    '0',
    '1',
    'b64_json ',
    'B64_JSON',
    'data:;base64,',
  ),
  anyText,
);

const token = fc.oneof(
  fc.constantFrom('null', 'true', 'false', '0', '-0', '1e400', '-1.5E+2', '0.1e-7', '123456789012345678901234567890'),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => JSON.stringify(number)),
);

const { node, array, object } = fc.letrec<{ node: Node; array: Node; object: Node }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    token.map((token): Node => ({ kind: 'token', token })),
    text.map((text): Node => ({ kind: 'text', text })),
    text.map((text): Node => ({ kind: 'text', text })),
    tie('array'),
    tie('object'),
    tie('object'),
  ),
  array: fc.array(tie('node'), { maxLength: 5 }).map((items): Node => ({ kind: 'array', items })),
  object: fc.array(fc.tuple(key, tie('node')), { maxLength: 6 }).map((entries): Node => ({ kind: 'object', entries })),
}));

/** Any JSON value. */
export const anyNode = node;
/** A JSON value that an answer can begin with. */
export const anyAnswer = fc.oneof(array, object);

/** Objects alone, as the events of a stream are. */
export const anyEvent = object;

/** How a document is written; 0 is the plainest. */
export const style = fc.nat();

/** The JSON text of a node: blanks, escapes and the case of their digits as `style` has them. */
export function written(node: Node, style: number): string {
  const random = style === 0 ? () => 0 : seeded(style);
  // Some documents are written plainly, some are full of escapes or blanks.
  const [escaping, spacing] = [random() ** 3, random() ** 2];
  const blank = () => {
    let blanks = '';
    while (random() < spacing * 0.9) blanks += ' \t\n\r'[Math.floor(random() * 4)];
    return blanks;
  };
  const string = (value: string) => {
    let result = '"';
    for (const character of value) result += random() < escaping ? escaped(character, random) : plain(character);
    return `${result}"`;
  };
  const list = (open: string, items: string[], close: string) =>
    open + blank() + items.join(`${blank()},${blank()}`) + blank() + close;
  const value = (node: Node): string => {
    switch (node.kind) {
      case 'token':
        return node.token;
      case 'text':
        return string(node.text);
      case 'array':
        return list('[', node.items.map(value), ']');
      case 'object':
        return list(
          '{',
          node.entries.map(([key, child]) => `${string(key)}${blank()}:${blank()}${value(child)}`),
          '}',
        );
    }
  };
  return blank() + value(node) + blank();
}

const short: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function plain(character: string): string {
  return JSON.stringify(character).slice(1, -1);
}

function escaped(character: string, random: () => number): string {
  const brief = short[character];
  if (brief !== undefined && random() < 0.5) return brief;
  let result = '';
  for (let index = 0; index < character.length; index += 1) {
    const digits = character.charCodeAt(index).toString(16).padStart(4, '0');
    result += `\\u${[...digits].map((digit) => (random() < 0.5 ? digit : digit.toUpperCase())).join('')}`;
  }
  return result;
}

/** The text of the image that a value is; undefined for a value that is none. Written from the README, not from the code. */
function imageText(key: string, value: string): string | undefined {
  const text = value.replace(/^[ \t\n\r]+/, '');
  if (/^data:/i.test(text)) {
    const comma = text.indexOf(',');
    if (comma === -1 || comma > 256) return undefined;
    const isImage = /^data:image\/|;[ \t\n\v\f\r]*base64[ \t\n\v\f\r]*,$/i.test(text.slice(0, comma + 1));
    return isImage ? text.slice(comma + 1) : undefined;
  }
  if (/^https?:/i.test(text)) return undefined;
  const isPlain = key === 'b64_json' || /^(iVBORw0KGgo|\/9j\/|UklGR|R0lGOD|AAAA.GZ0eXBhdmlm)/.test(text);
  return isPlain ? text : undefined;
}

/** Sinks that keep the texts of images; each image stands in its document by its number. */
export function collector(): { open: OpenSink; images: Buffer[] } {
  const images: Buffer[] = [];
  const open: OpenSink = () => {
    const pieces: Uint8Array[] = [];
    return Promise.resolve({
      write: async (text) => void pieces.push(Buffer.from(text)),
      end: async () => numbered(images.push(Buffer.concat(pieces)) - 1),
    });
  };
  return { open, images };
}

/** An image that stands for its number. */
export function numbered(index: number): InlineImage {
  return new InlineImage({ reason: String(index) });
}

/** The image texts of a node, in the order of their arrival. */
export function imagesOf(node: Node, key = ''): string[] {
  switch (node.kind) {
    case 'token':
      return [];
    case 'text':
      return [imageText(key, node.text)].filter((text) => text !== undefined);
    case 'array':
      return node.items.flatMap((item) => imagesOf(item));
    case 'object':
      return node.entries.flatMap(([name, value]) => imagesOf(value, name));
  }
}

/**
 * Whether a document is what JSON.parse gives, each image in it replaced by a reference to its text.
 * @param images the texts of the images, by number
 */
export function expectSame(actual: unknown, parsed: unknown, images: readonly Buffer[], key = ''): void {
  if (typeof parsed === 'string') {
    const image = imageText(key, parsed);
    if (image === undefined) return void expect(actual).toBe(parsed);
    expect(actual).toBeInstanceOf(InlineImage);
    const { outcome } = actual as InlineImage;
    return expectBytes(images[Number('reason' in outcome && outcome.reason)], image);
  }
  if (typeof parsed !== 'object' || parsed === null) return void expect(actual).toBe(parsed);
  expect(Array.isArray(actual)).toBe(Array.isArray(parsed));
  expect(Object.getPrototypeOf(actual)).toBe(Object.getPrototypeOf(parsed));
  expect(Object.keys(actual as object)).toEqual(Object.keys(parsed));
  for (const [name, value] of Object.entries(parsed)) {
    expectSame((actual as Record<string, unknown>)[name], value, images, Array.isArray(parsed) ? '' : name);
  }
}

/** The text of an image comes unescaped; of a text beyond ASCII it is enough that it is not base64. */
export function expectBytes(text: Buffer | undefined, image: string): void {
  const found = text?.toString('latin1');
  if (/^[\0-\x7f]*$/.test(image)) expect(found).toBe(image);
  else expect(found).toMatch(/[\0\x80-\xff]/);
}
