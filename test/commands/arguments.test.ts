import { openSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cats, gateway } from '../support/gateway.ts';
import { imggen, start, testKey } from '../support/imggen.ts';
import { Place } from '../support/place.ts';
import { refused } from '../support/refused.ts';
import { sh } from '../support/sh.ts';

describe('--prompt-file', () => {
  test.each([
    ['a device that never ends', '--prompt-file /dev/zero', 'it is not a file'],
    ['a directory', '--prompt-file .', 'it is a directory'],
    ['a file of 5 MB', 'truncate -s 5M big; imggen --prompt-file big', 'big is too long for a prompt'],
    ['a pipe of 5 MB', '--prompt-file <(head -c 5000000 /dev/zero | tr "\\0" a)', 'is too long for a prompt'],
    ['5 MB on stdin', '--prompt-file - < <(head -c 5000000 /dev/zero | tr "\\0" a)', 'stdin is too long for a prompt'],
    ['an empty file', '--prompt-file /dev/null', 'it is not a file'],
    ['a file that is not UTF-8', 'printf "\\377" > bad; imggen --prompt-file bad', '--prompt-file bad is not UTF-8'],
  ])('refuses %s within a bounded time, and nothing is sent', async (_name, script, error) => {
    const api = await gateway();
    const { exit, stderr } = await sh(script.replace(/^(?=--)/, 'imggen '), new Place(), { gateway: api });
    expect({ exit, stderr }).toEqual({ exit: 2, stderr: expect.stringContaining(error) });
    expect(stderr).toMatch(/^error: .*\n(hint: .*\n)?$/);
    expect(api.requests).toEqual([]);
  });

  test.each([
    ['a named pipe', 'mkfifo pipe; echo "a cat" > pipe & imggen --prompt-file pipe'],
    ['a process substitution', 'imggen --prompt-file <(sleep 0.2; echo "a cat")'],
    ['stdin by its path', 'echo "a cat" | imggen --prompt-file /dev/stdin'],
    ['stdin by -', 'echo "a cat" | imggen --prompt-file -'],
    ['a file on stdin', 'echo "a cat" > prompt; imggen --prompt-file /dev/stdin < prompt'],
  ])('reads %s', async (_name, script) => {
    const api = await gateway({ generation: [cats()] });
    const { exit, stderr } = await sh(script, new Place(), { gateway: api });
    expect(exit, stderr).toBe(0);
    expect(api.posts()).toMatchObject([{ prompt: 'a cat' }]);
  });

  test('that waits for the writer of a named pipe ends by Ctrl-C', async () => {
    const place = new Place();
    await sh('mkfifo pipe', place);
    // Checked, the test would read the pipe as well.
    const run = start(['--prompt-file', 'pipe'], { place, unchecked: true });
    // A pipe can be opened for writing once the program has opened it for reading.
    await sh(`exec 3> pipe; kill -INT ${run.pid}; while kill -0 ${run.pid} 2> /dev/null; do sleep 0.05; done`, place);
    expect(await run.end).toMatchObject({ exit: 130, stdout: '' });
  });
});

describe('--param', () => {
  test.each([
    ['12345678901234567890', '12345678901234567890'],
    ['1e400', '1e400'],
    ['-1e400', '-1e400'],
    ['1e-400', '1e-400'],
    ['9007199254740993', '9007199254740993'],
    ['0.1234567890123456789', '0.1234567890123456789'],
    ['{"a":[1,{"b":12345678901234567890}]}', '12345678901234567890'],
    ['[1e999]', '1e999'],
    ['{"a":{"b":1,"b":2}}', 'b'],
  ])('refuses %s, which would be sent as something else', async (value, named) => {
    const stderr = await refused(['a cat', '--param', `seed=${value}`]);
    expect(stderr).toMatch(/^error: --param seed: .*\nhint: /);
    expect(stderr).toContain(named);
  });

  test.each([
    '0',
    '-0.0',
    '1.50',
    '1E3',
    '9007199254740991',
    '100000000000000000000',
    '5e-324',
    '0.1',
    '"12345678901234567890"',
    '{"a":{"b":1},"b":"1e400"}',
    '[true,null,"\\ud800 \\" 1e999"]',
  ])('sends %s as the value that it is', async (value) => {
    const { exit, stdout, stderr } = await imggen(['a cat', '--dry-run', '--json', '--param', `seed=${value}`]);
    expect(exit, stderr).toBe(0);
    const { request } = JSON.parse(stdout) as { request: { body: { seed: unknown } } };
    expect(request.body.seed).toEqual(JSON.parse(value === '-0.0' ? '0' : value));
  });
});

describe('a prompt that begins with a dash', () => {
  test.each([
    [['-a cat']],
    [['- a list\n- of things']],
    [['--a cat --on a mat', '--dry-run']],
    [['generate', '-a cat']],
  ])('%j: the hint names --', async (args) => {
    expect(await refused(args)).toMatch(/\nhint: a prompt that begins with a dash stands after --: imggen -- "-.*"\n$/);
  });

  test('is what the help says too', async () => {
    expect((await imggen(['--help'])).stdout).toContain('imggen -- "-5 degrees"');
  });
});

test('imggen version leads to --version', async () => {
  expect(await refused(['version'])).toBe(
    'error: "version" looks like the option --version\nhint: did you mean: imggen --version; to generate it: imggen generate version\n',
  );
});

test.each([
  [['batch', 'a.yaml', 'b.yaml'], 'imggen batch --help'],
  [['models', 'x'], 'imggen models --help'],
  [['config', 'list', 'x'], 'imggen config list --help'],
  [['config', 'get', '--nonsense'], 'imggen config get --help'],
  [['a cat', '--nonsense'], 'imggen --help'],
])('%j: the hint names the help of that command', async (args, hint) => {
  expect(await refused(args)).toContain(`\nhint: all options: ${hint}\n`);
});

describe('bytes that are not UTF-8', () => {
  const bad = `"$(printf 'a \\377 cat')"`;
  test.each([
    ['as the prompt', bad],
    ['as a value', `"a cat" --user ${bad}`],
    ['as a path', `"a cat" -o ${bad}`],
    ['in --param', `"a cat" --param x=${bad}`],
    ['in a batch', `batch ${bad} --check`],
    ['as the value of a variable', '"a cat"', { IMGGEN_USER: 'x\ufffdy' }],
  ] as [string, string, Record<string, string>?][])(
    '%s are refused, and nothing is sent',
    async (_name, words, env = {}) => {
      const api = await gateway();
      const place = new Place();
      const { exit, stderr } = await sh(`imggen ${words}`, place, { gateway: api, env });
      expect(exit).toBe(2);
      expect(stderr).toMatch(/^error: .*is not valid UTF-8\nhint: .*\n$/);
      expect(api.requests).toEqual([]);
      expect(place.files()).toEqual([]);
    },
  );

  test('but the character that stands for them is a character in a file', async () => {
    const api = await gateway({ generation: [cats()] });
    await imggen(['-'], { gateway: api, stdin: 'a \ufffd cat' });
    expect(api.posts()).toMatchObject([{ prompt: 'a \ufffd cat' }]);
  });
});

describe('HOME that names no directory', () => {
  test.each(['', '.', 'relative/home'])('%j makes no directory where the user works', async (home) => {
    const api = await gateway({ generation: [cats()] });
    const place = new Place();
    const env = { HOME: home, IMGGEN_CONFIG_DIR: undefined, IMGGEN_STATE_DIR: undefined, XDG_CACHE_HOME: undefined };
    const path = await imggen(['config', 'path'], { place, env });
    expect(path).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^\/.*\/\.config\/imggen\/config\.json\n$/) });
    const { exit, files } = await imggen(['a cat'], {
      gateway: api,
      place,
      env: { ...env, XDG_STATE_HOME: place.state, XDG_CONFIG_HOME: place.config },
    });
    expect({ exit, files }).toEqual({ exit: 0, files: ['a-cat-1.png'] });
  });
});

test.each([
  [['--help']],
  [['--version']],
  [['help']],
  [['help', 'exit-codes']],
  [['config', 'set', '--help']],
  [['models']],
  [['models', '--json']],
  [['config', 'list']],
  [['a cat', '--dry-run']],
])('%j: stdout that cannot be written is exit 8', async (args) => {
  const { exit, stderr } = await imggen(args, { stdout: openSync('/dev/full', 'w') });
  expect({ exit, stderr }).toEqual({
    exit: 8,
    stderr: expect.stringMatching(/^error: cannot write to stdout\ncause: .*ENOSPC.*\n$/),
  });
});

test.each([
  ['--format', 'gif', 'is not a known value\nhint: one of: png, jpeg, webp\n'],
  ['--size', '7x7', 'is not a size of gpt-image-1.5\nhint: one of: auto, 1024x1024, 1536x1024, 1024x1536\n'],
])('%s %s: the hint says what its list is', async (flag, value, error) => {
  expect(await refused(['a cat', flag, value])).toBe(`error: ${flag} ${value} ${error}`);
});

test.each(['k', 'sk-1', 'seven77', 'eight888', 'fifteen-letters', testKey])(
  '--verbose never shows the key %s in a header',
  async (key) => {
    const api = await gateway({ generation: [{ status: 400, body: '{"code":1,"message":"no"}' }] });
    const { stderr } = await imggen(['a cat', '--verbose'], { gateway: api, env: { IMGGEN_API_KEY: key } });
    const shown = key === testKey ? 'sk-…1234' : '…';
    expect(stderr).toContain(`\n> authorization: Bearer ${shown}\n`);
    expect(api.requests[0]?.headers.authorization).toBe(`Bearer ${key}`);
  },
);
