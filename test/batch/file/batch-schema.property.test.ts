import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readFields } from '../../../src/batch/jobs/fields.ts';
import { JobReader } from '../../../src/batch/jobs/job.ts';
import { batchSchema } from '../../../src/batch/jobs/schema.ts';
import { batchFileOf } from '../../../src/batch/file/document.ts';
import { JsonReader } from '../../../src/batch/file/json.ts';
import type { Mistake } from '../../../src/batch/file/types.ts';
import { property } from '../../support/properties.ts';

const accepts = new Ajv({ allErrors: false, strict: true, strictRequired: false, allowUnionTypes: true }).compile(
  batchSchema(),
);

/** For each key of a job values that it takes, and some that it does not. */
const values: Record<string, [good: readonly unknown[], bad: readonly unknown[]]> = {
  count: [
    [1, 3, 10],
    [0, 11, 1.5, '2', -1],
  ],
  size: [
    ['square', 'portrait', 'auto', '1024x1024'],
    ['Square', '10x10', 'big', 1024],
  ],
  format: [
    ['png', 'jpeg', 'jpg', 'webp'],
    ['gif', 'PNG', 'avif'],
  ],
  model: [
    ['gpt-image-1.5', 'dall-e-2', 'x'],
    ['', ' ', '\u2003', 3],
  ],
  quality: [
    ['low', 'hd', 'auto', 1, 80, 100],
    ['best', 0, 101, 50.5, '80'],
  ],
  background: [
    ['opaque', 'transparent'],
    ['blue', 'Opaque'],
  ],
  moderation: [['low'], ['none']],
  style: [['vivid', 'natural'], ['wild']],
  'response-format': [['url', 'b64_json'], ['b64']],
  user: [
    ['me', '0'],
    ['', 0],
  ],
  compression: [
    [0, 50, 100],
    [101, -1, '50', 0.5],
  ],
  resize: [
    ['800x600', '800x', 'x600', '800X600', '800×600', ' 800x600 ', '800 x 600'],
    ['big', 'x', '', 800, '800', '-1x5', '800x600x2'],
  ],
  fit: [
    ['cover', 'contain', 'inside'],
    ['fill', 'Cover'],
  ],
  convert: [
    ['webp', 'avif', 'jpg', 'png'],
    ['gif', ''],
  ],
  'convert-quality': [
    [1, 100],
    [0, 101, 'high', '80'],
  ],
  out: [
    ['a.png', 'a', 'a/b.webp', '-'],
    ['', '\n', 1],
  ],
  name: [
    ['a', '{slug}-{i}', '{date}'],
    ['', ' ', 2026],
  ],
  sidecar: [
    [true, false],
    ['true', 0, 'yes'],
  ],
  'keep-original': [
    [true, false],
    ['no', 1],
  ],
  keepOriginal: [
    [true, false],
    ['no', 1],
  ],
  stream: [[true, false], ['on']],
  timeout: [
    [0.5, 1, 86_400],
    [0, -1, 86_401, '60'],
  ],
  retries: [
    [0, 2, 20],
    [21, 0.5, '2'],
  ],
  'retry-unknown': [
    [true, false],
    ['', 0],
  ],
  'base-url': [
    ['https://images.example/v1', 'HTTP://127.0.0.1:1', ' https://images.example'],
    ['images.example', 'ftp://images.example', '', 1],
  ],
  param: [
    [{}, { seed: 7 }, { a: { b: [null] } }],
    [{ n: 2 }, { prompt: 'x' }, { model: 'x', a: 1 }, { stream: true }, [], 'seed=7'],
  ],
};
const prompts: Record<string, [readonly unknown[], readonly unknown[]]> = {
  prompt: [
    ['a cat', ' x ', '0'],
    ['', ' \n', 7],
  ],
  'prompt-file': [['missing.txt'], ['', 7]],
};
const ofVariants: Record<string, [readonly unknown[], readonly unknown[]]> = {
  out: [
    ['a.webp', 'b/c.avif', 'x'],
    ['', 1],
  ],
  resize: values.resize as never,
  fit: values.fit as never,
  convert: values.convert as never,
  quality: [
    [1, 100],
    ['high', 0, 101, '80'],
  ],
};
/** What is wrong for every key. */
const never = [null, {}, [], ['x'], 1e300];
const unknownKeys = [
  'promt',
  'Size',
  'n',
  'sandbox',
  'quiet',
  'verbose',
  'json',
  'overwrite',
  'profile',
  'api-key',
  'keep_original',
  'responseFormat',
  '__proto__',
  'constructor',
  'toString',
  '',
];

type Known = Record<string, [readonly unknown[], readonly unknown[]]>;
type Fields = [key: string, value: unknown][];

/** Some of the known keys with values that they take; with `wrong` also what is wrong. */
function fieldsOf(known: Known, wrong: boolean): fc.Arbitrary<Fields> {
  const given = fc.subarray(Object.keys(known)).chain((keys) =>
    fc.tuple(
      ...keys.map((key) => {
        const [good, bad] = known[key] as Known[string];
        const right = fc.constantFrom(...good);
        const all = wrong
          ? fc.oneof(
              { weight: 12, arbitrary: right },
              { weight: 1, arbitrary: fc.constantFrom(...bad, ...(key === 'param' ? [null, []] : never)) },
            )
          : right;
        return all.map((value): [string, unknown] => [key, value]);
      }),
    ),
  );
  const others = wrong
    ? fc.oneof(
        { weight: 6, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.constantFrom(...unknownKeys).map((key): Fields => [[key, 1]]) },
      )
    : fc.constant<Fields>([]);
  return fc
    .tuple(given, others)
    .chain(([fields, more]) => fc.shuffledSubarray([...fields, ...more], { minLength: fields.length + more.length }));
}

function objectOf(fields: fc.Arbitrary<Fields>): fc.Arbitrary<unknown> {
  return fields.map((all) => Object.fromEntries(all));
}

function imageOf(wrong: boolean): fc.Arbitrary<unknown> {
  const variant = fc
    .tuple(fc.constantFrom<Fields>([['out', 'v.png']], [['out', 'v.webp']]), fieldsOf(ofVariants, wrong))
    .map(([out, fields]) => (wrong ? fields : [...out, ...fields]));
  const variants = fc.array(objectOf(variant), { maxLength: 2 });
  const wrongVariants = fc.oneof(
    { weight: 8, arbitrary: variants },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(null, {}, 'x', ['x'], [[]], [null]) },
  );
  const some = fc
    .option(wrong ? wrongVariants : variants)
    .map((value): Fields => (value === null ? [] : [['variants', value]]));
  const prompt = wrong
    ? fc.oneof(
        { weight: 3, arbitrary: fc.constant<Fields>([['prompt', 'x']]) },
        { weight: 1, arbitrary: fieldsOf(prompts, true) },
      )
    : fc.constantFrom<Fields>([['prompt', 'a cat']], [['prompt-file', 'missing.txt']]);
  const image = fc
    .tuple(prompt, fieldsOf(values, wrong), some)
    .map((parts) => Object.fromEntries(parts.flat()) as unknown);
  return wrong
    ? fc.oneof(
        { weight: 20, arbitrary: image },
        { weight: 1, arbitrary: fc.constantFrom<unknown>(null, 'a cat', [], 3) },
      )
    : image;
}

function documentOf(wrong: boolean): fc.Arbitrary<unknown> {
  const ofDefaults = wrong ? { ...values, ...(prompts as Known), variants: [[], [[]]] as Known[string] } : values;
  const keys = wrong
    ? fc.subarray(Object.keys(ofDefaults).filter((key) => ofDefaults[key]?.[0].length))
    : fc.constant(Object.keys(ofDefaults));
  const defaults = keys.chain((some) =>
    objectOf(fieldsOf(Object.fromEntries(some.map((key) => [key, ofDefaults[key] as Known[string]])), wrong)),
  );
  const images = fc.array(imageOf(wrong), { minLength: wrong ? 0 : 1, maxLength: 3 });
  const top = fc.record(
    { $schema: fc.constantFrom<unknown>('./schema.json', ...(wrong ? [3] : [])), defaults, images },
    { requiredKeys: ['images'] },
  );
  if (!wrong) return top;
  const strange = fc.constantFrom<unknown>(
    {},
    [],
    null,
    'x',
    { images: {} },
    { images: [{ prompt: 'x' }], image: [] },
    { images: [{ prompt: 'x' }], defaults: null },
    { defaults: {} },
    { images: [{ prompt: 'x' }], __proto__: 1 },
  );
  return fc.oneof({ weight: 15, arbitrary: top }, { weight: 1, arbitrary: strange });
}

/** All that the batch says of a document, and that of it which a value is by itself to blame for. */
function judge(text: string): { mistakes: Mistake[]; alone: Mistake[] } {
  const { defaults, entries, mistakes: ofText } = batchFileOf(new JsonReader({ left: 1000 }).read(text));
  const reader = new JobReader({
    directory: '/nowhere',
    defaults,
    flags: {},
    extra: {},
    origin: 'https://images.example',
    layers: { env: {}, profile: undefined, file: {}, path: '' },
  });
  const ofJobs = entries.map((entry) => reader.read(entry)).flatMap((read) => (Array.isArray(read) ? read : []));
  const ofValues = [
    ...readFields(defaults, 'defaults').mistakes,
    ...entries.flatMap(({ fields }) => readFields(fields, 'job').mistakes),
  ];
  const ofPrompts = ofJobs.filter(({ message }) => /no prompt|prompt and prompt-file|prompt is empty/.test(message));
  return { mistakes: [...ofText, ...reader.mistakes, ...ofJobs], alone: [...ofText, ...ofValues, ...ofPrompts] };
}

describe('the JSON Schema and the batch agree', () => {
  // Two keys of one meaning may come together here, which both refuse.
  property(
    'on documents of values that are right',
    fc.property(documentOf(false), (document) => {
      const text = JSON.stringify(document);
      const { mistakes, alone } = judge(text);
      if (accepts(JSON.parse(text))) expect(alone, text).toEqual([]);
      else expect(mistakes, `${text}\n${JSON.stringify(accepts.errors)}`).not.toEqual([]);
    }),
    4,
  );

  property(
    'on documents in which something may be wrong',
    fc.property(documentOf(true), (document) => {
      const text = JSON.stringify(document);
      const { mistakes, alone } = judge(text);
      if (accepts(JSON.parse(text))) expect(alone, text).toEqual([]);
      else expect(mistakes, `${text}\n${JSON.stringify(accepts.errors)}`).not.toEqual([]);
    }),
    8,
  );

  test.each(Object.entries({ ...values, ...prompts }))('on each value of %s', (key, [good, bad]) => {
    const isPrompt = key.startsWith('prompt');
    const documents = (value: unknown) => [
      { images: [{ ...(!isPrompt && { prompt: 'x' }), [key]: value }] },
      ...(isPrompt ? [] : [{ defaults: { [key]: value }, images: [{ prompt: 'x' }] }]),
    ];
    const wrong = [...bad, ...(key === 'param' ? [null, []] : never)];
    for (const [value, isGood] of [
      ...good.map((each) => [each, true] as const),
      ...wrong.map((each) => [each, false] as const),
    ]) {
      for (const document of documents(value)) {
        const text = JSON.stringify(document);
        const { mistakes, alone } = judge(text);
        expect([text, accepts(JSON.parse(text)), isGood ? alone : mistakes.length > 0]).toEqual([
          text,
          isGood,
          isGood ? [] : true,
        ]);
      }
    }
  });

  test('about which keys there are', () => {
    const { properties } = (batchSchema().definitions as { image: { properties: object } }).image;
    expect(Object.keys(properties).sort()).toEqual(
      [...Object.keys(values), ...Object.keys(prompts), 'variants'].sort(),
    );
  });
});
