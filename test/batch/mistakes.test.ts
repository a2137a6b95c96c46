import { describe, expect, test } from 'vitest';
import { type Declared, drawing, lines, mistakesIn, Project } from '../support/batch.ts';
import { gateway } from '../support/gateway.ts';
import { imggen } from '../support/imggen.ts';

/** Runs a batch that must not send anything; what it says of the file, as `line:column: message`. */
async function mistakes(
  content: Declared | string,
  { file = 'images.yaml', args = [], exit = 2 }: { file?: string; args?: string[]; exit?: number } = {},
): Promise<string[]> {
  const api = await gateway({ generation: drawing() });
  const project = new Project(content, { server: api, file });
  const before = project.place.files();
  const run = await project.run(...args);
  const told = mistakesIn(run.stderr, file);
  expect({ exit: run.exit, stdout: run.stdout, requests: api.requests, files: run.files }).toEqual({
    exit,
    stdout: '',
    requests: [],
    files: before,
  });
  expect(lines(run.stderr)).toEqual([
    ...told.map((line) => `${file}:${line}`),
    `error: ${told.length} ${told.length === 1 ? 'mistake' : 'mistakes'} in ${file}; nothing was sent`,
  ]);
  return told;
}

test('all of them are told, each with its place', async () => {
  const text = `defaults:
  sise: square
  quality: best
  prompt: a cat
  count: two
images:
  - prompt: a fox
    out: "fox-{date}.gif"
    promt: a fox
    format: gif
  - out: -.png
    sandbox: true
  - prompt: 12
    prompt-file: fox.md
    sidecar: "yes"
    timeout: 0
  - just a prompt
  - prompt: x
    param: [1]
    variants: { out: x.webp }
  - prompt: y
    param: { n: 2, seed: 7 }
    variants:
      - { out: y.webp, resise: 20x20, fit: stretch }
      - { resize: big, quality: 101 }
      - y.webp
`;
  expect(await mistakes(text)).toEqual([
    '2:3: sise is not a key (did you mean size?)',
    '3:12: quality: "best" is not a known value (one of: standard, hd, low, medium, high, auto)',
    '4:3: prompt belongs to an image, not to the defaults',
    '5:10: count: "two" is not a whole number',
    '8:10: out: {date} would stand in the name as it is (fields are for name)',
    '9:5: promt is not a key (did you mean prompt?)',
    '10:13: format: "gif" is not a known value (one of: png, jpeg, webp, jpg)',
    '11:5: there is no prompt',
    expect.stringMatching(/^12:5: sandbox is not a key \(known: count, size, .*keep-original.*, variants\)$/),
    '13:5: prompt and prompt-file are given (give one of them)',
    '13:13: prompt: 12 is not text (put it in quotes)',
    expect.stringMatching(/^14:18: prompt-file: cannot read fox\.md \(ENOENT.*\)$/),
    '15:14: sidecar: "yes" is not true or false',
    '16:14: timeout: 0 is not a number of seconds above 0 and up to 86400',
    expect.stringMatching(/^17:5: an image is a text, not a map of options/),
    "19:12: param: [1] is not a map of the API's fields",
    '20:15: variants: {"out":"x.webp"} is not a list',
    '22:17: param: n has its own key (use count)',
    '24:32: variants: resise is not a key (did you mean resize?)',
    '24:44: variants: fit: "stretch" is not a known value (one of: inside, cover, contain)',
    '25:9: variants: each needs an out, the file that it makes',
    '25:19: variants: resize: "big" is not a size with sides from 1 to 16384 (800x600, or with one side 800x, x600)',
    '25:33: variants: quality: 101 is not a whole number from 1 to 100',
    '26:9: variants: "y.webp" is not a map',
  ]);
});

test.each([
  [
    'images.json',
    '{"images": [\n  {"promt": "x"},\n  {"prompt": "y", "count": 11}\n]}',
    [
      '2:3: there is no prompt',
      '2:4: promt is not a key (did you mean prompt?)',
      '3:28: count: 11 is not a whole number from 1 to 10',
    ],
  ],
  [
    'images.jsonl',
    '{"prompt": "x", "sise": 1}\n\n{"prompt": "y"\n{"prompt": "z", "out": "-"}\n',
    [
      '1:17: sise is not a key (did you mean size?)',
      expect.stringMatching(/^3:15: /),
      '4:24: out: an image of a batch needs a file',
    ],
  ],
  [
    'prompts.txt',
    `${'x'.repeat(32_001)}\n# a\n${'ab'.repeat(10)}\n`,
    ['1:1: the prompt has 32001 characters (gpt-image-1.5 takes at most 32000)'],
  ],
  ['images.yaml', 'images:\n  - prompt: x\n  prompt: y\n', [expect.stringMatching(/^\d:\d+: /)]],
  ['images.yaml', 'image:\n  - prompt: x\n', ['1:1: "image" is not known here (did you mean: images)']],
  ['images.json', '[]', [expect.stringMatching(/^1:1: /)]],
  ['empty.txt', '# nothing\n', ['1:1: there is no image in it']],
])('%s is told of by line and column', async (file, content, expected) => {
  expect(await mistakes(content, { file })).toEqual(expected);
});

test('what is no batch file by its name sends nothing, also with a file that is one otherwise', async () => {
  const api = await gateway({ generation: drawing() });
  const project = new Project('# Foxes\n\nThey are red.\n', { server: api, file: 'README.md' });
  for (const args of [[], ['--dry-run'], ['--check']]) {
    expect(await project.run(...args)).toMatchObject({
      exit: 2,
      stdout: '',
      files: ['README.md'],
      stderr: expect.stringContaining('error: README.md is no batch file by its name\n'),
    });
  }
  expect(api.requests).toEqual([]);
  expect((await imggen(['batch', '-'], { place: project.place, gateway: api, stdin: 'a fox\n' })).exit).toBe(0);
});

describe('one file for two', () => {
  test.each<[string, Record<string, unknown>[], string]>([
    ['the same', [{ out: 'x.png' }, { out: './x.png' }], '4:5: x.png is the file of line 2 too'],
    ['by case', [{ out: 'Fox.png' }, { name: 'fox' }], '4:5: fox.png is the file of line 2 too'],
    [
      'by the form of its letters',
      [{ name: 'caf\u00e9' }, { name: 'cafe\u0301' }],
      '4:5: cafe\u0301.png is the file of line 2 too',
    ],
    [
      'by a variant',
      [{ out: 'x.png' }, { out: 'y.png', variants: [{ out: 'x.png' }] }],
      '4:5: x.png is the file of line 2 too',
    ],
    ['by number', [{ name: 'x', count: 2 }, { out: 'x-2.png' }], '5:5: x-2.png is the file of line 2 too'],
    [
      'of its own',
      [{ out: 'y.png' }, { out: 'x.png', variants: [{ out: 'x.png' }] }],
      '4:5: x.png is the file of line 4 too',
    ],
    [
      'an original',
      [{ out: 'x.png', resize: '2x' }, { out: 'x.original.png' }],
      '5:5: x.original.png is the file of line 2 too',
    ],
    ['by the prompt', [{}, { prompt: 'x!' }], '3:5: x-1.png is the file of line 2 too'],
  ])('%s', async (_name, images, expected) => {
    expect(await mistakes({ images: images.map((image) => ({ prompt: 'x', ...image })) })).toEqual([
      `${expected} (give it another out or name)`,
    ]);
  });

  test('also where this run is about one of them only', async () => {
    const images = [
      { prompt: 'x', out: 'a/x.png' },
      { prompt: 'y', out: 'a/x.png' },
    ];
    for (const args of [['--only', 'nothing'], ['--shard', '1/2', '--check'], ['--check'], ['--dry-run']])
      expect(await mistakes({ images }, { args })).toHaveLength(1);
  });
});

describe('a name', () => {
  test.each<[Record<string, unknown>, string]>([
    [{ name: '{date}/x' }, '3:11: name: {date} differs from run to run (a job must have the same names each time)'],
    [{ name: 'x-{id}' }, '3:11: name: {id} differs from run to run (a job must have the same names each time)'],
    [{ name: '{time}' }, '3:11: name: {time} differs from run to run (a job must have the same names each time)'],
    [
      { name: 'x-{seed}' },
      '3:11: name x-{seed} has an unknown field {seed} ({slug} {i} {n} {model} {size} {format} {date} {time} {id})',
    ],
    [
      { name: '../x' },
      '3:11: name ../x leaves the directory of out (a relative path below out, such as {date}/{slug}-{i})',
    ],
    [{ out: '-' }, '3:10: out: an image of a batch needs a file'],
    [{ out: 'x.gif' }, '3:10: out x.gif: no model makes that format (use .png, .jpg, .jpeg or .webp)'],
    [{ out: 'x.avif' }, '3:10: out x.avif: no model makes that format (add convert avif)'],
    [{ out: 'x.png', name: 'y' }, '3:10: out x.png names a file, and name names it too (give one of them)'],
    [
      { out: 'x.png', format: 'webp' },
      '3:10: format webp and out x.png do not agree (leave format out: the extension decides)',
    ],
    [
      { out: 'x.png', convert: 'webp' },
      '3:10: convert webp and out x.png do not agree (the name is that of the converted image)',
    ],
    [{ variants: [{ out: 'small' }] }, '4:9: variants: out small is no image file (use .png, .jpg, .webp or .avif)'],
    [
      { variants: [{ out: 'x.webp', convert: 'png' }] },
      '4:9: variants: convert png and out x.webp do not agree (leave convert out: the extension decides)',
    ],
  ])('%j', async (image, expected) => {
    expect(await mistakes({ images: [{ prompt: 'x', ...image }] })).toEqual([expected]);
  });

  test('of the defaults or of the command line', async () => {
    expect(await mistakes({ defaults: { name: '{date}-{slug}' }, images: [{ prompt: 'x' }, { prompt: 'y' }] })).toEqual(
      ['2:9: name: {date} differs from run to run (a job must have the same names each time)'],
    );
    expect(await mistakes({ images: [{ prompt: 'x' }] }, { args: ['--name', '{id}'] })).toEqual([
      '2:5: name: {id} differs from run to run (a job must have the same names each time)',
    ]);
    expect(await mistakes({ images: [{ prompt: 'x' }] }, { args: ['-o', '-'] })).toEqual([
      '2:5: out: an image of a batch needs a file',
    ]);
  });
});

describe('what does not go with the rest', () => {
  test.each<[Record<string, unknown>, string[]]>([
    [
      { model: 'dall-e-3', count: 2, background: 'opaque', size: '256x256' },
      [
        '4:12: count 2 is more than dall-e-3 makes at once (at most 1)',
        '5:17: background opaque is not taken by dall-e-3 (leave it out, or choose another model: imggen models)',
        '6:11: size 256x256 is not a size of dall-e-3 (one of: 1024x1024, 1792x1024, 1024x1792)',
      ],
    ],
    [
      { compression: 50 },
      ['3:18: compression 50 does not go with png, which is never compressed with loss (use format jpeg or webp)'],
    ],
    [
      { format: 'jpeg', background: 'transparent' },
      ['4:17: background transparent does not go with jpeg, which has no transparency (use format png or webp)'],
    ],
    [{ prompt: ' ' }, ['2:13: the prompt is empty']],
    [{ prompt: '' }, ['2:13: the prompt is empty']],
    [
      { keepOriginal: false, 'keep-original': true },
      ['4:5: keep-original is given twice (keepOriginal says the same)'],
    ],
    [{ quality: 50, 'convert-quality': 60 }, ['4:5: convert-quality is given twice (quality says the same)']],
    [
      { 'base-url': 'https://images.example/v1' },
      [
        '3:15: base-url: https://images.example/v1 would get the API key, and only a file says so (name it yourself: --base-url, IMGGEN_BASE_URL or the config file)',
      ],
    ],
    [{ constructor: 1 }, [expect.stringMatching(/^3:5: constructor is not a key/)]],
    [{ __proto__: null, toString: 1 }, [expect.stringMatching(/^3:5: toString is not a key/)]],
  ])('%j', async (image, expected) => {
    expect((await mistakes({ images: [{ prompt: 'x', ...image }] })).sort()).toEqual(expected);
  });

  test.each<[string, string | Uint8Array | undefined, string]>([
    ['/dev/zero', undefined, 'it is not a file'],
    ['.', undefined, 'it is not a file'],
    ['large.txt', 'x'.repeat(5 << 20), 'it is larger than any prompt'],
    ['latin.txt', Buffer.from('caf\xe9', 'latin1'), 'The encoded data was not valid for encoding utf-8'],
    ['blank.txt', ' \n', ''],
  ])('is a prompt-file that is no prompt: %s', async (file, content, why) => {
    const project = new Project({ images: [{ 'prompt-file': file }] });
    if (content !== undefined) project.place.write(file, content);
    const { exit, stdout, stderr } = await project.run();
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(mistakesIn(stderr, project.file)).toEqual([
      why === '' ? '2:18: the prompt is empty' : `2:18: prompt-file: cannot read ${file} (${why})`,
    ]);
  });

  test('of the defaults is told once, at the defaults', async () => {
    const images = ['x', 'y', 'z'].map((prompt) => ({ prompt }));
    expect(await mistakes({ defaults: { model: 'dall-e-3', style: 'vivid', count: 4 }, images })).toEqual([
      '4:10: count 4 is more than dall-e-3 makes at once (at most 1)',
    ]);
    expect(await mistakes({ defaults: { 'base-url': 'http://images.example' }, images })).toHaveLength(1);
    expect(await mistakes({ defaults: { keepOriginal: true, 'keep-original': true }, images })).toEqual([
      '3:3: keep-original is given twice (keepOriginal says the same)',
    ]);
  });

  test('of the command line is told at each image', async () => {
    expect(
      await mistakes({ images: [{ prompt: 'x' }, { prompt: 'y', model: 'dall-e-2' }] }, { args: ['--style', 'vivid'] }),
    ).toEqual([
      '2:5: style vivid is not taken by gpt-image-1.5 (leave it out, or choose another model: imggen models)',
      '3:5: style vivid is not taken by dall-e-2 (leave it out, or choose another model: imggen models)',
    ]);
  });

  test('in a place for the key is none where that was named elsewhere too, or nothing is sent there', async () => {
    const project = new Project({ images: [{ prompt: 'x', 'base-url': 'https://images.example/v2' }] });
    expect((await project.run('--sandbox')).exit).toBe(0);
    expect(
      (await project.runWith({ env: { IMGGEN_BASE_URL: 'https://images.example/v1' } }, '--dry-run', '--force')).exit,
    ).toBe(0);
    expect((await project.run('--base-url', 'https://images.example', '--dry-run', '--force')).exit).toBe(0);
    expect((await project.run('--base-url', 'https://other.example', '--dry-run', '--force')).exit).toBe(2);
  });
});

test('hostile text in a mistake is shown without what a terminal obeys', async () => {
  const key = 'a\u001b[31m\u202e\nb';
  const [told] = await mistakes(JSON.stringify({ images: [{ prompt: 'x', [key]: 1 }] }), { file: 'images.json' });
  expect(told).toMatch(/^1:26: a b is not a key/);
});

test('--json has them in its document', async () => {
  const project = new Project({
    images: [
      { prompt: 'x', sise: 1 },
      { prompt: 'y', quality: 'best' },
    ],
  });
  const { exit, stdout, stderr } = await project.run('--json');
  expect(exit).toBe(2);
  expect(JSON.parse(stdout)).toEqual({
    error: {
      code: 'usage',
      exit: 2,
      message: '2 mistakes in images.yaml; nothing was sent',
      cause: null,
      hint: null,
      request_id: null,
      mistakes: [
        { line: 3, column: 5, message: 'sise is not a key', hint: 'did you mean size?' },
        {
          line: 5,
          column: 14,
          message: 'quality: "best" is not a known value',
          hint: 'one of: standard, hd, low, medium, high, auto',
        },
      ],
    },
  });
  expect(lines(stdout)).toHaveLength(1);
  expect(mistakesIn(stderr, 'images.yaml')).toHaveLength(2);
});

describe('files that are there', () => {
  test('are not replaced, unless --overwrite says so', async () => {
    const api = await gateway({ generation: drawing() });
    const project = new Project(
      {
        images: [
          { prompt: 'x', out: 'x.png' },
          { prompt: 'y', name: 'y', count: 2, resize: '4x' },
          { prompt: 'z', name: 'z' },
        ],
      },
      { server: api },
    );
    for (const name of ['x.png', 'y-2.original.png']) project.place.write(name, 'mine');
    const { exit, stdout, stderr } = await project.run();
    expect({ exit, stdout, requests: api.requests }).toEqual({ exit: 8, stdout: '', requests: [] });
    expect(mistakesIn(stderr, 'images.yaml')).toEqual([
      '2:5: x.png exists (the lock file does not know it; --overwrite replaces it)',
      '4:5: y-2.original.png exists (the lock file does not know it; --overwrite replaces it)',
    ]);
    expect(project.place.files()).toEqual(['images.yaml', 'x.png', 'y-2.original.png']);
    expect(await project.check()).toHaveLength(3);
    expect((await project.run('--overwrite')).exit).toBe(0);
    expect(project.place.read('x.png').toString()).not.toBe('mine');
    expect(await project.check()).toEqual([]);
  });

  test('also what stands beside an image', async () => {
    const api = await gateway({ generation: drawing() });
    const project = new Project({ images: [{ prompt: 'x', out: 'x.png', sidecar: true }] }, { server: api });
    project.place.write('x.png.json', 'mine');
    expect(await project.run()).toMatchObject({
      exit: 8,
      stdout: '',
      stderr: expect.stringContaining('images.yaml:2:5: x.png.json exists (the lock'),
    });
    expect((await project.run('--overwrite')).exit).toBe(0);
    expect(project.place.json('x.png.json')).toMatchObject({ prompt: 'x' });
    expect((await project.run('--force')).exit).toBe(0);
    expect(api.posts()).toHaveLength(2);
  });

  test('are no trouble for who does not touch them', async () => {
    const api = await gateway({ generation: drawing() });
    const project = new Project(
      {
        images: [
          { prompt: 'x', out: 'x.png' },
          { prompt: 'y', out: 'y.png' },
        ],
      },
      { server: api },
    );
    project.place.write('x.png', 'mine');
    expect((await project.run('--only', 'y.png')).exit).toBe(0);
    expect(project.place.read('x.png').toString()).toBe('mine');
  });
});

describe('a flag', () => {
  test.each([
    [['--rate', '0/min'], '--rate 0/min is not a rate'],
    [['--rate', '5'], '--rate 5 is not a rate'],
    [['--shard', '0/4'], '--shard 0/4: expected i/n with 1 ≤ i ≤ n'],
    [['--shard', '5/4'], '--shard 5/4: expected i/n with 1 ≤ i ≤ n'],
    [['--concurrency', '0'], '--concurrency'],
    [['--max-images', '-1'], '--max-images'],
    [['--max-images', 'many'], '--max-images'],
    [['--size'], '--size'],
    [['--skip-existing'], '--skip-existing'],
  ])('%j', async (args, message) => {
    const project = new Project({ images: [{ prompt: 'x' }] });
    const { exit, stdout, stderr } = await project.run(...args);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(stderr).toContain(message);
  });
});

test.each([
  [['missing.yaml'], 'cannot read missing.yaml'],
  [['.'], '. is a directory'],
])('%j is no batch file', async (args, message) => {
  const { exit, stdout, stderr } = await imggen(['batch', ...args]);
  expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
  expect(stderr).toContain(message);
});
