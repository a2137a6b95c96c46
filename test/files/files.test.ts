import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileSystem } from '../support/file-system.ts';
import { type Answer, cats, documented, gateway } from '../support/gateway.ts';
import { image, type ImageName, largePng } from '../support/images.ts';
import { imggen, type Setup, start } from '../support/imggen.ts';
import { Place, sha256 } from '../support/place.ts';
import { event } from '../support/puppet.ts';

interface Case extends Pick<Setup, 'unchecked' | 'env'> {
  /** Files that hold the word "precious". */
  existing?: string[];
  answer?: Answer | (() => Answer);
  place?: Place;
}

/** Runs `imggen "a cat" …` in a place that has some files, against a gateway that gives one answer. */
async function generated(args: readonly string[], { existing = [], answer = cats(), ...setup }: Case = {}) {
  const place = setup.place ?? new Place();
  for (const name of existing) place.write(name, 'precious');
  const api = await gateway({ generation: answer });
  const result = await imggen(['a cat', ...args], { ...setup, gateway: api, place });
  const isPrecious = (name: string) => existsSync(join(place.cwd, name)) && `${place.read(name)}` === 'precious';
  return {
    ...result,
    api,
    place,
    lines: result.stdout.split('\n').filter(Boolean),
    precious: result.files.filter(isPrecious),
    posts: api.requests.length,
  };
}

const url = (name: string) => documented(`{{origin}}/images/${name}`);

describe('-o and --name', () => {
  test.each<[args: string[], paths: string[], answer?: Answer]>([
    [[], ['a-cat-1.png']],
    [['-o', '.'], ['a-cat-1.png']],
    [['-o', 'out'], ['out/a-cat-1.png']],
    [['-o', './out/of the/way/'], ['out/of the/way/a-cat-1.png']],
    [['-o', 'out.d/'], ['out.d/a-cat-1.png']],
    [['-o', 'cat.png/'], ['cat.png/a-cat-1.png']],
    [['-o', 'cat.png'], ['cat.png']],
    [['-o', 'out/the cat.png'], ['out/the cat.png']],
    [['-o', 'CAT.PNG'], ['CAT.PNG']],
    [['-o', '~cat.png'], ['~cat.png']],
    [['-o', '.cat.png'], ['.cat.png']],
    [['-o', 'cat.jpg'], ['cat.jpg'], url('cat.jpg')],
    [['-o', 'cat.jpeg'], ['cat.jpeg'], url('cat.jpg')],
    [['-o', 'cat.webp'], ['cat.webp'], url('cat.webp')],
    [['-o', 'cat.png', '-n', '2'], ['cat-1.png', 'cat-2.png'], cats(2)],
    [['--name', '{slug}'], ['a-cat.png']],
    [['--name', '{slug}', '-n', '2'], ['a-cat-1.png', 'a-cat-2.png'], cats(2)],
    [['--name', 'cat{i}of{n}', '-n', '2'], ['cat1of2.png', 'cat2of2.png'], cats(2)],
    [['--name', '{model}/{size}/{format}', '-s', 'square'], ['gpt-image-1.5/1024x1024/png.png']],
    [['--name', '{model}', '-m', 'org/../the model'], ['org-..-the-model.png']],
    [['--name', '{slug}.webp'], ['a-cat.webp'], url('cat.webp')],
    [['--name', 'plain', '-o', 'out'], ['out/plain.png']],
    [['--name', '一只猫-{i}'], ['一只猫-1.png']],
  ])('%j give the names %j', async (args, paths, answer = cats()) => {
    const { exit, stderr, lines, files } = await generated(args, { answer });
    expect(exit, stderr).toBe(0);
    expect(stderr).not.toContain('warning');
    expect(lines).toEqual(paths);
    expect(files).toEqual(paths);
  });

  test('an absolute directory gives absolute paths', async () => {
    const place = new Place();
    const { lines, files } = await generated(['-o', join(place.cwd, 'out')], { place });
    expect(lines).toEqual([join(place.cwd, 'out/a-cat-1.png')]);
    expect(files).toEqual(['out/a-cat-1.png']);
  });

  test.each(['cat.png', 'out.d', '.png'])('a directory that exists is one, whatever its name: %s', async (out) => {
    const place = new Place();
    mkdirSync(join(place.cwd, out));
    expect((await generated(['-o', out], { place })).lines).toEqual([`${out}/a-cat-1.png`]);
  });

  test.each([
    ['-o', '~/pictures/cat.png', 'pictures/cat.png'],
    ['the config file', '~/pictures/cat.png', 'pictures/cat.png'],
    ['-o', '~', 'a-cat-1.png'],
  ])('%s %s leads to the home directory', async (where, out, path) => {
    const place = new Place();
    if (where !== '-o') place.writeConfig({ out });
    const { exit, lines, files } = await generated(where === '-o' ? ['-o', out] : [], { place });
    expect({ exit, lines, files }).toEqual({ exit: 0, lines: [join(place.home, path)], files: [] });
    expect(sha256(readFileSync(join(place.home, path)))).toBe(sha256(image('cat.png')));
  });

  test('--name has date, time and the id of the run', async () => {
    const { stdout } = await generated(['--name', '{date}/{time}_{id}', '--json']);
    const { run, images } = JSON.parse(stdout) as { run: string; images: { path: string }[] };
    expect(images[0]?.path).toMatch(/^\d{4}-\d\d-\d\d\/\d{6}_/);
    expect(images[0]?.path).toContain(`_${run}.png`);
  });

  test.each<[args: string[], message: string]>([
    [['-o', 'a\u001b[31m.png'], '-o a.png has a control character\n'],
    [['-o', 'a\nb'], '-o a b has a control character\n'],
    [['-o', 'a\u0085b.png'], '-o ab.png has a control character\n'],
    [['-o', 'x\n/-'], '-o x /- has a control character\n'],
    [['-o', 'out.d'], '-o out.d is neither a directory nor the name of an image\nhint: out.d/ is a directory, '],
    [['-o', 'out/v1.5'], 'hint: out/v1.5/ is a directory, '],
    [['-o', '.png'], '-o .png has no name before the extension\n'],
    [['-o', 'out/.webp'], '-o out/.webp has no name before the extension\n'],
    [
      ['-o', '~ada/cat.png'],
      '-o ~ada/cat.png: that home directory is not known\nhint: write the whole path, or ./~ada',
    ],
    [['-o', '/dev/stdout'], '-o /dev/stdout is no place for a file\nhint: -o - writes one image to stdout\n'],
    [['-o', '/dev/stderr'], '-o /dev/stderr is no place for a file\nhint: -o - '],
    [['-o', '/dev/fd/1'], '-o /dev/fd/1 is no place for a file\nhint: -o - '],
    [['-o', '/proc/self/fd/1'], '-o /proc/self/fd/1 is no place for a file\nhint: -o - '],
    [['-o', '/dev/null', '--overwrite'], '-o /dev/null is no place for a file\nhint: -o - '],
    [['-o', 'cat.png', '--name', '{i}'], '-o cat.png names a file, and --name names it too'],
    [['-o', '-', '--sidecar'], '--sidecar needs a file, and -o - makes none'],
    [['-o', '-', '--name={i}'], '--name does not go with -o -'],
    [['--name', '{prompt}'], '--name {prompt} has an unknown field {prompt}'],
    [['--name', '../{slug}'], '--name ../{slug} leaves the directory'],
    [['--name', 'a/../../{slug}'], 'leaves the directory'],
    [['--name', '/etc/{slug}'], 'has an empty part'],
    [['--name', '{slug}/'], 'has an empty part'],
    [['--name', 'x/.png'], '--name x/.png has no name before the extension\n'],
    [['--name', 'a:b'], 'has a character that file names do not have everywhere'],
    [['--name', 'a\nb'], 'has a control character'],
    [['--name', 'x.'], 'ends in a dot'],
    [['--name', 'x'.repeat(201)], 'more than 200 bytes'],
    [['--name', '{slug}.gif'], 'no model makes that format'],
  ])('%j is refused before anything is sent', async (args, message) => {
    const { exit, stdout, stderr, files, posts } = await generated(args);
    expect({ exit, stdout, files, posts }).toEqual({ exit: 2, stdout: '', files: [], posts: 0 });
    expect(stderr).toMatch(/^error: /);
    expect(stderr).toContain(message);
  });

  test.each([[[]], [['--overwrite']], [['--skip-existing']]])('-o names a pipe, with %j: exit 2', async (flags) => {
    const place = new Place();
    execFileSync('sh', ['-c', 'mkfifo cat.png'], { cwd: place.cwd });
    const api = await gateway();
    // Unchecked: who reads a pipe waits for a writer.
    const setup = { gateway: api, place, unchecked: true };
    const { exit, stderr } = await imggen(['a cat', '-o', 'cat.png', ...flags], setup);
    expect({ exit, requests: api.requests }).toEqual({ exit: 2, requests: [] });
    expect(stderr).toContain('error: -o cat.png is no place for a file\n');
    expect(lstatSync(join(place.cwd, 'cat.png')).isFIFO()).toBe(true);
  });

  test.each(['notes.txt', 'notes.txt/deep', 'notes.txt/cat.png'])(
    'a file where a directory must be is exit 8 before anything is sent: -o %s',
    async (to) => {
      const { exit, stdout, stderr, posts, precious } = await generated(['-o', to], { existing: ['notes.txt'] });
      expect({ exit, stdout, posts, precious }).toEqual({ exit: 8, stdout: '', posts: 0, precious: ['notes.txt'] });
      expect(stderr).toMatch(/^error: cannot write .*notes\.txt.*\ncause: .*\nhint: .*\n$/);
    },
  );
});

describe('a link to nothing', () => {
  test.each([
    [['-o', 'cat.png'], 'error: cat.png exists\n'],
    [['-o', 'cat.png', '--skip-existing'], 'error: cat.png is a link to nothing\n'],
    [['--name', 'cat', '--convert', 'webp'], 'error: cat.original.png exists\n'],
    [['-o', 'cat.png', '--sidecar'], 'error: cat.png exists\n'],
    [['-o', 'out'], 'hint: a part of the path is a link to nothing'],
    [['-o', 'out/cat.png'], 'hint: a part of the path is a link to nothing'],
  ])('takes the name: %j is exit 8 before anything is sent', async (args, message) => {
    const place = new Place();
    for (const name of ['cat.png', 'cat.original.png', 'out']) symlinkSync('nowhere', join(place.cwd, name));
    // Unchecked: there is nothing to read behind the link.
    const { exit, stdout, stderr, posts } = await generated(args, { place, unchecked: true });
    expect({ exit, stdout, posts }).toEqual({ exit: 8, stdout: '', posts: 0 });
    expect(stderr).toContain(message);
  });

  test('is replaced itself with --overwrite', async () => {
    const place = new Place();
    symlinkSync('nowhere', join(place.cwd, 'cat.png'));
    const { exit, files } = await generated(['-o', 'cat.png', '--overwrite'], { place });
    expect({ exit, files }).toEqual({ exit: 0, files: ['cat.png'] });
    expect(place.sha256('cat.png')).toBe(sha256(image('cat.png')));
  });
});

describe('-o - writes the bytes to stdout and no file', () => {
  test.each<[string, Answer, Buffer]>([
    ['of a download', url('provenance.jpg'), image('provenance.jpg')],
    ['in base64', { body: '{"data":[{"b64_json":"{{provenance.png}}"}]}' }, image('provenance.png')],
    [
      'of a large image',
      { body: ['{"data":[{"b64_json":"', largePng(1_000_000).toString('base64'), '"}]}'] },
      largePng(1_000_000),
    ],
  ])('%s', async (_name, answer, bytes) => {
    const result = await generated(['-o', '-'], { answer });
    expect(result.exit, result.stderr).toBe(0);
    expect(result.files).toEqual([]);
    expect(sha256(result.bytes)).toBe(sha256(bytes));
    expect(result.stderr).toMatch(/\n1 image in /);
  });

  test('and does not go with --json', async () => {
    expect(await generated(['-o', '-', '--json'])).toMatchObject({ exit: 2, posts: 0, files: [] });
  });

  test('nothing when the image cannot be had: exit 7', async () => {
    const answer = documented('data:image/png;base64,bm8gaW1hZ2U=');
    expect(await generated(['-o', '-'], { answer })).toMatchObject({ exit: 7, stdout: '', files: [] });
  });
});

describe('the slug', () => {
  test.each([
    ['一只猫', '一只猫'],
    ['Кот на КОВРЕ', 'кот-на-ковре'],
    ['قطة على السجادة', 'قطة-على-السجادة'],
    ['बिल्ली', 'बिल्ली'],
    ['고양이 두 마리', '고양이-두-마리'],
    ["L'été à Noe\u0308l", 'l-été-à-noël'],
    ['🐈🐈', 'image'],
    ['...', 'image'],
    ['../../etc/passwd', 'etc-passwd'],
    ['.hidden', 'hidden'],
    ['nul:', 'nul-image'],
    ['a\u001b[31mb\u202ec\nd', 'a-31mb-c-d'],
    ['word '.repeat(40), Array(16).fill('word').join('-')],
    ['猫'.repeat(40), '猫'.repeat(26)],
  ])('of %j is %s', async (prompt, slug) => {
    const { exit, stdout } = await imggen(['generate', '--dry-run', '--json', '--', prompt]);
    expect(exit).toBe(0);
    expect((JSON.parse(stdout) as { files: string[] }).files).toEqual([`${slug}-1.png`]);
    expect(Buffer.byteLength(slug)).toBeLessThanOrEqual(80);
  });
});

describe('a name that exists', () => {
  test.each<[args: string[], existing: string[], paths: string[], precious: string[]]>([
    [[], ['a-cat-1.png'], ['a-cat-2.png'], ['a-cat-1.png']],
    [['-n', '2'], ['a-cat-2.png'], ['a-cat-1.png', 'a-cat-3.png'], ['a-cat-2.png']],
    [['--overwrite', '-o', 'cat.png'], ['cat.png'], ['cat.png'], []],
    [['--overwrite', '-n', '2'], ['a-cat-1.png', 'a-cat-3.png'], ['a-cat-1.png', 'a-cat-2.png'], ['a-cat-3.png']],
  ])('%j: a number passes it over, --overwrite replaces it', async (args, existing, paths, precious) => {
    const result = await generated(args, { existing, answer: cats(paths.length) });
    expect(result).toMatchObject({ exit: 0, lines: paths, precious });
    for (const path of paths) expect(result.place.sha256(path)).toBe(sha256(image('cat.png')));
  });

  test.each([
    [['-o', 'cat.png'], 'cat.png'],
    [['--name', '{slug}'], 'a-cat.png'],
    [['-o', 'cat.png', '--dry-run'], 'cat.png'],
  ])('without a number is an error before anything is sent: %j', async (args, existing) => {
    const { exit, stdout, stderr, posts, precious } = await generated(args, { existing: [existing] });
    expect({ exit, stdout, posts, precious }).toEqual({ exit: 8, stdout: '', posts: 0, precious: [existing] });
    expect(stderr).toBe(`error: ${existing} exists\nhint: use --overwrite, --skip-existing, or another name\n`);
  });

  test.each(['a-cat-1.png', 'a-cat-1.original.png', 'a-cat-1.webp.json'])(
    'is an error before anything is sent when --overwrite would replace a directory: %s',
    async (name) => {
      const place = new Place();
      mkdirSync(join(place.cwd, name));
      const more = name === 'a-cat-1.png' ? [] : ['--convert', 'webp', '--sidecar'];
      const { exit, stderr, posts } = await generated(['--overwrite', ...more], { place });
      expect({ exit, posts }).toEqual({ exit: 8, posts: 0 });
      expect(stderr).toContain(`error: ${name} is not a file\n`);
    },
  );

  test.each(['cat.png', 'cat.jpeg', 'cat.gif', 'cat.avif'])('with --skip-existing costs nothing: %s', async (name) => {
    const { stderr, ...result } = await generated(['-o', 'cat.png', '--skip-existing'], { existing: [name] });
    expect(result).toMatchObject({ exit: 0, stdout: '', posts: 0, precious: [name] });
    expect(stderr).toContain('everything is there already');
  });

  test('with --skip-existing costs only what is missing', async () => {
    const existing = ['a-cat-1.png', 'a-cat-3.png'];
    const answer = documented('{{origin}}/images/cat.png', '{{origin}}/images/provenance.png');
    const { api, place, ...result } = await generated(['-n', '4', '--skip-existing'], { existing, answer });
    expect(result).toMatchObject({ exit: 0, lines: ['a-cat-2.png', 'a-cat-4.png'], precious: existing });
    expect(api.posts()).toMatchObject([{ n: 2 }]);
    expect(place.sha256('a-cat-4.png')).toBe(sha256(image('provenance.png')));
  });

  test.each<[string, { args?: string[]; taken: string; path: string; links?: boolean }]>([
    ['a number follows', { taken: 'a-cat-1.png', path: 'a-cat-2.png' }],
    ['an exact name gets a number', { args: ['-o', 'cat.png'], taken: 'cat.png', path: 'cat-2.png' }],
    ['without hard links', { taken: 'a-cat-1.png', path: 'a-cat-2.png', links: false }],
  ])(
    'only since the request was sent is never replaced: %s',
    async (_name, { args = [], taken, path, links = true }) => {
      const place = new Place();
      const answer = () => {
        place.write(taken, 'precious');
        return cats();
      };
      const result = await generated(args, { answer, place, env: fileSystem(place, { links }) });
      expect(result).toMatchObject({ exit: 0, lines: [path], precious: [taken], files: [taken, path].sort() });
      expect(place.sha256(path)).toBe(sha256(image('cat.png')));
    },
  );
});

test('without hard links a rename that fails leaves no empty file, and resume saves the image', async () => {
  const place = new Place();
  const env = fileSystem(place, { links: false, refused: /a-cat/ });
  const failed = await generated([], { place, env, unchecked: true });
  expect(failed).toMatchObject({ exit: 8, stderr: expect.stringContaining('EIO: refused by the test') });
  expect(failed.files).toEqual([expect.stringMatching(/^\.imggen-.*\.part$/)]);
  expect(await imggen(['resume'], { gateway: failed.api, place })).toMatchObject({ exit: 0, files: ['a-cat-1.png'] });
  expect(place.sha256('a-cat-1.png')).toBe(sha256(image('cat.png')));
  expect(failed.api.posts()).toHaveLength(1);
});

describe('the extension follows the bytes', () => {
  test.each<[args: string[], name: ImageName, asked: string, path: string]>([
    [[], 'cat.jpg', 'png', 'a-cat-1.jpg'],
    [['-o', 'out/cat.png'], 'cat.webp', 'png', 'out/cat.webp'],
    [['-f', 'webp'], 'cat.png', 'webp', 'a-cat-1.png'],
    [['-o', 'cat.jpeg'], 'cat.gif', 'jpeg', 'cat.gif'],
  ])('%j with %s: a warning, and the right name', async (args, name, asked, path) => {
    const { stderr, place, ...result } = await generated(args, { answer: url(name) });
    expect(result).toMatchObject({ exit: 0, lines: [path], files: [path] });
    expect(place.sha256(path)).toBe(sha256(image(name)));
    const format = name.slice(4).replace('jpg', 'jpeg');
    expect(stderr).toContain(`warning: asked for ${asked}, the image is ${format}: ${path}\n`);
  });

  test('whatever the server calls them', async () => {
    const api = await gateway({
      generation: [documented('{{origin}}/download?file=cat.png')],
      paths: { '/download?file=cat.png': [{ headers: { 'content-type': 'image/png' }, body: image('cat.webp') }] },
    });
    expect(await imggen(['a cat'], { gateway: api })).toMatchObject({ stdout: 'a-cat-1.webp\n' });
  });

  test.each<[args: string[], name: ImageName, existing: string[], path: string]>([
    [['-o', 'cat.png', '--overwrite'], 'cat.webp', ['cat.png', 'cat.webp'], 'cat-2.webp'],
    [[], 'cat.jpg', ['a-cat-1.jpg'], 'a-cat-2.jpg'],
  ])('%j with %s: to a free name, whatever may be overwritten', async (args, name, existing, path) => {
    const result = await generated(args, { existing, answer: url(name) });
    expect(result).toMatchObject({ exit: 0, lines: [path], precious: existing });
  });
});

describe('the bytes are written as they came, marks of provenance with them', () => {
  const names: ImageName[] = ['provenance.png', 'provenance.jpg'];
  test.each(names)('%s by URL, in a data URI and in an event', async (name) => {
    const url = documented(`{{origin}}/images/${name}`, `data:image/png;base64,{{${name}}}`);
    const event = {
      headers: { 'content-type': 'text/event-stream' },
      body: `data: {"type":"image_generation.completed","b64_json":"{{${name}}}"}\n\n`,
    };
    const place = new Place();
    const api = await gateway({ generation: [url, event] });
    await imggen(['a cat', '-n', '2'], { gateway: api, place });
    const { files } = await imggen(['a cat', '--stream'], { gateway: api, place });
    expect(files).toHaveLength(3);
    for (const file of files) expect(place.sha256(file)).toBe(sha256(image(name)));
  });
});

test('a file that is not whole has no final name', async () => {
  const place = new Place();
  const half = event();
  const rest = event();
  const png = largePng(600_000);
  const api = await gateway({
    generation: [documented('{{origin}}/images/cat.png', '{{origin}}/large.png')],
    paths: {
      '/large.png': async () => {
        half.happen();
        await rest.happened;
        return { body: [png.subarray(0, 400_000), png.subarray(400_000)] };
      },
    },
  });
  const running = start(['a cat', '-n', '2'], { gateway: api, place });
  await half.happened;
  expect(place.files().filter((name) => !/^\.imggen-.*\.part$/.test(name) && name !== 'a-cat-1.png')).toEqual([]);
  rest.happen();
  const { exit, files } = await running.end;
  expect({ exit, files }).toEqual({ exit: 0, files: ['a-cat-1.png', 'a-cat-2.png'] });
  expect(place.sha256('a-cat-2.png')).toBe(sha256(png));
});

test('several processes that save to one directory at once never take the same name', async () => {
  const place = new Place();
  const processes = 4;
  let waiting = 0;
  const gate = event();
  const api = await gateway({
    generation: async () => {
      waiting += 1;
      if (waiting === processes) gate.happen();
      await gate.happened;
      return cats(5);
    },
  });
  const results = await Promise.all(
    Array.from({ length: processes }, () =>
      imggen(['a cat', '-n', '5', '-o', 'out'], { gateway: api, place, unchecked: true }),
    ),
  );
  expect(results.map(({ exit }) => exit)).toEqual(Array(processes).fill(0));
  const printed = results.flatMap(({ stdout }) => stdout.trimEnd().split('\n'));
  expect(new Set(printed).size).toBe(20);
  expect(place.files()).toEqual(printed.sort());
  for (const file of printed) expect(place.sha256(file)).toBe(sha256(image('cat.png')));
});

test('--sidecar writes how each image was made beside it', async () => {
  const { exit, lines, files, place } = await generated(['-n', '2', '--sidecar', '-s', 'square', '--quality', 'high'], {
    answer: documented('{{origin}}/images/cat.png', '{{origin}}/images/provenance.png'),
  });
  expect(exit).toBe(0);
  expect(lines).toEqual(['a-cat-1.png', 'a-cat-2.png']);
  expect(files).toEqual(['a-cat-1.png', 'a-cat-1.png.json', 'a-cat-2.png', 'a-cat-2.png.json']);
  const sidecar = place.json('a-cat-2.png.json');
  expect(sidecar).toMatchObject({
    prompt: 'a cat',
    model: 'gpt-image-1.5',
    params: { n: 2, size: '1024x1024', stream: false, output_compression: 100, partial_images: 'high' },
    request_id: 'req-0123456789',
    task_id: 'task-7f3a',
    index: 2,
    usage: { total_tokens: 1066 },
    bytes: 414,
    sha256: sha256(image('provenance.png')),
    format: 'png',
    width: 8,
    height: 6,
  });
  expect(Date.parse(String(sidecar.created))).toBeGreaterThan(Date.parse('2026-01-01'));
});
