import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ImggenError } from '../../src/errors.ts';
import { seeded } from './random.ts';

export { seeded as mulberry32 } from './random.ts';

/** Cases of a property: a few in `npm test`, more in `npm run test:slow`, `IMGGEN_PROPERTY_RUNS=10000` for the long run. */
const runs = Number(process.env.IMGGEN_PROPERTY_RUNS ?? (process.env.IMGGEN_TEST_MODE === 'slow' ? 250 : 60));
/** `IMGGEN_PROPERTY_SEED` repeats a run that failed. */
const seed = process.env.IMGGEN_PROPERTY_SEED;

/**
 * A property as a test. A failure shows fast-check's seed, path and smallest example.
 * @param share of the usual number of cases by default, for what is slow; the long run does them all
 */
export function property<Values>(name: string, subject: fc.IRawProperty<Values>, share = 1): void {
  const numRuns = process.env.IMGGEN_PROPERTY_RUNS === undefined ? Math.ceil(runs * share) : runs;
  test(name, { timeout: 30_000 + numRuns * 500 }, async () => {
    await fc.assert(subject, { numRuns, ...(seed === undefined ? {} : { seed: Number(seed) }) });
  });
}

/** Sizes of chunks, taken in turn: streams that are cut anywhere. */
export const chunkSizes = fc.oneof(
  fc.constant([1]),
  fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
  fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 8 }),
);

/** The bytes in chunks of these sizes. */
export function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array, void> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] as number;
    yield Uint8Array.from(bytes.subarray(at, at + size));
    at += size;
  }
}

/** Any text that a JavaScript string can hold, halves of surrogate pairs and control characters included. */
export const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
  fc.string({
    unit: fc.constantFrom(
      '\u0000',
      '\u001b',
      '\n',
      '\r',
      '\t',
      '\u007f',
      '\u009b',
      '\u202e',
      '\u2066',
      '\ud800',
      '\udfff',
      '\ufeff',
      '/',
      '\\',
      '.',
      '-',
      'a',
      'É',
      'e\u0301',
      '[',
      ']0;',
      '猫',
    ),
  }),
);

/** What `act` throws; undefined when it does not. Any error but an ImggenError with this code fails the test. */
export function refusalOf(act: () => unknown, code: ImggenError['code'] = 'bad_answer'): ImggenError | undefined {
  try {
    act();
  } catch (error) {
    return asRefusal(error, code);
  }
  return undefined;
}

export function asRefusal(error: unknown, code: ImggenError['code'] = 'bad_answer'): ImggenError {
  if (!(error instanceof ImggenError)) throw error;
  expect(error.code).toBe(code);
  return error;
}

/** Bytes without any pattern, of which only seed and length are drawn: quick to make and to shrink. */
export function noise(maxLength: number): fc.Arbitrary<Uint8Array> {
  return fc.tuple(fc.nat({ max: maxLength }), fc.nat()).map(([length, seed]) => {
    const random = seeded(seed);
    return Uint8Array.from({ length }, () => random() * 256);
  });
}
