import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ImggenError } from '../../../src/errors.ts';
import { readBatchFile } from '../../../src/batch/file/read.ts';
import type { BatchFile, Field, Node } from '../../../src/batch/file/types.ts';
import { Place } from '../../support/place.ts';

/** What a file of this name and content declares: `5:3 key 5:8 value`, and `!` before a mistake. */
async function read(name: string, content: string | Uint8Array): Promise<string[]> {
  return linesOf(await readBatchFile(written(name, content)));
}

async function readStdin(content: string): Promise<string[]> {
  return linesOf(await readBatchFile(bytesOf(content)));
}

/** The path of a new file. */
function written(name: string, content: string | Uint8Array): string {
  const place = new Place();
  place.write(name, content);
  return join(place.cwd, name);
}

async function* bytesOf(content: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
}

function linesOf({ defaults, entries, mistakes }: BatchFile): string[] {
  const told = [
    ...mistakes.map(
      ({ at, message, hint }) => [at, `! ${place(at)} ${message}${hint === undefined ? '' : ` (${hint})`}`] as const,
    ),
    ...entries.map(
      ({ index, at, fields }) =>
        [at, [`${index} ${place(at)}`, ...fields.map((field) => `  ${fieldLine(field)}`)].join('\n')] as const,
    ),
  ].sort(([a], [b]) => a.line - b.line || a.column - b.column);
  return [...defaults.map((field) => `default ${fieldLine(field)}`), ...told.flatMap(([, text]) => text.split('\n'))];
}

function place({ line, column }: { line: number; column: number }): string {
  return `${line}:${column}`;
}

function fieldLine({ key, at, node }: Field): string {
  return `${place(at)} ${key} ${place(node.at)} ${JSON.stringify(node.value)}`;
}

async function refusal(reading: Promise<unknown>): Promise<ImggenError> {
  const error = await reading.then(
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
    const { entries } = await readBatchFile(written('a.yml', 'images:\n- prompt: x\n  param:\n    a: [1, {b: 2}]\n'));
    const param = entries[0]?.fields[1]?.node as Node;
    const list = param.fields?.[0]?.node as Node;
    expect([param, list, list.items?.[1]?.fields?.[0]?.node].map((node) => place((node as Node).at))).toEqual([
      '4:5',
      '4:8',
      '4:16',
    ]);
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
    [
      'a number that JSON has not',
      'images:\n- a: .inf\n',
      '! 2:6 this number is beyond what can be held exactly (at most 9007199254740991)',
    ],
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
      '! 2:24 this number is beyond what can be held exactly (at most 9007199254740991)',
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
      '3 5:2',
      '  5:3 b 5:8 {"c":3}',
      '! 5:15 the key "c" is given twice',
      '4 6:1',
      '  6:2 d 6:6 "\u2028"',
    ];
    expect(await read('a.jsonl', text)).toEqual(lines);
    expect(await read('a.ndjson', text)).toEqual(lines);
    expect(await readStdin(text)).toEqual(lines);
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
    ['a.txt', '\n defaults: {a: 1}\n', '! 2:2 this looks like YAML (give the file a name that ends in .yaml)'],
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

  it.each(['a.txt', 'a.jsonl', 'a.yaml', 'a.json'])('are mistakes with their line in %s', async (name) => {
    expect(await read(name, bytes)).toEqual(mistakes);
  });

  it.each(['a.txt', 'a.jsonl', 'a.yaml', 'a.json'])('are one mistake when they are UTF-16: %s', async (name) => {
    expect(await read(name, Buffer.from('\ufeffa\nb\nc\n', 'utf16le'))).toEqual([
      '! 1:1 this is UTF-16 (save the file as UTF-8 text)',
    ]);
  });
});

describe('a file', () => {
  it('that cannot be read is refused', async () => {
    const { cwd } = new Place();
    mkdirSync(join(cwd, 'folder.yaml'));
    symlinkSync('nowhere', join(cwd, 'link.txt'));
    for (const [name, message] of [
      ['gone.yaml', 'cannot read '],
      ['link.txt', 'cannot read '],
      ['folder.yaml', ' is a directory'],
    ] as const)
      expect(await refusal(readBatchFile(join(cwd, name)))).toMatchObject({
        code: 'usage',
        message: expect.stringContaining(message),
      });
  });

  it.skipIf(process.platform === 'win32')('that is a pipe is refused, even if nobody writes into it', async () => {
    const path = join(new Place().cwd, 'pipe.txt');
    execFileSync('sh', ['-c', 'mkfifo "$0"', path]);
    expect(await refusal(readBatchFile(path))).toMatchObject({ code: 'usage', message: `${path} is not a file` });
  });

  it('may have its extension in any case', async () => {
    expect(await read('A.YAML', 'images: [{}]')).toEqual(['0 1:10']);
  });

  it.each(['README.md', 'x.sh', 'data.csv', 'a.yaml.bak', 'A.TOML', 'passwd', '.yaml'])(
    'is no batch file with another extension, or without one: %s',
    async (name) => {
      expect(await refusal(read(name, 'a fox\n'))).toMatchObject({
        code: 'usage',
        exit: 2,
        message: expect.stringContaining(`${name} is no batch file by its name`),
        hint: 'known are .yaml .yml .json .jsonl .ndjson .txt; JSON Lines or a prompt a line also from stdin: imggen batch - < file',
      });
    },
  );

  it.each(['a.yaml', 'a.json', 'a.jsonl', 'a.txt'])('has at most a size: %s', async (name) => {
    const path = written(name, 'x'.repeat((2 << 20) + 1));
    expect(await refusal(readBatchFile(path, 2 << 20))).toMatchObject({
      code: 'usage',
      message: `${path} has more than the 2 MB that a batch file may have`,
    });
  });

  it('has at most so many jobs', async () => {
    const { mistakes } = await readBatchFile(written('a.txt', 'x\n'.repeat(250_001)));
    expect(mistakes).toEqual([
      { at: { line: 250_001, column: 1 }, message: 'there are more than 250000 jobs', hint: 'split the file' },
    ]);
  });

  it.each([
    ['a.yaml', `images: [${'1,'.repeat(1_100_000)}1]`],
    ['a.json', `{"images": [${'1,'.repeat(2_100_000)}1]}`],
    ['a.jsonl', `{"a": [${'1,'.repeat(700_000)}1]}\n`.repeat(3)],
  ])('has at most so many values: %s', { timeout: 120_000 }, async (name, text) => {
    const { mistakes } = await readBatchFile(written(name, text));
    expect(mistakes).toMatchObject([{ message: 'the file holds too much to go on here', hint: 'split the file' }]);
  });
});

describe('stdin', () => {
  it('has at most a size, and is read no further', async () => {
    async function* stream(): AsyncGenerator<Uint8Array> {
      for (;;) yield Buffer.from('y\n'.repeat(10_000));
    }
    const error = await refusal(readBatchFile(stream(), 1 << 20));
    expect(error).toMatchObject({ code: 'usage', message: 'stdin has more than the 1 MB that a batch file may have' });
  });

  it('that breaks off leaves its error as it is', async () => {
    const cause = new Error('broken');
    async function* stream(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('a fox\n');
      throw cause;
    }
    await expect(readBatchFile(stream())).rejects.toBe(cause);
  });
});
