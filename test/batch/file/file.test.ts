import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ImggenError } from '../../../src/errors.ts';
import { type From, type Limits, openManifest } from '../../../src/batch/file/open.ts';
import type { Field, Manifest } from '../../../src/batch/file/types.ts';
import { Place } from '../../support/place.ts';

/** What a file of this name and content declares: `5:3 key 5:8 value`, and `!` before a mistake. */
async function read(name: string, content: string | Uint8Array, limits?: Partial<Limits>): Promise<string[]> {
  const place = new Place();
  place.write(name, content);
  return await declared({ path: join(place.cwd, name), shown: name }, limits);
}

async function readStdin(content: string): Promise<string[]> {
  return await declared({ stdin: bytesOf(content), spool: new Place().state });
}

async function declared(from: From, limits?: Partial<Limits>): Promise<string[]> {
  const manifest = await openManifest(from, limits);
  try {
    const first = await linesOf(manifest);
    expect(await linesOf(manifest), 'read for a second time').toEqual(first);
    return first;
  } finally {
    await manifest.close();
  }
}

async function* bytesOf(content: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
}

async function linesOf(manifest: Manifest): Promise<string[]> {
  const lines = manifest.defaults.map((field) => `default ${fieldLine(field)}`);
  for await (const part of manifest.entries()) {
    const at = `${part.at.line}:${part.at.column}`;
    if ('fields' in part) lines.push(`${part.index} ${at}`, ...part.fields.map((field) => `  ${fieldLine(field)}`));
    else lines.push(`! ${at} ${part.message}${part.hint === undefined ? '' : ` (${part.hint})`}`);
  }
  return lines;
}

function fieldLine({ key, value, at, valueAt }: Field): string {
  return `${at.line}:${at.column} ${key} ${valueAt.line}:${valueAt.column} ${JSON.stringify(value)}`;
}

async function fieldsOf(name: string, content: string): Promise<readonly Field[]> {
  const place = new Place();
  place.write(name, content);
  const manifest = await openManifest({ path: join(place.cwd, name), shown: name });
  for await (const part of manifest.entries()) {
    await manifest.close();
    if ('fields' in part) return part.fields;
    throw new Error(part.message);
  }
  throw new Error('nothing');
}

async function refusal(opening: Promise<unknown>): Promise<ImggenError> {
  const error = await opening.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(ImggenError);
  return error as ImggenError;
}

const document = `# sprites
$schema: https://example.com/batch.json
defaults:
  size: square
images:
  - prompt: a red fox
    out: assets/fox.png
  - { prompt: an owl, count: 2, param: { seed: 7 } }
  - prompt: >-
      two
      lines
    variants:
      - out: small.webp
        resize: 200x200
`;

describe('a YAML document', () => {
  it('declares defaults and images, each value with its place', async () => {
    expect(await read('a.yaml', document)).toEqual([
      'default 4:3 size 4:9 "square"',
      '0 6:5',
      '  6:5 prompt 6:13 "a red fox"',
      '  7:5 out 7:10 "assets/fox.png"',
      '1 8:5',
      '  8:7 prompt 8:15 "an owl"',
      '  8:23 count 8:30 2',
      '  8:33 param 8:40 {"seed":7}',
      '2 9:5',
      '  9:5 prompt 9:13 "two lines"',
      '  12:5 variants 13:7 [{"out":"small.webp","resize":"200x200"}]',
    ]);
  });

  it('knows where a value inside a value stands', async () => {
    const [prompt, param] = await fieldsOf('a.yml', 'images:\n- prompt: x\n  param:\n    a: [1, {b: 2}]\n');
    expect(param!.within(['a', 1, 'b'])).toEqual({ line: 4, column: 16 });
    expect(param!.within(['a', 7])).toEqual({ line: 4, column: 8 });
    expect(param!.within(['gone', 'b'])).toEqual(param!.valueAt);
    expect(prompt!.within(['x'])).toEqual({ line: 2, column: 11 });
  });

  it('is YAML 1.2, whatever it says', async () => {
    const text = '%YAML 1.1\n---\nimages:\n- {a: yes, b: 017, c: 0o17, d: ~, e: 1e3, 7: 2001-01-01, __proto__: 1}\n';
    expect((await read('a.yaml', text)).map((line) => line.replace(/^ +[\d:]+ /, ''))).toEqual([
      '0 4:3',
      'a 4:7 "yes"',
      'b 4:15 17',
      'c 4:23 15',
      'd 4:32 null',
      'e 4:38 1000',
      '7 4:46 "2001-01-01"',
      '__proto__ 4:69 1',
    ]);
  });

  it('takes anchors, aliases and merge keys; the map itself comes first, then the first of the merged', async () => {
    const text = `defaults: &d { size: square, count: 2 }
images:
  - <<: *d
    count: 3
    "<<": 4
  - <<: [{ a: 1 }, *d, { a: 2, count: 5 }]
  - *d
`;
    expect(await read('a.yaml', text)).toEqual([
      'default 1:16 size 1:22 "square"',
      'default 1:30 count 1:37 2',
      '0 3:5',
      '  4:5 count 4:12 3',
      '  5:5 << 5:11 4',
      '  1:16 size 1:22 "square"',
      '1 6:5',
      '  6:12 a 6:15 1',
      '  1:16 size 1:22 "square"',
      '  1:30 count 1:37 2',
      '2 7:5',
      '  1:16 size 1:22 "square"',
      '  1:30 count 1:37 2',
    ]);
  });

  it('says every mistake of its syntax', async () => {
    expect(await read('a.yaml', 'images:\n- prompt: "a\\q"\n- a: @b\n- c: {\n- d: "e\n')).toEqual([
      '! 2:13 invalid escape sequence \\q',
      '! 3:6 plain value cannot start with reserved character @',
      '! 5:1 flow map in block collection must be sufficiently indented and end with a }',
      '! 6:1 missing closing "quote',
    ]);
  });

  it.each([
    ['a key that stands twice', 'images:\n- prompt: x\n  prompt: y\n', '! 3:3 the key "prompt" is given twice'],
    ['a key that is no text', 'images:\n- ? [a]\n  : b\n', '! 2:5 a key must be a text'],
    ['a number that JSON has not', 'images:\n- a: .inf\n', '! 2:6 this number is beyond what can be held'],
    ['a tag', 'images:\n- a: !ruby x\n', '! 2:6 unknown tag: !ruby (tags are not needed here)'],
    ['an alias of nothing', 'images:\n- a: *b\n', '! 2:6 no anchor "b" stands before this alias'],
    ['an alias of what it is in', 'images:\n- &b { a: *b }\n', '! 2:11 the alias "b" stands for what it is in'],
    ['a merge of a text', 'images:\n- <<: b\n', '! 2:7 << takes a map or a list of maps, this is a text'],
    [
      'a second document',
      'images: [{a: 1}]\n---\nimages: []\n',
      '! 2:1 a second document begins here (one file holds one document)',
    ],
  ])('reports %s', async (_name, text, mistake) => {
    expect((await read('a.yaml', text)).filter((line) => line.startsWith('!'))).toEqual([mistake]);
  });

  it('refuses aliases that stand for millions of values, in no time', async () => {
    const levels = Array.from(
      { length: 30 },
      (_, level) => `- &l${level + 1} [${Array(9).fill(`*l${level}`).join()}]\n`,
    );
    expect(await read('a.yaml', `images:\n- &l0 [x, y]\n${levels.join('')}`)).toEqual([
      expect.stringMatching(/^! 8:\d+ the aliases stand for too much/),
    ]);
  });

  it.each([['['], ['{a: '], ['- '], ['? '], ['a: [']])('refuses %j, 100,000 times', async (nesting) => {
    expect(await read('a.yaml', nesting.repeat(100_000))).toEqual([
      expect.stringContaining('this is nested more than 64 deep'),
    ]);
  });

  it('refuses aliases that nest too deeply', async () => {
    const deep = `&a ${'['.repeat(40)}${']'.repeat(40)}`;
    expect(await read('a.yaml', `images:\n- b: ${deep}\n  c: ${'['.repeat(40)}*a${']'.repeat(40)}\n`)).toContain(
      '! 3:46 this is nested more than 64 deep',
    );
  });
});

describe('a JSON document', () => {
  it('is read as YAML is', async () => {
    const text =
      '\ufeff{\r\n\t"defaults": {"size": "square"},\r\n\t"images": [ {"prompt":"\\ud83e\\udd8a\\u0000 a\\"b","a":[1,-0.5e3]},{} ]}';
    expect(await read('a.json', text)).toEqual([
      'default 2:15 size 2:23 "square"',
      '0 3:14',
      '  3:15 prompt 3:24 "🦊\\u0000 a\\"b"',
      '  3:50 a 3:54 [1,-500]',
      '1 3:66',
    ]);
  });

  it('says every mistake of its syntax', async () => {
    expect(await read('a.json', '{"images": [\n{"prompt": "x",},\n// two\n{"prompt" "y"}]}')).toEqual([
      '! 2:16 a key is expected, in double quotes',
      '! 3:1 JSON has no comments',
      '! 4:11 a colon is expected',
    ]);
  });

  it('reports keys that stand twice, in any depth, and numbers that are too large', async () => {
    const text = '{"images":[{"p":1,"p":[{"q":1,"\\u0071":2}]}],\n"$schema":"","$schema":1e999}';
    expect((await read('a.json', text)).filter((line) => line.startsWith('!'))).toEqual([
      '! 1:19 the key "p" is given twice',
      '! 1:31 the key "q" is given twice',
      '! 2:14 the key "$schema" is given twice',
      '! 2:24 this number is beyond what can be held',
    ]);
  });

  it.each(['['.repeat(100_000), '{"a":'.repeat(100_000), `${'['.repeat(100_000)}${']'.repeat(100_000)}`])(
    'refuses deep nesting',
    async (text) => {
      expect(await read('a.json', text)).toEqual([expect.stringContaining('this is nested more than 64 deep')]);
    },
  );
});

describe('the top of a document', () => {
  it.each([
    ['a.yaml', '', ['! 1:1 there is no image in it']],
    ['a.yaml', '# nothing\n', ['! 1:1 there is no image in it']],
    ['a.json', '\n', ['! 1:1 there is no image in it']],
    ['a.yaml', 'images: []\n', ['! 1:9 there is no image in it']],
    ['a.json', '{"defaults":{}}', ['! 1:1 there is no image in it']],
    [
      'a.json',
      '[{"prompt":"x"}]',
      ['! 1:1 the file is a list, not a map with "images" (the list belongs below the key "images")'],
    ],
    ['a.yaml', 'a fox\n', ['! 1:1 the file is a text, not a map with "images"']],
    ['a.yaml', 'image: []\n', ['! 1:1 "image" is not known here (did you mean: images)']],
    [
      'a.yaml',
      'images: {a: 1}\ndefaults: [b]\n',
      ['! 1:9 "images" is a map, not a list of images', '! 2:11 "defaults" is a list, not a map of options'],
    ],
    [
      'a.yaml',
      'defaults:\nimages:\n',
      ['! 1:10 "defaults" is empty, not a map of options', '! 2:8 "images" is empty, not a list of images'],
    ],
    [
      'a.yaml',
      'imagse: 1\nsettings: 2\nimages: [a fox, 7, {a: 1}]\n',
      [
        '! 1:1 "imagse" is not known here (did you mean: images)',
        '! 2:1 "settings" is not known here (a batch file has "defaults" and "images")',
        '! 3:10 an image is a text, not a map of options (the prompt belongs to the key "prompt")',
        '! 3:17 an image is a number, not a map of options',
        '2 3:20',
        '  3:21 a 3:24 1',
      ],
    ],
  ])('%s: %j', async (name, text, lines) => {
    expect(await read(name, text)).toEqual(lines);
  });
});

describe('JSON Lines', () => {
  it('declare a job a line, and a broken line does not end them', async () => {
    const text = '\ufeff{"prompt":"x"}\r\n \n{"a":1,,}\n[1]\n {"b": {"c":2,"c":3}}\n{"d":"\u2028"}';
    const lines = [
      '0 1:1',
      '  1:2 prompt 1:11 "x"',
      '! 3:8 a key is expected, in double quotes',
      '! 4:1 a line is a list, not an object of options',
      '! 5:15 the key "c" is given twice',
      '3 5:2',
      '  5:3 b 5:8 {"c":3}',
      '4 6:1',
      '  6:2 d 6:6 "\u2028"',
    ];
    expect(await read('a.jsonl', text)).toEqual(lines);
    expect(await read('a.ndjson', text)).toEqual(lines);
    expect(await read('a', text)).toEqual(lines);
    expect(await readStdin(text)).toEqual(lines);
  });

  it('have lines up to a limit', async () => {
    const [fits, long] = [`{"a":"${'x'.repeat((4 << 20) - 8)}"}`, `{"a":"${'x'.repeat((4 << 20) - 7)}"}`];
    const lines = await read('a.jsonl', `${fits}\n${long}\n{}\n`);
    expect(lines.filter((line) => !line.startsWith('  '))).toEqual([
      '0 1:1',
      '! 2:1 a line of more than 4 MB',
      '2 3:1',
    ]);
    expect(await read('a.jsonl', `{}\n${long}`)).toEqual(['0 1:1', '! 2:1 a line of more than 4 MB']);
  });

  it('are empty without a job', async () => {
    expect(await read('a.jsonl', '\n\r\n')).toEqual(['! 1:1 there is no image in it']);
  });
});

describe('plain text', () => {
  it('is a prompt a line, but for comments and blank lines', async () => {
    const text = '\ufeff  a red fox \r\n  # fauna\n\n\\# hash\n an owl: #2\n\\\\#';
    const lines = [
      '0 1:3',
      '  1:3 prompt 1:3 "a red fox"',
      '1 4:1',
      '  4:1 prompt 4:1 "# hash"',
      '2 5:2',
      '  5:2 prompt 5:2 "an owl: #2"',
      '3 6:1',
      '  6:1 prompt 6:1 "\\\\\\\\#"',
    ];
    expect(await read('a.txt', text)).toEqual(lines);
    expect(await read('prompts', text)).toEqual(lines);
    expect(await readStdin(text)).toEqual(lines);
  });

  it.each(['', '# only\n', '\n\n'])('is empty without a prompt: %j', async (text) => {
    expect(await read('a.txt', text)).toEqual(['! 1:1 there is no image in it']);
    expect(await readStdin(text)).toEqual(['! 1:1 there is no image in it']);
  });
});

describe('something else than its name says', () => {
  it.each([
    [
      'a.txt',
      '# all\nimages:\n  - prompt: x\n',
      '! 2:1 this looks like YAML (give the file a name that ends in .yaml)',
    ],
    ['a.txt', '---\n', '! 1:1 this looks like YAML (give the file a name that ends in .yaml)'],
    ['a', '\n defaults: {a: 1}\n', '! 2:2 this looks like YAML (give the file a name that ends in .yaml)'],
    ['a.jsonl', 'images:\n', '! 1:1 this looks like YAML (give the file a name that ends in .yaml)'],
    [
      'a.jsonl',
      '{\n  "images": [\n',
      '! 1:1 this looks like a JSON document (give the file a name that ends in .json)',
    ],
    [
      'a.jsonl',
      '{"images":[{"prompt":"x"}]}',
      '! 1:1 this looks like a JSON document (give the file a name that ends in .json)',
    ],
    ['a.txt', '[\n{"prompt":"x"}]', '! 1:1 this looks like a JSON document (give the file a name that ends in .json)'],
    ['a.txt', '{"prompt":"x"}\n', '! 1:1 this looks like JSON Lines (give the file a name that ends in .jsonl)'],
  ])('is one mistake, not a prompt a line: %s, %j', async (name, text, mistake) => {
    expect(await read(name, text)).toEqual([mistake]);
  });

  it.each([
    ['images:\n- prompt: x\n', 'YAML'],
    ['---\nimages:\n', 'YAML'],
    ['{"defaults": {},\n', 'a JSON document'],
  ])('is a mistake on stdin: %j', async (text, name) => {
    expect(await readStdin(text)).toEqual([
      `! 1:1 stdin looks like ${name}, but holds JSON Lines or a prompt a line (give the name of the file)`,
    ]);
  });

  it.each(['images of foxes', '-- a fox', '[photo] a fox', '- a fox', 'a fox\nimages:\n'])(
    'but prompts are prompts: %j',
    async (text) => {
      expect((await read('a.txt', text))[1]).toBe(`  1:1 prompt 1:1 ${JSON.stringify(text.split('\n')[0])}`);
    },
  );
});

describe('bytes that are no text', () => {
  const bytes = Buffer.from('ok\nb\xe9d\n\xf0\x9f\xa6\x8a\xf0\x9f\nnul\0\n', 'latin1');
  const mistakes = [
    '! 2:2 this is not UTF-8 (save the file as UTF-8 text)',
    '! 3:3 this is not UTF-8 (save the file as UTF-8 text)',
    '! 4:4 there is a NUL byte (save the file as UTF-8 text)',
  ];

  it.each(['a.txt', 'a.jsonl', 'a.yaml', 'a.json', 'a'])('are mistakes with their line in %s', async (name) => {
    expect((await read(name, bytes)).filter((line) => /UTF-8|NUL/.test(line))).toEqual(mistakes);
  });

  it.each(['a.txt', 'a.jsonl', 'a.yaml', 'a.json', 'a'])('are one mistake when they are UTF-16: %s', async (name) => {
    expect(await read(name, Buffer.from('\ufeffa\nb\nc\n', 'utf16le'))).toEqual([
      '! 1:1 this is UTF-16 (save the file as UTF-8 text)',
    ]);
  });
});

describe('a file', () => {
  it('that cannot be read is refused', async () => {
    const place = new Place();
    mkdirSync(join(place.cwd, 'folder.yaml'));
    symlinkSync('nowhere', join(place.cwd, 'link.txt'));
    const open = (name: string) => refusal(openManifest({ path: join(place.cwd, name), shown: name }));
    expect(await open('gone.yaml')).toMatchObject({
      code: 'usage',
      message: 'cannot read gone.yaml',
      hint: expect.stringContaining('ENOENT'),
    });
    expect(await open('link.txt')).toMatchObject({ code: 'usage', message: 'cannot read link.txt' });
    expect(await open('folder.yaml')).toMatchObject({ code: 'usage', message: 'folder.yaml is a directory' });
  });

  it.skipIf(process.platform === 'win32')('that is a pipe is refused, even if nobody writes into it', async () => {
    const path = join(new Place().cwd, 'pipe');
    execFileSync('sh', ['-c', 'mkfifo "$0"', path]);
    expect(await refusal(openManifest({ path, shown: 'pipe' }))).toMatchObject({
      code: 'usage',
      message: 'pipe is not a file',
    });
  });

  it('that is changed after it was checked is refused', async () => {
    const place = new Place();
    place.write('a.txt', 'a fox\n');
    const manifest = await openManifest({ path: join(place.cwd, 'a.txt'), shown: 'a.txt' });
    expect(await linesOf(manifest)).toHaveLength(2);
    place.write('a.txt', 'a fox\na bear\n');
    expect(await refusal(linesOf(manifest))).toMatchObject({
      code: 'usage',
      message: 'a.txt was changed while it was read',
    });
    await manifest.close();
  });

  it('may have its extension in any case, or none', async () => {
    expect(await read('A.YAML', 'images: [{}]')).toEqual(['0 1:10']);
    expect(await read('prompts', 'a fox\n')).toEqual(['0 1:1', '  1:1 prompt 1:1 "a fox"']);
    expect(await read('jobs', '{"a": 1}\n')).toEqual(['0 1:1', '  1:2 a 1:7 1']);
  });

  it.each(['README.md', 'x.sh', 'data.csv', 'a.yaml.bak', 'A.TOML'])(
    'that has another extension is none: %s',
    async (name) => {
      const hint = 'known are .yaml .yml .json .jsonl .ndjson .txt; anything else from stdin: imggen batch - < file';
      expect(await refusal(read(name, 'a fox\n'))).toMatchObject({
        code: 'usage',
        exit: 2,
        message: `${name} is no batch file by its name`,
        hint,
      });
    },
  );

  it.each(['a.yaml', 'a.json'])('that is a document has a size: %s', async (name) => {
    const place = new Place();
    place.write(name, 'x'.repeat((2 << 20) + 1));
    const error = await refusal(openManifest({ path: join(place.cwd, name), shown: name }, { document: 2 << 20 }));
    expect(error).toMatchObject({
      code: 'usage',
      message: `${name} is larger than the 2 MB that a document may have`,
      hint: expect.stringContaining('JSON Lines'),
    });
  });

  it.each([
    ['a.yaml', `images: [${'1,'.repeat(1_100_000)}1]`],
    ['a.json', `{"images": [${'1,'.repeat(4_100_000)}1]}`],
  ])('that is a document has so many values: %s', async (name, text) => {
    expect(await read(name, text)).toEqual([
      expect.stringMatching(/^! 1:\d+ the document is too large to go on here \(JSON Lines may have any size/),
    ]);
  });
});

describe('stdin', () => {
  it('is kept in no place that others see', async () => {
    const place = new Place();
    const seen: string[][] = [];
    async function* stream(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a fox\n');
      seen.push(readdirSync(place.state));
    }
    const manifest = await openManifest({ stdin: stream(), spool: place.state });
    expect(await linesOf(manifest)).toHaveLength(2);
    await manifest.close();
    expect([...seen.flat(), ...readdirSync(place.state)]).toEqual([]);
  });

  it('has a size', async () => {
    const place = new Place();
    async function* stream(): AsyncGenerator<Uint8Array> {
      for (;;) yield Buffer.from('y\n'.repeat(10_000));
    }
    const error = await refusal(openManifest({ stdin: stream(), spool: place.state }, { stdin: 1 << 20 }));
    expect(error).toMatchObject({ code: 'usage', message: 'stdin holds more than 1 MB' });
    expect(readdirSync(place.state)).toEqual([]);
  });

  it('that breaks off leaves nothing, and its error as it is', async () => {
    const place = new Place();
    const cause = new Error('broken');
    async function* stream(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a fox\n');
      throw cause;
    }
    await expect(openManifest({ stdin: stream(), spool: place.state })).rejects.toBe(cause);
    expect(readdirSync(place.state)).toEqual([]);
  });

  it('that cannot be kept is a fault of the output', async () => {
    const place = new Place();
    writeFileSync(join(place.cwd, 'file'), '');
    const error = await refusal(openManifest({ stdin: bytesOf('a'), spool: join(place.cwd, 'file') }));
    expect(error).toMatchObject({ code: 'output', message: expect.stringContaining('cannot keep stdin in') });
  });
});
