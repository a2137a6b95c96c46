import { createHash } from 'node:crypto';
import fc from 'fast-check';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { ImageMeter, TruncatedImage } from '../../src/images/meter.ts';
import type { ImageFacts, ImageFormat } from '../../src/images/types.ts';
import { asRefusal, chunkSizes, cut, mulberry32, noise, property } from '../support/properties.ts';

interface Sample extends fc.WithToStringMethod {
  format: ImageFormat;
  width: number;
  height: number;
  bytes: Buffer;
}

/** Real images, as sharp makes them, and the smallest files there are. */
async function makeSamples(): Promise<Sample[]> {
  const samples: Sample[] = [];
  const add = (what: string, format: ImageFormat, width: number, height: number, bytes: Buffer) => {
    samples.push({ format, width, height, bytes, [fc.toStringMethod]: () => `${what} ${width}x${height}` });
  };
  for (const [width, height] of [
    [1, 1],
    [2, 3],
    [17, 5],
    [60, 41],
  ] as const) {
    const raw = { width, height, channels: 3 } as const;
    const opaque = () => sharp(pixels(width, height, 3), { raw });
    const alpha = () => sharp(pixels(width, height, 4), { raw: { ...raw, channels: 4 } });
    const images: [what: string, format: ImageFormat, image: Sharp][] = [
      ['png', 'png', opaque().png()],
      ['interlaced png with alpha', 'png', alpha().png({ progressive: true })],
      ['palette png', 'png', opaque().png({ palette: true })],
      ['jpeg', 'jpeg', opaque().jpeg()],
      ['progressive jpeg', 'jpeg', opaque().jpeg({ progressive: true })],
      [
        'jpeg with metadata',
        'jpeg',
        opaque()
          .withExif({ IFD0: { Copyright: 'x'.repeat(9000) } })
          .withIccProfile('srgb')
          .jpeg(),
      ],
      ['lossy webp', 'webp', opaque().webp()],
      ['lossless webp', 'webp', opaque().webp({ lossless: true })],
      ['webp with alpha', 'webp', alpha().webp()],
      ['lossless webp with alpha', 'webp', alpha().webp({ lossless: true })],
      [
        'webp with metadata',
        'webp',
        opaque()
          .withExif({ IFD0: { Copyright: 'odd' } })
          .webp(),
      ],
      ['gif', 'gif', opaque().gif()],
      ['avif', 'avif', opaque().avif({ effort: 0 })],
      ['avif with alpha', 'avif', alpha().avif({ effort: 0 })],
    ];
    for (const [what, format, image] of images) add(what, format, width, height, await image.toBuffer());
  }
  for (const format of ['webp', 'gif'] as const) {
    const pages = sharp(pixels(20, 33, 4), { raw: { width: 20, height: 33, channels: 4, pageHeight: 11 } });
    add(`animated ${format}`, format, 20, 11, await pages.toFormat(format, { delay: [10, 10, 10] }).toBuffer());
  }
  add('smallest webp', 'webp', 1, 1, Buffer.from('UklGRhIAAABXRUJQVlA4TAYAAAAvAAAAAAA=', 'base64'));
  add('smallest gif', 'gif', 1, 1, Buffer.from('R0lGODlhAQABAAAAACwAAAAAAQABAAACAQAAOw==', 'base64'));
  return samples;
}

function pixels(width: number, height: number, channels: 3 | 4): Buffer {
  const random = mulberry32(width * height);
  return Buffer.from(Uint8Array.from({ length: width * height * channels }, () => random() * 256));
}

function measure(bytes: Uint8Array, sizes: readonly number[]): ImageFacts {
  const meter = new ImageMeter();
  // Byte by byte only what is small: the hash takes its time for each chunk.
  const coarse = Math.floor(bytes.length / 2000);
  for (const chunk of cut(
    bytes,
    sizes.map((size) => size + coarse),
  ))
    meter.push(chunk);
  expect(meter.bytes).toBe(bytes.length);
  return meter.finish();
}

/** What the meter says; undefined when it refuses. */
function tryMeasure(bytes: Uint8Array, sizes: readonly number[]): ImageFacts | undefined {
  try {
    return measure(bytes, sizes);
  } catch (error) {
    asRefusal(error);
    return undefined;
  }
}

function factsOf({ format, width, height }: Sample, bytes: Uint8Array): ImageFacts {
  return { format, width, height, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

const samples = await makeSamples();
const sample = fc.constantFrom(...samples);

/** Segments and chunks that may stand before or between those that matter, as other programs write them. */
const extra = fc.record({
  kind: fc.constantFrom('APP1', 'APP15', 'COM', 'fill'),
  content: fc.oneof({ weight: 9, arbitrary: noise(40) }, noise(65_533)),
});

function withExtra({ format, bytes }: Sample, extras: readonly { kind: string; content: Uint8Array }[]): Buffer {
  if (format === 'jpeg') {
    const segments = extras.map(({ kind, content }) => {
      if (kind === 'fill') return Buffer.alloc(content.length % 7, 0xff);
      const head = Buffer.from([0xff, { APP1: 0xe1, APP15: 0xef, COM: 0xfe }[kind] as number, 0, 0]);
      head.writeUInt16BE(content.length + 2, 2);
      return Buffer.concat([head, content]);
    });
    return Buffer.concat([bytes.subarray(0, 2), ...segments, bytes.subarray(2)]);
  }
  if (format === 'png') {
    const chunks = extras.map(({ kind, content }) => {
      const head = Buffer.alloc(8);
      head.writeUInt32BE(content.length);
      head.write({ APP1: 'tEXt', APP15: 'eXIf', COM: 'teXt', fill: 'prVt' }[kind] as string, 4, 'latin1');
      return Buffer.concat([head, content, Buffer.alloc(4)]);
    });
    return Buffer.concat([bytes.subarray(0, 33), ...chunks, bytes.subarray(33)]);
  }
  return bytes;
}

/** Names and lengths of the formats' structures. */
const structures =
  'IHDR IEND \0\0\0\0 \xff\xff\xff\xff \xff\xc0\0\0 \xff\xe1\0\x01 \xff\xda \0\0\0\x01mdat \0\0\0\0meta \0\0\0\x07meta \0\0\0\x01meta ispe \x21\xf9\0 \x2c'.split(
    ' ',
  );

describe('ImageMeter', () => {
  property(
    'knows the format, the size and the end of real images, in any chunks and with anything behind them',
    fc.property(
      sample,
      chunkSizes,
      fc.array(extra, { maxLength: 3 }),
      fc.oneof(fc.constant(new Uint8Array(0)), noise(100)),
      (image, sizes, extras, trailing) => {
        const bytes = Buffer.concat([withExtra(image, extras), trailing]);
        expect(measure(bytes, sizes)).toEqual(factsOf(image, bytes));
      },
    ),
    2,
  );

  property(
    'refuses every beginning of an image as cut short',
    fc.property(sample, chunkSizes, fc.array(extra, { maxLength: 2 }), fc.nat(), (image, sizes, extras, offset) => {
      const bytes = withExtra(image, extras);
      const step = Math.max(1, Math.floor(bytes.length / 25));
      // The first twelve bytes tell what it is; with less of them it may be anything.
      for (let length = 12 + (offset % step); length < bytes.length; length += step) {
        expect(() => measure(bytes.subarray(0, length), sizes)).toThrow(TruncatedImage);
      }
      expect(tryMeasure(bytes.subarray(0, offset % 12), sizes)).toBeUndefined();
    }),
  );

  test('refuses small images that are cut short at any byte', { timeout: 60_000 }, () => {
    for (const { bytes } of samples.filter(({ bytes }) => bytes.length < 1000)) {
      for (let length = 0; length < bytes.length; length += 1)
        expect(tryMeasure(bytes.subarray(0, length), [length])).toBeUndefined();
    }
  });

  property(
    'comes to an end with any change to an image, and says the same in any chunks',
    fc.property(
      sample,
      fc.array(
        fc.tuple(
          fc.oneof(fc.nat({ max: 60 }), fc.nat()),
          fc.oneof(fc.constantFrom(0, 1, 2, 255), fc.nat({ max: 255 })),
        ),
        { minLength: 1, maxLength: 8 },
      ),
      chunkSizes,
      (image, changes, sizes) => {
        const bytes = Buffer.from(image.bytes);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        expect(tryMeasure(bytes, sizes)).toEqual(tryMeasure(bytes, [bytes.length]));
      },
    ),
    4,
  );

  property(
    'comes to an end with any bytes behind a signature',
    fc.property(
      fc.constantFrom(
        '',
        '\x89PNG\r\n\x1a\n',
        ...'\xff\xd8\xff RIFF\x10\0\0\0WEBP RIFF\0\0\0\0WEBPVP8X GIF89a GIF87a \0\0\0\x10ftypavif \0\0\0\x08ftypavis'.split(
          ' ',
        ),
      ),
      fc.array(
        fc.oneof(
          noise(300),
          fc.constantFrom(...structures).map((text) => Buffer.from(text, 'latin1')),
          fc.uint8Array({ maxLength: 9 }),
        ),
        { maxLength: 12 },
      ),
      chunkSizes,
      (signature, parts, sizes) => {
        const bytes = Buffer.concat([Buffer.from(signature, 'latin1'), ...parts]);
        expect(tryMeasure(bytes, sizes)).toEqual(tryMeasure(bytes, [bytes.length]));
      },
    ),
    4,
  );

  property(
    'gives numbers that are sizes, or null',
    fc.property(
      sample,
      fc.array(fc.tuple(fc.nat({ max: 40 }), fc.nat({ max: 255 })), { maxLength: 4 }),
      (image, changes) => {
        const bytes = Buffer.from(image.bytes);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const facts = tryMeasure(bytes, [4096]);
        for (const side of [facts?.width ?? null, facts?.height ?? null]) {
          if (side !== null) expect(Number.isInteger(side) && side >= 0 && side < 2 ** 32).toBe(true);
        }
      },
    ),
  );
});
