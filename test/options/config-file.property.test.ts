import { readFileSync, statSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { keys } from '../../src/options/settings.ts';
import { anyText, property } from '../support/properties.ts';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(async () => await world.close());

const scalar = fc.oneof(
  fc.constantFrom<unknown>(1, 2, 0, -1, 0.5, Number.POSITIVE_INFINITY, true, false, null),
  fc.constantFrom('', 'exit 3', '\ud800', '\u001b[31m', '\0'),
  fc.constantFrom(...'auto png square 2 constructor http://127.0.0.1/api https://h/{task_id} {slug}'.split(' ')),
  fc.double({ noNaN: true }),
  anyText,
);
const entries = fc.array(
  fc.tuple(
    fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom<string>(...keys) },
      fc.constantFrom('profile', 'profil', 'Size', '__proto__', 'constructor', ''),
    ),
    fc.oneof({ weight: 9, arbitrary: scalar }, fc.jsonValue()),
  ),
  { maxLength: 4 },
);
/** As text, since JSON.stringify would leave out what JSON can say: `__proto__`, a key twice, 1e400. */
const asText = (fields: [string, unknown][]) =>
  fields.map(
    ([key, value]) => `${JSON.stringify(key)}: ${value === Number.POSITIVE_INFINITY ? '1e400' : JSON.stringify(value)}`,
  );
const settingsText = fc
  .tuple(
    entries,
    fc.array(fc.tuple(fc.constantFrom('work', '__proto__', 'constructor', ''), entries), { maxLength: 2 }),
    fc.boolean(),
  )
  .map(([values, profiles, hasProfiles]) => {
    const sets = profiles.map(([name, values]) => `${JSON.stringify(name)}: {${asText(values).join(', ')}}`);
    return `{\n  ${[...asText(values), ...(hasProfiles ? [`"profiles": {${sets.join(', ')}}`] : [])].join(',\n  ')}\n}\n`;
  });

const content = fc.oneof(
  { weight: 6, arbitrary: settingsText },
  // A good file is rare among those.
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      '{}',
      '{"count": 2}',
      '{"size": "square", "profiles": {"work": {"count": 3}}, "profile": "work"}',
    ),
  },
  fc
    .tuple(settingsText, fc.nat(), fc.constantFrom('', ',', '"', '}', '\0', '//x\n', '\ufeff'))
    .map(([text, at, added]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + added + text.slice(place + 1);
    }),
  fc.json(),
  fc.uint8Array(),
  fc
    .tuple(fc.constantFrom('[', '{"a":', '[{"a":'), fc.integer({ min: 1, max: 500 }))
    .map(([unit, times]) => unit.repeat(times)),
);

/** Commands that read the file, and those that also change it. */
const reading = [
  ['config', 'list', '--show-origin'],
  ['config', 'list', '--json'],
  ['config', 'get', 'count'],
  ['config', 'path'],
  ['models'],
  ['history'],
  ['a cat', '--dry-run'],
  ['a cat', '--dry-run', '--profile', 'work'],
  ['a cat'],
];
const changing = [
  { argv: ['config', 'set', 'count', '4'], key: 'count' },
  { argv: ['config', 'set', '--profile', 'work', 'size', 'square'], key: 'size' },
  { argv: ['config', 'unset', 'count'], key: 'count' },
  { argv: ['config', 'unset', '--profile', 'work', 'count'], key: 'count' },
  { argv: ['config', 'set', 'profile', 'work'], key: 'profile' },
  { argv: ['login'], key: 'apiKey' },
  { argv: ['login', '--profile', 'work'], key: 'apiKey' },
  { argv: ['logout'], key: 'apiKey' },
];

const generation = (argv: readonly string[]): Record<string, string> =>
  // Whatever the file says, the images go to the gateway of the test and below the current directory.
  argv.length === 1 && argv[0] === 'a cat'
    ? { IMGGEN_BASE_URL: `${world.origin}/api/v1`, IMGGEN_OUT: 'out', IMGGEN_TIMEOUT: '20' }
    : {};

/** The values of a config file without those of one key, wherever they are, and without what is empty then. */
function others(text: string, key: string): unknown {
  return JSON.parse(text, (name, value: unknown) =>
    name === key || (['work', 'profiles'].includes(name) && JSON.stringify(value) === '{}') ? undefined : value,
  );
}

describe('the config file', () => {
  property(
    'may be anything: it is read or refused, and stays as it is',
    fc.asyncProperty(content, fc.constantFrom(...reading), async (content, argv) => {
      world.enter();
      writeFileSync(world.configFile, content, { mode: 0o600 });
      const before = readFileSync(world.configFile);
      await world.run(argv, { env: generation(argv) });
      expect(readFileSync(world.configFile).equals(before)).toBe(true);
    }),
  );

  property(
    'is changed by one value, or not at all',
    fc.asyncProperty(content, fc.constantFrom(...changing), async (content, { argv, key }) => {
      world.enter();
      writeFileSync(world.configFile, content, { mode: 0o600 });
      const before = readFileSync(world.configFile);
      const { exit } = await world.run(argv, { stdin: Buffer.from('sk-new-key-0123456789\n') });
      const after = readFileSync(world.configFile);
      if (exit !== 0) return void expect(after.equals(before)).toBe(true);
      expect(others(after.toString(), key)).toEqual(others(before.toString(), key));
      expect(statSync(world.configFile).mode & 0o777).toBe(0o600);
    }),
  );
});
