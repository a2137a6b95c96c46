import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { drawing, mistakesIn, Project } from '../support/batch.ts';
import { gateway } from '../support/gateway.ts';

type Image = Record<string, unknown>;

/** What a run says of a file of these images, beside a file `file`; it must send nothing. */
async function refused(images: Image[], kind: 'yaml' | 'jsonl' = 'yaml', ...args: string[]): Promise<string[]> {
  const api = await gateway({ generation: drawing() });
  const file = `images.${kind}`;
  const all = images.map((image) => ({ prompt: 'x', ...image }));
  const text = kind === 'yaml' ? stringify({ images: all }) : all.map((image) => JSON.stringify(image)).join('\n');
  const project = new Project(text, { server: api, file });
  writeFileSync(join(project.place.cwd, 'file'), '');
  const { exit, stdout, stderr } = await project.run(...args);
  expect({ exit, stdout, requests: api.requests }).toEqual({ exit: 2, stdout: '', requests: [] });
  return mistakesIn(stderr, file);
}

test.each<[what: string, image: Image, yaml: string, jsonl: string]>([
  ['NUL in out', { out: 'a\0.png' }, '3:10: out: "a\\u0000.png" has a control character', '1:21'],
  ['an escape in out', { out: 'a\x1b[31m.png' }, '3:10: out: "a\\u001b[31m.png" has a control character', '1:21'],
  ['a newline in out', { out: 'a\nb.png' }, '3:10: out: "a\\nb.png" has a control character', '1:21'],
  ['a C1 control in a directory', { out: 'a\x9b/b.png' }, '3:10: out: "a\x9b/b.png" has a control character', '1:21'],
  ['NUL in name', { name: 'a\0' }, '3:11: name: "a\\u0000" has a control character', '1:22'],
  [
    'NUL in a variant',
    { variants: [{ out: 'v\0.webp' }] },
    '4:14: variants: out: "v\\u0000.webp" has a control character',
    '1:34',
  ],
  [
    'a home directory',
    { out: '~/a.png' },
    '3:10: out: "~/a.png" begins with ~, which only a shell expands (write the whole path, or ./~ for a name that begins so)',
    '1:21',
  ],
  [
    'a home directory of a variant',
    { variants: [{ out: '~a/v.png' }] },
    '4:14: variants: out: "~a/v.png" begins with ~',
    '1:34',
  ],
  ['a long name', { out: `${'x'.repeat(251)}.png` }, '3:10: the file name of out has more than 240 bytes', '1:21'],
  ['a long directory', { out: `${'x'.repeat(256)}/a.png` }, '2:5: xxx', '1:1:'],
  ['a long path', { out: `${'x/'.repeat(2100)}a.png` }, '2:5: the path …', '1:1:'],
  ['a long directory of a variant', { variants: [{ out: `${'x'.repeat(256)}/v.png` }] }, '2:5: ', '1:'],
  ['a path through a file', { out: 'file/a.png' }, '2:5: file is not a directory', '1:1:'],
  ['NUL in prompt-file', { prompt: undefined, 'prompt-file': 'a\0' }, '', ''],
])('%s is a mistake with its place, before anything is sent', async (_what, image, yaml, jsonl) => {
  const [told, ...others] = await refused([image]);
  expect(others).toEqual([]);
  expect(told).toContain(yaml.replace(/[\x80-\x9f]/g, ''));
  const [line] = await refused([image], 'jsonl');
  expect(line).toMatch(new RegExp(`^${jsonl}`));
});

test('half of a surrogate pair in a name is a mistake with its place', async () => {
  expect(await refused([{ out: 'a\ud800.png' }], 'jsonl')).toEqual(['1:21: out: "a\\ud800.png" is not valid Unicode']);
  expect(await refused([{ name: 'a\udfff' }], 'jsonl')).toEqual(['1:22: name: "a\\udfff" is not valid Unicode']);
});

test.each<[what: string, image: Image, says: string, args?: string[]]>([
  ['the lock file as a directory', { out: 'images.yaml.lock.json/' }, 'images.yaml.lock.json/x-1.png is the lock file'],
  [
    'the log of the lock file as a directory',
    { out: 'images.yaml.lock.jsonl' },
    'images.yaml.lock.jsonl is not a directory',
  ],
  ['the batch file as a directory', { out: 'images.yaml' }, 'images.yaml is not a directory'],
  ['a lock file that is named so', { out: 'a/../x.png' }, 'x.png is the lock file', ['--lock', 'x.png']],
  [
    'a sidecar on the lock file',
    { out: 'x.png', sidecar: true },
    'x.png.json is the lock file',
    ['--lock', 'x.png.json'],
  ],
  [
    'the lock file of a shard',
    { out: 'images.yaml.lock.1-of-1.json/' },
    'images.yaml.lock.1-of-1.json/x-1.png is the lock file',
    ['--shard', '1/1'],
  ],
])('an image in the place of %s is a mistake', async (_what, image, says, args = []) => {
  const [told] = await refused([image], 'yaml', ...args);
  expect(told).toContain(says);
});

test.each<[what: string, images: Image[]]>([
  ['before', [{ out: 'a.png' }, { out: 'a.png/b.png' }]],
  ['after', [{ out: 'a.png/b.png' }, { name: 'a', out: '.' }]],
])('the image of a job cannot be the directory of one %s it', async (_when, images) => {
  expect(await refused(images)).toEqual([
    expect.stringMatching(/^\d:5: .*a\.png.* line 2 too|a\.png is the directory of a\.png\/b\.png/),
  ]);
});

test.each(['12345678901234567890', '1e400', '-9007199254740993', '[1, {"a": 1e999}]'])(
  'a number that cannot be sent as it is written is a mistake with its place: %s',
  async (number) => {
    const api = await gateway({ generation: drawing() });
    for (const [file, text, place] of [
      ['a.yaml', `images:\n- prompt: x\n  param: { seed: ${number} }\n`, '3:'],
      ['a.json', `{"images": [\n{"prompt": "x", "param": {"seed": ${number}}}]}`, '2:'],
      ['a.jsonl', `{"prompt": "x", "param": {"seed": ${number}}}`, '1:'],
    ] as const) {
      const project = new Project(text, { server: api, file });
      const { exit, stderr } = await project.run();
      expect({ exit, requests: api.requests }).toEqual({ exit: 2, requests: [] });
      expect(mistakesIn(stderr, file)).toEqual([expect.stringMatching(new RegExp(`^${place}\\d+: this number`))]);
    }
  },
);

test('a file without an extension is no batch file, whatever it holds', async () => {
  const api = await gateway({ generation: drawing() });
  for (const content of ['root:x:0:0\n', '{"prompt": "x"}\n', 'images: [{prompt: x}]\n']) {
    const project = new Project(content, { server: api, file: 'jobs' });
    const { exit, stdout, stderr } = await project.run();
    expect({ exit, stdout, requests: api.requests }).toEqual({ exit: 2, stdout: '', requests: [] });
    expect(stderr).toContain('error: jobs is no batch file by its name\n');
    expect(stderr).toContain('imggen batch - < file');
  }
});
