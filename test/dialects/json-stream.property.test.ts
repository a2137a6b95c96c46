import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { readAnswer } from '../../src/dialects/answer.ts';
import { JsonStream } from '../../src/dialects/json-stream.ts';
import type { Document } from '../../src/dialects/types.ts';
import {
  anyAnswer,
  anyNode,
  collector,
  expectBytes,
  expectSame,
  imagesOf,
  numbered,
  style,
  written,
} from '../support/documents.ts';
import { asRefusal, chunkSizes, cut, noise, property, refusalOf } from '../support/properties.ts';

interface Result {
  document: Document;
  images: Buffer[];
}

function parse(chunks: Iterable<Uint8Array>): Result {
  const stream = new JsonStream();
  const images: Buffer[] = [];
  let pieces: Uint8Array[] = [];
  for (const chunk of chunks) {
    for (const { bytes, last } of stream.push(chunk)) {
      pieces.push(Buffer.from(bytes));
      if (!last) continue;
      images.push(Buffer.concat(pieces));
      pieces = [];
    }
  }
  return { document: stream.finish(images.map((_image, index) => numbered(index))), images };
}

async function read(bytes: Uint8Array, sizes: readonly number[]): Promise<Result> {
  const { open, images } = collector();
  const documents: Document[] = [];
  for await (const document of readAnswer(body(bytes, sizes), open)) documents.push(document);
  expect(documents).toHaveLength(1);
  return { document: documents[0] as Document, images };
}

async function* body(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array, void> {
  yield* cut(bytes, sizes);
}

/** What JSON.parse says; undefined when it refuses. */
function parsed(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** Changes to a document's bytes, at places given as a part of its length. */
const mutations = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    removed: fc.oneof(fc.constantFrom(0, 1), fc.nat({ max: 9 })),
    added: fc.oneof(
      fc.constantFrom(
        '',
        '"',
        '\\',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        'u',
        '0',
        '\n',
        '\0',
        ' ',
        '\\u00',
        '\\u41zz',
        '\\q',
        '\\',
        '"b64_json":"',
        '"data:;base64,',
        '",',
        '}{',
        '1 2',
        '//',
      ),
      fc.string({ maxLength: 3 }),
    ),
  }),
  { minLength: 1, maxLength: 4 },
);

function mutate(text: string, changes: readonly { at: number; removed: number; added: string }[]): Buffer {
  let bytes = Buffer.from(text);
  for (const { at, removed, added } of changes) {
    const place = Math.round(at * bytes.length);
    bytes = Buffer.concat([bytes.subarray(0, place), Buffer.from(added), bytes.subarray(place + removed)]);
  }
  return bytes;
}

describe('JsonStream', () => {
  property(
    'gives what JSON.parse gives, and the texts of the images',
    fc.property(anyNode, style, chunkSizes, (node, style, sizes) => {
      const text = written(node, style);
      const { document, images } = parse(cut(Buffer.from(text), sizes));
      expectSame(document, JSON.parse(text), images);
      const wanted = imagesOf(node);
      expect(images).toHaveLength(wanted.length);
      for (const [index, image] of wanted.entries()) expectBytes(images[index], image);
    }),
    4,
  );

  property(
    'gives the same for a document that is cut at any byte',
    fc.property(anyNode, style, (node, style) => {
      const bytes = Buffer.from(written(node, style));
      const whole = parse([bytes]);
      expect(parse(cut(bytes, [1]))).toEqual(whole);
      const step = Math.ceil(bytes.length / 200);
      for (let at = 1; at < bytes.length; at += step)
        expect(parse([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
    }),
    0.3,
  );

  property(
    'gives the bytes of images of any size',
    fc.property(
      fc.array(fc.oneof({ weight: 15, arbitrary: noise(2000) }, noise(150_000)), { minLength: 1, maxLength: 3 }),
      style,
      fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      (images, style, sizes, inUrls) => {
        const texts = images.map(
          (bytes) => `${inUrls ? 'data:image/png;base64,' : ''}${Buffer.from(bytes).toString('base64')}`,
        );
        const items = texts.map((text) => ({ kind: 'text', text }) as const);
        const text = written(
          inUrls
            ? { kind: 'object', entries: [['urls', { kind: 'array', items }]] }
            : { kind: 'array', items: items.map((item) => ({ kind: 'object', entries: [['b64_json', item]] })) },
          style,
        );
        const found = parse(cut(Buffer.from(text), sizes)).images;
        expect(
          found.map((base64) => Buffer.from(base64.toString(), 'base64').compare(images.shift() as Uint8Array)),
        ).toEqual(found.map(() => 0));
        expect(images).toEqual([]);
      },
    ),
    0.15,
  );

  property(
    'refuses every beginning of a document',
    fc.property(anyAnswer, style, chunkSizes, (node, style, sizes) => {
      const bytes = Buffer.from(written(node, style).trim());
      const step = Math.ceil(bytes.length / 100);
      for (let length = 0; length < bytes.length; length += step) {
        expect(refusalOf(() => parse(cut(bytes.subarray(0, length), sizes)))).toBeDefined();
      }
    }),
    0.3,
  );
});

describe('readAnswer', () => {
  property(
    'gives the document after its images, whatever stands before the document',
    fc.asyncProperty(
      anyAnswer,
      style,
      chunkSizes,
      fc.constantFrom('', '\ufeff', ' \r\n', '\ufeff\n'),
      async (node, style, sizes, lead) => {
        const text = written(node, style);
        const images = imagesOf(node);
        const result = await read(Buffer.from(lead + text), sizes).catch((error: unknown) => void asRefusal(error));
        expect(result !== undefined).toBe(images.length <= 64);
        if (result) expectSame(result.document, JSON.parse(text), result.images);
      },
    ),
  );

  property(
    'accepts what JSON.parse accepts and refuses what it refuses',
    fc.asyncProperty(anyAnswer, style, mutations, chunkSizes, async (node, style, changes, sizes) => {
      const bytes = mutate(written(node, style), changes);
      const start = bytes.findIndex((byte) => byte > 0x20 && ![0xef, 0xbb, 0xbf].includes(byte));
      const text = bytes.toString('utf8', Math.max(start, 0));
      const wanted = /^[[{]/.test(text) ? parsed(text) : undefined;
      const result = await read(bytes, sizes).catch((error: unknown) => void asRefusal(error));
      if (wanted) {
        expect(result).toBeDefined();
        expectSame(result?.document, wanted.value, result?.images ?? []);
      } else if (result) {
        // JSON has no control characters in its texts. In an image's text they are the decoder's business.
        expect(result.images.some((image) => image.some((byte) => byte < 0x20))).toBe(true);
      }
    }),
    4,
  );

  property(
    'ends with an answer or a refusal for any bytes',
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc
          .string({
            unit: fc.constantFrom(
              '{',
              '}',
              '[',
              ']',
              '"',
              ':',
              ',',
              '\\',
              'u',
              '0',
              '1',
              ' ',
              '\n',
              '\r',
              'data',
              'b64_json',
              ';base64,',
              'é',
            ),
          })
          .map((text) => Buffer.from(text)),
      ),
      chunkSizes,
      async (bytes, sizes) => {
        await read(bytes, sizes).catch((error: unknown) => void asRefusal(error));
      },
    ),
    2,
  );

  property(
    'keeps its limits: 64 deep, 64 images, 1 MB besides the images',
    fc.asyncProperty(
      fc.constantFrom('depth', 'images', 'bytes', 'blanks'),
      fc.integer({ min: -2, max: 2 }),
      fc.constantFrom([1000], [65_536], [7777, 31]),
      async (limit, over, sizes) => {
        const text = {
          depth: `${'['.repeat(64 + over)}${']'.repeat(64 + over)}`,
          images: `[${Array(64 + over)
            .fill('"data:;base64,AAAA"')
            .join(',')}]`,
          bytes: `["${'x'.repeat((1 << 20) - 4 + over)}"]`,
          blanks: `[${' '.repeat(1 << 21)}"data:;base64,${'A'.repeat(1 << 21)}"]`,
        }[limit];
        const result = await read(Buffer.from(text), sizes).catch((error: unknown) => void asRefusal(error));
        expect(result !== undefined).toBe(over <= 0 || limit === 'blanks');
      },
    ),
    0.1,
  );
});
