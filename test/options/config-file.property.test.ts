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
  fc.constantFrom('1', '2', '-1', '0.5', '1e400', 'true', 'null', '[]', '{}'),
  fc
    .constantFrom('', 'exit 3', '\u001b[31m', 'auto', 'png', 'square', '2', 'https://h/{task_id}')
    .map((text) => JSON.stringify(text)),
  anyText.map((text) => JSON.stringify(text)),
);
/** As text, since JSON.stringify would leave out what JSON can say: `__proto__`, a key twice, 1e400. */
const entries = fc
  .array(fc.tuple(fc.constantFrom(...keys, 'profile', 'profil', '__proto__', ''), scalar), { maxLength: 4 })
  .map((pairs) => pairs.map(([key, value]) => `${JSON.stringify(key)}: ${value}`).join(',\n'));
const settingsText = fc
  .tuple(entries, fc.constantFrom('work', '__proto__', ''), entries)
  .map(([values, name, profile]) => `{${values && `${values},`}\n"profiles": {"${name}": {${profile}}}}\n`);

const content = fc.oneof(
  { weight: 4, arbitrary: settingsText },
  // A good file is rare among those.
  fc.constantFrom('{}', '{"count": 2}', '{"size": "square", "profiles": {"work": {"count": 3}}, "profile": "work"}'),
  fc
    .tuple(settingsText, fc.nat(), fc.constantFrom('', ',', '"', '}', '\0', '//x\n', '\ufeff'))
    .map(([text, at, added]) => text.slice(0, at % text.length) + added + text.slice((at % text.length) + 1)),
  fc.uint8Array(),
  fc.constantFrom('['.repeat(500), '{"a":'.repeat(500)),
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
