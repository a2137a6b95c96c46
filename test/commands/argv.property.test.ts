import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { keys, settings } from '../../src/options/settings.ts';
import { anyText, property } from '../support/properties.ts';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(async () => await world.close());

/** Text that an argument can be, and that leads nowhere but below the current directory. */
const harmless = (text: string) => text.toWellFormed().replaceAll('\0', '').replaceAll('/', '').replaceAll('..', '.');
const garbage = anyText.map(harmless);

/** Stands for the gateway of the test, whose port nobody knows yet. */
const gateway = '{{gateway}}';

const words = (line: string) => line.split(' ');
const longName = `${'x'.repeat(300)}.png`;

/** What each flag takes, more or less; a flag that is not here gets garbage alone. */
const values: Readonly<Record<string, readonly string[]>> = {
  '--count': ['1', ' 3 ', ...words('2 10 0 11 -1 1e1 ٣ 1.0')],
  '--size': words('auto 1024x1024 square landscape 512x512 1X1 constructor __proto__'),
  '--format': words('png jpg JPEG webp gif constructor'),
  '--model': ['a b', ...words('gpt-image-1.5 dall-e-2 dall-e-3 gpt-image-9 ../x')],
  '--quality': words('high hd constructor best'),
  '--background': words('transparent opaque auto'),
  '--moderation': words('low auto'),
  '--style': words('vivid natural'),
  '--response-format': words('url b64_json'),
  '--compression': words('0 50 100 101'),
  '--resize': words('4x4 4x x4 x 4 0x4 16385x 4X4 4×4 1e1x1'),
  '--fit': words('inside cover contain fill constructor'),
  '--convert': words('webp avif jpg png gif __proto__'),
  '--convert-quality': words('1 100 0 101'),
  '--out': [...words('. - out out/ a/b/c cat.png cat.gif there.png taken.png file/x 猫.jpeg ~'), longName, 'a\nb.webp'],
  '--name': ['', longName, ...words('{slug}{id}{n}{size}{format}{time} {x} {date}/{slug}-{i} ../x cat.png . a\\b')],
  '--timeout': words('300 5 0.001 0 -1 86401 1e3 .5'),
  '--retries': words('0 1 20 21'),
  '--base-url': [
    '',
    ...words(`${gateway} ${gateway}/ ${gateway}? ftp://127.0.0.1 https://u:p@127.0.0.1 http://192.0.2.1`),
  ],
  '--user': words('me --json -n'),
  '--prompt-file': ['', ...words('file bytes missing . there.png - /dev/zero')],
  '--profile': ['', ...words('work __proto__')],
  '--param': words('seed=1 a={"b":[1]} n=3 x = a= __proto__=1 constructor={} size=1x1 toJSON=1 a=1e999'),
  '--limit': words('1 0 x'),
  '--since': words('7d 2026-01-01 yesterday 1e99d'),
  '--port': words('0 65536 x'),
  '--latency': words('1 -1'),
  '--answer': words('url constructor'),
  '--fault': words('429 drop:0.5 x : reject:2'),
};

const flags = [
  ...keys.flatMap((key) => (settings[key] as { flag?: string }).flag ?? []),
  ...words('--overwrite --skip-existing --json --dry-run'),
  '--prompt-file <file>',
  '--profile <name>',
  '--param <name=value>',
]
  // Painting takes its time.
  .filter((flag) => flag !== '--sandbox')
  .map((flag) => {
    const [, short, long = '', value] = /^(?:(-\w), )?(--[a-z-]+)( <.*>)?$/.exec(flag) ?? [];
    return { short: short ?? long, long, takesValue: value !== undefined };
  });

const valueOf = (long: string) => {
  const known = values[long];
  return known ? fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...known) }, garbage) : garbage;
};

/** A flag with what it takes, in each of the ways to write that; now and then without, or with what it does not take. */
const flag = fc.constantFrom(...flags).chain(({ short, long, takesValue }) =>
  fc.tuple(valueOf(long), fc.integer({ min: 0, max: 19 })).map(([value, way]): string[] => {
    if (way === 0) return [long.replace('--', '--no-').replace('--no-no-', '--')];
    if (way === 1 || !takesValue) return [way === 2 ? `${long}=${value}` : long];
    if (way < 5) return [`${long}=${value}`];
    if (way < 8) return [`${short}${value}`];
    return [way < 12 ? short : long, value];
  }),
);

const prompts = [
  'a cat',
  'a cat',
  '',
  ' ',
  '-a cat',
  'x'.repeat(33_000),
  ...words('cat - -- generate modles help login version 一只猫 --help -V -x --api-key=sk-secret -nq ---'),
];
const word = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...prompts) }, garbage).map((text) => [text]);

const commandLines = [
  ...words('config history resume models logout login help generate batch sandbox').map((command) => [command]),
  ...words('list get set unset path').map((verb) => ['config', verb]),
  ['history', '--limit'],
  ['sandbox', '--fault'],
  ['sandbox', '--port'],
];
const commandLine = fc.constantFrom(...commandLines).chain((words) => {
  const key = fc.constantFrom(...keys, 'profile').map((name) => [name]);
  const value = valueOf(words.at(-1) as string).map((text) => [text]);
  return fc.array(fc.oneof(flag, word, key, value), { maxLength: 3 }).map((rest) => [words, ...rest]);
});

const argv = fc
  .oneof(
    { weight: 3, arbitrary: fc.array(fc.oneof({ weight: 5, arbitrary: flag }, word), { maxLength: 6 }) },
    // Mostly what it should be, so that some of it works.
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constant(['a cat']), fc.array(flag, { maxLength: 2 }))
        .map(([prompt, flags]) => [prompt, ...flags]),
    },
    { weight: 2, arbitrary: commandLine },
    fc.array(garbage, { maxLength: 4 }).map((texts) => [texts]),
  )
  .map((parts) => parts.flat());

const input = fc.record({
  stdin: fc.oneof(
    fc.constantFrom('', 'a cat\n', 'sk-new-key\n', 'x'.repeat(70_000)).map((text) => Buffer.from(text)),
    fc.uint8Array(),
  ),
  stdinIsTerminal: fc.boolean(),
  stdoutIsTerminal: fc.boolean(),
});

describe('the command line', () => {
  property(
    'ends in a documented way with any arguments, and a mistake in them costs nothing',
    fc.asyncProperty(argv, input, async (argv, input) => {
      world.enter();
      const args = argv.map((text) => text.replaceAll(gateway, `${world.origin}/api/v1`));
      const env = { IMGGEN_BASE_URL: `${world.origin}/api/v1` };
      // Nobody types at a terminal here: login reads its key from a file.
      const isAsked = args.includes('login');
      const { exit, stdout, posts } = await world.run(args, {
        ...input,
        stdinIsTerminal: input.stdinIsTerminal && !isAsked,
        env,
      });
      const isPaths =
        exit === 0 && posts === 1 && !args.some((text) => /--json|\p{Cc}/u.test(text)) && !stdout.includes('\ufffd');
      if (isPaths) for (const path of stdout.trimEnd().split('\n')) expect(existsSync(path), path).toBe(true);
    }),
    1.2,
  );

  property(
    'has no mistake where every argument is right',
    fc.asyncProperty(
      fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => /^[^-\ufffd]*\S[^\ufffd]*$/.test(text)),
      fc.integer({ min: 1, max: 10 }),
      fc.constantFrom('png', 'webp', 'jpg'),
      fc.subarray(['--sidecar', '--quiet', '--stream', '--overwrite', '--verbose', '--json']),
      async (prompt, count, format, switches) => {
        world.enter();
        const env = { IMGGEN_BASE_URL: `${world.origin}/api/v1` };
        const args = ['generate', prompt, '-n', String(count), '--format', format, ...switches];
        const { exit, posts, stderr } = await world.run(args, { env });
        expect([exit, posts], stderr).toEqual([0, 1]);
      },
    ),
    0.1,
  );
});
