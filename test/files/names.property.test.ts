import { isAbsolute, join, relative } from 'node:path';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { destination } from '../../src/files/destination.ts';
import { renditionPath } from '../../src/files/extensions.ts';
import { slug } from '../../src/files/slug.ts';
import { TargetNames } from '../../src/files/target.ts';
import { fieldNames, type NameFields, namePattern } from '../../src/files/template.ts';
import { anyText, property, refusalOf } from '../support/properties.ts';

/** Where nothing is, so that every name is free. */
const directory = '/nowhere/imggen/out';

const prompt = fc.oneof(
  anyText,
  fc.constantFrom(
    ...'CON nul com¹ Lpt9 . .. ../../etc/passwd .hidden -rf a/b\\c İstanbul 只猫 e\u0301 \u0301 👩‍👩‍👧 \u202eevil a\0b'.split(
      ' ',
    ),
    'ﬁ ẞ',
  ),
  fc.tuple(anyText, fc.integer({ min: 1, max: 300 })).map(([text, times]) => text.repeat(times)),
);

const fields: fc.Arbitrary<NameFields> = fc.record({
  prompt,
  n: fc.integer({ min: 1, max: 10 }),
  model: fc.oneof(fc.constantFrom('gpt-image-1.5', '..', '../x', '.m', 'a/b', '/', 'con'), prompt),
  size: fc.oneof(fc.constantFrom('1024x1024', 'auto', '../..'), anyText),
  format: fc.constantFrom('png', 'jpeg', 'webp'),
  at: fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }).map((date) => date.toISOString()),
  id: fc.constant('20260102T030405-abcdef'),
});

const template = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...fieldNames).map((name) => `{${name}}`) },
      fc.constantFrom(
        ' ',
        '{ i }',
        ...'/ - . .. ../ ./ // \\ x { } {{i}} {} {x} {constructor} {__proto__} ~ C: *'.split(' '),
      ),
      anyText,
      fc.nat({ max: 300 }).map((length) => 'y'.repeat(length)),
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map((parts) => parts.join(''));

const numbers = [1, 2, 10, 99_999];

function expectBelow(path: string): void {
  const below = relative(directory, path);
  expect(isAbsolute(below) || below === '' || below.split('/')[0] === '..').toBe(false);
  for (const segment of below.split('/')) {
    // The sidecar's name is the longest.
    expect(Buffer.byteLength(`${segment}.json`)).toBeLessThanOrEqual(255);
    expect(segment).toMatch(/^[^\p{Cc}/]+$/u);
  }
}

describe('slug', () => {
  property(
    'is a harmless part of a file name, whatever the prompt',
    fc.property(prompt, (text) => {
      const result = slug(text);
      // Letters, marks, digits and single hyphens between them: no separators, dots, controls or reordering marks.
      expect(result).toMatch(/^[\p{L}\p{M}\p{N}]+(-[\p{L}\p{M}\p{N}]+)*$/u);
      expect(Buffer.byteLength(result)).toBeLessThanOrEqual(80);
      expect(result.normalize('NFC')).toBe(result);
      expect(result).not.toMatch(/^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])$/i);
      expect(slug(text)).toBe(result);
      expect(slug(result)).toBe(result);
    }),
    4,
  );
});

describe('namePattern', () => {
  property(
    'stays below the directory, or is refused',
    fc.property(template, fields, (template, fields) => {
      let pattern: ReturnType<typeof namePattern> | undefined;
      const refusal = refusalOf(() => (pattern = namePattern(template, fields)), 'usage');
      expect(refusal === undefined).toBe(pattern !== undefined);
      if (!pattern) return;
      const { name, numbered } = pattern;
      for (const i of numbers) {
        expectBelow(join(directory, `${name(i)}.webp`));
        expect(name(i)).toBe(namePattern(template, fields).name(i));
        // What the user did not hide is not hidden.
        const parts = template.split('/');
        for (const [index, segment] of name(i).split('/').entries()) {
          if (segment.startsWith('.')) expect(parts[index]?.startsWith('.')).toBe(true);
        }
      }
      expect(new Set(numbers.map(name)).size).toBe(numbered ? numbers.length : 1);
      if (fields.n > 1) expect(numbered).toBe(true);
    }),
    4,
  );
});

const stem = fc.oneof(
  fc.nat({ max: 300 }).map((length) => 'z'.repeat(length)),
  fc.nat({ max: 120 }).map((length) => '猫'.repeat(length)),
  fc.string({ minLength: 1 }).map((text) => text.replaceAll('/', '')),
);

describe('TargetNames', () => {
  property(
    'plans as many different names as there are images, all of them possible',
    fc.property(
      fields,
      fc.oneof(
        fc.record({ out: stem.map((stem) => `${directory}/${stem}.png`), name: fc.constant(undefined) }),
        fc.record({ out: fc.constant(directory), name: fc.option(template, { nil: undefined }) }),
      ),
      fc.constantFrom('number', 'overwrite', 'skip'),
      fc.boolean(),
      fc.option(
        fc.record({ original: fc.constantFrom('png', 'jpeg', 'webp'), convert: fc.constantFrom(null, 'webp', 'avif') }),
        { nil: undefined },
      ),
      (fields, { out, name }, collision, sidecar, edited) => {
        let names: TargetNames | undefined;
        refusalOf(() => {
          const to = destination(out, name);
          if (to.kind === 'files') names = TargetNames.plan(to, fields, collision, sidecar, edited);
        }, 'usage');
        if (!names) return;
        const { targets, renditions } = names.naming;
        expect(new Set(targets.map(({ path }) => path)).size).toBe(fields.n);
        const candidates = names.candidates(targets[0], 'webp');
        const tried = Array.from({ length: 12 }, () => candidates.next().value);
        expect(new Set(tried).size).toBe(tried.length);
        const images = [...targets.map(({ path }) => path), ...tried];
        const made = renditions ? images.map((path) => renditionPath(path, renditions.extension)) : [];
        for (const path of [...images, ...made]) expectBelow(path);
        for (const [k, path] of made.entries()) expect(path).not.toBe(images[k]);
      },
    ),
    4,
  );
});
