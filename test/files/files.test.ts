import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, openSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileSystem } from '../support/file-system.ts';
import { type Answer, cats, documented, gateway } from '../support/gateway.ts';
import { image, type ImageName, largePng } from '../support/images.ts';
import { imggen, start } from '../support/imggen.ts';
import { Place, sha256 } from '../support/place.ts';

/** Runs `imggen <prompt> …` in a place that has some files, against a gateway that gives one answer. */
async function generated(
  args: string[],
  { existing = [], answer = cats(), place = new Place() }: { existing?: string[]; answer?: Answer; place?: Place } = {},
) {
  for (const name of existing) place.write(name, 'precious');
  const api = await gateway({ generation: answer });
  const result = await imggen(args, { gateway: api, place });
  const isPrecious = (name: string) => place.read(name).toString() === 'precious';
  return {
    ...result,
    api,
    place,
    lines: result.stdout.split('\n').filter(Boolean),
    precious: result.files.filter(isPrecious),
  };
}

describe('-o', () => {
  test.each<{ args: string[]; existing?: string[]; answer?: Answer; paths: string[] }>([
    { args: [], paths: ['a-cat-1.png'] },
    { args: ['-o', '.'], paths: ['a-cat-1.png'] },
    { args: ['-o', 'out'], paths: ['out/a-cat-1.png'] },
    { args: ['-o', './out/of the/way/'], paths: ['out/of the/way/a-cat-1.png'] },
    { args: ['-o', 'out.d/'], paths: ['out.d/a-cat-1.png'] },
    { args: ['-o', 'cat.png/'], paths: ['cat.png/a-cat-1.png'] },
    { args: ['-o', 'cat.png'], paths: ['cat.png'] },
    { args: ['-o', 'out/the cat.png'], paths: ['out/the cat.png'] },
    { args: ['-o', 'CAT.PNG'], paths: ['CAT.PNG'] },
    { args: ['-o', 'cat.jpg'], answer: documented('{{origin}}/images/cat.jpg'), paths: ['cat.jpg'] },
    { args: ['-o', 'cat.jpeg'], answer: documented('{{origin}}/images/cat.jpg'), paths: ['cat.jpeg'] },
    { args: ['-o', 'cat.webp'], answer: documented('{{origin}}/images/cat.webp'), paths: ['cat.webp'] },
    { args: ['-o', 'cat.png', '-n', '2'], answer: cats(2), paths: ['cat-1.png', 'cat-2.png'] },
    { args: ['-o', '.cat.png'], paths: ['.cat.png'] },
  ])('$args gives $paths', async ({ args, paths, ...setup }) => {
    const { exit, stderr, lines, files } = await generated(['a cat', ...args], setup);
    expect(exit, stderr).toBe(0);
    expect(stderr).not.toContain('warning');
    expect(lines).toEqual(paths);
    expect(files).toEqual(paths);
  });

  test('an absolute directory gives absolute paths', async () => {
    const place = new Place();
    const { lines, files } = await generated(['a cat', '-o', join(place.cwd, 'out')], { place });
    expect(lines).toEqual([join(place.cwd, 'out/a-cat-1.png')]);
    expect(files).toEqual(['out/a-cat-1.png']);
  });

  test('a directory that has the name of an image is a directory', async () => {
    const place = new Place();
    mkdirSync(join(place.cwd, 'cat.png'));
    const { lines } = await generated(['a cat', '-o', 'cat.png'], { place });
    expect(lines).toEqual(['cat.png/a-cat-1.png']);
  });

  test.each([
    { to: 'notes.txt', what: 'a file that is no directory' },
    { to: 'notes.txt/deep', what: 'a directory below a file' },
    { to: 'notes.txt/cat.png', what: 'a file below a file' },
  ])('$what cannot be written: exit 8 before anything is sent', async ({ to }) => {
    const { exit, stdout, stderr, api, precious, files } = await generated(['a cat', '-o', to], {
      existing: ['notes.txt'],
    });
    expect({ exit, stdout }).toEqual({ exit: 8, stdout: '' });
    expect(stderr).toMatch(/^error: cannot write .*notes\.txt.*\ncause: .*\nhint: .*\n$/);
    expect(api.requests).toEqual([]);
    expect(precious).toEqual(files);
  });
});

describe('a place that cannot be meant is refused before anything is sent', () => {
  test.each<[args: string[], message: string]>([
    [['-o', 'a\u001b[31m.png'], 'error: -o a.png has a control character\n'],
    [['-o', 'a\nb'], 'error: -o a b has a control character\n'],
    [['-o', 'a\u0085b.png'], 'error: -o ab.png has a control character\n'],
    [['-o', 'x\n/-'], 'error: -o x /- has a control character\n'],
    [['-o', 'out.d'], 'error: -o out.d is neither a directory nor the name of an image\nhint: out.d/ is a directory, '],
    [['-o', 'out/v1.5'], 'hint: out/v1.5/ is a directory, '],
    [['-o', '.png'], 'error: -o .png has no name before the extension\n'],
    [['-o', 'out/.webp'], 'error: -o out/.webp has no name before the extension\n'],
    [['--name', 'x/.png'], 'error: --name x/.png has no name before the extension\n'],
    [
      ['-o', '~ada/cat.png'],
      'error: -o ~ada/cat.png: that home directory is not known\nhint: write the whole path, or ./~ada/cat.png',
    ],
    [['-o', '/dev/stdout'], 'error: -o /dev/stdout is no place for a file\nhint: -o - writes one image to stdout\n'],
    [['-o', '/dev/stderr'], 'error: -o /dev/stderr is no place for a file\nhint: -o - '],
    [['-o', '/dev/fd/1'], 'error: -o /dev/fd/1 is no place for a file\nhint: -o - '],
    [['-o', '/proc/self/fd/1'], 'error: -o /proc/self/fd/1 is no place for a file\nhint: -o - '],
    [['-o', '/dev/null', '--overwrite'], 'error: -o /dev/null is no place for a file\nhint: -o - '],
  ])('%j', async (args, message) => {
    const { exit, stdout, stderr, files, api } = await generated(['a cat', ...args]);
    expect({ exit, stdout, files, requests: api.requests }).toEqual({ exit: 2, stdout: '', files: [], requests: [] });
    expect(stderr).toContain(message);
  });

  test.each([[], ['--overwrite'], ['--skip-existing']])('a pipe or a device, with %j', async (...flags) => {
    const place = new Place();
    execFileSync('mkfifo', [join(place.cwd, 'cat.png')]);
    const api = await gateway();
    // Unchecked: who reads a pipe waits for a writer.
    const { exit, stderr } = await imggen(['a cat', '-o', 'cat.png', ...flags], {
      gateway: api,
      place,
      unchecked: true,
    });
    expect({ exit, requests: api.requests }).toEqual({ exit: 2, requests: [] });
    expect(stderr).toContain('error: -o cat.png is no place for a file\n');
    expect(lstatSync(join(place.cwd, 'cat.png')).isFIFO()).toBe(true);
  });
});

test.each([
  ['-o', '~/pictures/cat.png'],
  ['config', '~/pictures/cat.png'],
  ['-o', '~'],
])('%s %s leads to the home directory', async (where, out) => {
  const place = new Place();
  if (where === 'config') place.writeConfig({ out });
  const { exit, lines, files } = await generated(['a cat', ...(where === '-o' ? ['-o', out] : [])], { place });
  const path = join(place.home, out === '~' ? 'a-cat-1.png' : 'pictures/cat.png');
  expect({ exit, lines, files }).toEqual({ exit: 0, lines: [path], files: [] });
  expect(sha256(readFileSync(path))).toBe(sha256(image('cat.png')));
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
    const api = await gateway();
    // Unchecked: what a link to nothing leads to cannot be read.
    const { exit, stdout, stderr } = await imggen(['a cat', ...args], { gateway: api, place, unchecked: true });
    expect({ exit, stdout, requests: api.requests }).toEqual({ exit: 8, stdout: '', requests: [] });
    expect(stderr).toContain(message);
  });

  test('is replaced itself with --overwrite', async () => {
    const place = new Place();
    symlinkSync('nowhere', join(place.cwd, 'cat.png'));
    const { exit, files } = await generated(['a cat', '-o', 'cat.png', '--overwrite'], { place });
    expect({ exit, files }).toEqual({ exit: 0, files: ['cat.png'] });
    expect(place.sha256('cat.png')).toBe(sha256(image('cat.png')));
  });
});

test.each(['a-cat-1.png', 'a-cat-1.original.png', 'a-cat-1.webp.json'])(
  'a directory where --overwrite would write %s is exit 8 before anything is sent',
  async (name) => {
    const place = new Place();
    mkdirSync(join(place.cwd, name));
    const more = name === 'a-cat-1.png' ? [] : ['--convert', 'webp', '--sidecar'];
    const { exit, stderr, api } = await generated(['a cat', '--overwrite', ...more], { place });
    expect({ exit, requests: api.requests }).toEqual({ exit: 8, requests: [] });
    expect(stderr).toContain(`error: ${name} is not a file\n`);
  },
);

describe('where the file system has no hard links', () => {
  test('a name that another process took meanwhile is passed over, and its file stays as it is', async () => {
    const place = new Place();
    const api = await gateway({
      generation: () => {
        place.write('a-cat-1.png', 'precious');
        return cats();
      },
    });
    const { exit, stdout, files } = await imggen(['a cat'], {
      gateway: api,
      place,
      env: fileSystem(place, { links: false }),
    });
    expect({ exit, stdout, files }).toEqual({
      exit: 0,
      stdout: 'a-cat-2.png\n',
      files: ['a-cat-1.png', 'a-cat-2.png'],
    });
    expect(place.read('a-cat-1.png').toString()).toBe('precious');
    expect(place.sha256('a-cat-2.png')).toBe(sha256(image('cat.png')));
  });

  test('a rename that fails leaves no empty file, and resume saves the image', async () => {
    const place = new Place();
    const api = await gateway({ generation: cats() });
    const failed = await imggen(['a cat'], {
      gateway: api,
      place,
      env: fileSystem(place, { links: false, refused: /a-cat/ }),
      unchecked: true,
    });
    expect(failed).toMatchObject({ exit: 8, stderr: expect.stringContaining('EIO: refused by the test') });
    expect(failed.files).toEqual([expect.stringMatching(/^\.imggen-.*\.part$/)]);
    const resumed = await imggen(['resume'], { gateway: api, place });
    expect(resumed).toMatchObject({ exit: 0, files: ['a-cat-1.png'] });
    expect(place.sha256('a-cat-1.png')).toBe(sha256(image('cat.png')));
    expect(api.posts()).toHaveLength(1);
  });
});

describe('-o - writes the bytes to stdout and no file', () => {
  test.each<[string, Answer, Buffer]>([
    ['of a download', documented('{{origin}}/images/provenance.jpg'), image('provenance.jpg')],
    ['in base64', { body: '{"data":[{"b64_json":"{{provenance.png}}"}]}' }, image('provenance.png')],
    [
      'of a large image',
      { body: ['{"data":[{"b64_json":"', largePng(1_000_000).toString('base64'), '"}]}'] },
      largePng(1_000_000),
    ],
  ])('%s', async (_name, answer, bytes) => {
    const api = await gateway({ generation: [answer] });
    const result = await imggen(['a cat', '-o', '-'], { gateway: api });
    expect(result.exit, result.stderr).toBe(0);
    expect(result.files).toEqual([]);
    expect(sha256(result.bytes)).toBe(sha256(bytes));
    expect(result.stderr).toMatch(/\n1 image in /);
  });

  test.each(['--json', '--sidecar', '--name={i}'])('and does not go with %s', async (flag) => {
    const { exit, stdout, stderr, api } = await generated(['a cat', '-o', '-', flag]);
    expect(exit).toBe(2);
    expect(stderr).toContain('error: ');
    if (flag !== '--json') expect(stdout).toBe('');
    expect(api.requests).toEqual([]);
  });

  test('nothing when the image cannot be had: exit 7', async () => {
    const { exit, stdout, files } = await generated(['a cat', '-o', '-'], {
      answer: documented('data:image/png;base64,bm8gaW1hZ2U='),
    });
    expect({ exit, stdout, files }).toEqual({ exit: 7, stdout: '', files: [] });
  });
});

describe('--name', () => {
  test.each<{ template: string; more?: string[]; answer?: Answer; paths: string[] }>([
    { template: '{slug}', paths: ['a-cat.png'] },
    { template: '{slug}', more: ['-n', '2'], answer: cats(2), paths: ['a-cat-1.png', 'a-cat-2.png'] },
    { template: 'cat{i}of{n}', more: ['-n', '2'], answer: cats(2), paths: ['cat1of2.png', 'cat2of2.png'] },
    { template: '{model}/{size}/{format}', more: ['-s', 'square'], paths: ['gpt-image-1.5/1024x1024/png.png'] },
    { template: '{model}', more: ['-m', 'org/../the model'], paths: ['org-..-the-model.png'] },
    { template: '{slug}.webp', answer: documented('{{origin}}/images/cat.webp'), paths: ['a-cat.webp'] },
    { template: 'plain', more: ['-o', 'out'], paths: ['out/plain.png'] },
  ])('$template $more gives $paths', async ({ template, more = [], answer, paths }) => {
    const { exit, stderr, lines, files } = await generated(
      ['a cat', '--name', template, ...more],
      answer ? { answer } : {},
    );
    expect(exit, stderr).toBe(0);
    expect(lines).toEqual(paths);
    expect(files).toEqual(paths);
  });

  test('has date, time and the id of the run', async () => {
    const { stdout } = await generated(['a cat', '--name', '{date}/{time}_{id}', '--json']);
    const { run, images } = JSON.parse(stdout) as { run: string; images: { path: string }[] };
    expect(images[0]?.path).toMatch(/^\d{4}-\d\d-\d\d\/\d{6}_/);
    expect(images[0]?.path).toContain(`_${run}.png`);
  });

  test.each([
    ['{prompt}', 'unknown field {prompt}'],
    ['../{slug}', 'leaves the directory'],
    ['a/../../{slug}', 'leaves the directory'],
    ['/etc/{slug}', 'has an empty part'],
    ['{slug}/', 'has an empty part'],
    ['a:b', 'has a character that file names do not have everywhere'],
    ['a\nb', 'has a control character'],
    ['x.', 'ends in a dot'],
    ['x'.repeat(201), 'more than 200 bytes'],
    ['{slug}.gif', 'no model makes that format'],
  ])('%j is refused before anything is sent', async (template, why) => {
    const { exit, stdout, stderr, files, api } = await generated(['a cat', '--name', template]);
    expect({ exit, stdout, files }).toEqual({ exit: 2, stdout: '', files: [] });
    expect(stderr).toContain('error: --name ');
    expect(stderr).toContain(why);
    expect(api.requests).toEqual([]);
  });

  test('does not go with the name of a file', async () => {
    const { exit, stderr } = await generated(['a cat', '-o', 'cat.png', '--name', '{i}']);
    expect(exit).toBe(2);
    expect(stderr).toContain('-o cat.png names a file, and --name names it too');
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
    ['a\u001b[31mb\u202ec\n\u0000d'.replace('\u0000', ''), 'a-31mb-c-d'],
    ['word '.repeat(40), Array(16).fill('word').join('-')],
    ['猫'.repeat(40), '猫'.repeat(26)],
  ])('of %j is %s', async (prompt, slug) => {
    const { exit, stdout } = await imggen(['generate', '--dry-run', '--json', '--', prompt]);
    expect(exit).toBe(0);
    expect((JSON.parse(stdout) as { files: string[] }).files).toEqual([`${slug}-1.png`]);
    expect(Buffer.byteLength(slug)).toBeLessThanOrEqual(80);
  });

  test('is a file name that is written and printed', async () => {
    const { lines, files } = await generated(['一只猫']);
    expect(lines).toEqual(['一只猫-1.png']);
    expect(files).toEqual(['一只猫-1.png']);
  });
});

describe('a name that exists', () => {
  test.each([
    { existing: ['a-cat-1.png'], n: 1, paths: ['a-cat-2.png'] },
    { existing: ['a-cat-2.png'], n: 2, paths: ['a-cat-1.png', 'a-cat-3.png'] },
  ])('with a number gives way to the next free one: $existing', async ({ existing, n, paths }) => {
    const { exit, lines, precious } = await generated(['a cat', '-n', String(n)], { existing, answer: cats(n) });
    expect(exit).toBe(0);
    expect(lines).toEqual(paths);
    expect(precious).toEqual(existing);
  });

  test.each([
    { args: ['-o', 'cat.png'], existing: 'cat.png' },
    { args: ['--name', '{slug}'], existing: 'a-cat.png' },
    { args: ['-o', 'cat.png', '--dry-run'], existing: 'cat.png' },
  ])('without a number is an error before anything is sent: $args', async ({ args, existing }) => {
    const { exit, stdout, stderr, api, precious } = await generated(['a cat', ...args], { existing: [existing] });
    expect({ exit, stdout }).toEqual({ exit: 8, stdout: '' });
    expect(stderr).toBe(`error: ${existing} exists\nhint: use --overwrite, --skip-existing, or another name\n`);
    expect(api.requests).toEqual([]);
    expect(precious).toEqual([existing]);
  });

  test.each([
    { args: ['-o', 'cat.png'], existing: ['cat.png'], paths: ['cat.png'], precious: [] },
    {
      args: ['-n', '2'],
      existing: ['a-cat-1.png', 'a-cat-3.png'],
      paths: ['a-cat-1.png', 'a-cat-2.png'],
      precious: ['a-cat-3.png'],
    },
  ])('is replaced with --overwrite: $args', async ({ args, existing, paths, precious }) => {
    const result = await generated(['a cat', '--overwrite', ...args], { existing, answer: cats(paths.length) });
    expect(result.exit).toBe(0);
    expect(result.lines).toEqual(paths);
    expect(result.precious).toEqual(precious);
    for (const path of paths) expect(result.place.sha256(path)).toBe(sha256(image('cat.png')));
  });

  test.each(['cat.png', 'cat.jpeg', 'cat.gif', 'cat.avif'])('with --skip-existing costs nothing: %s', async (name) => {
    const { exit, stdout, stderr, api, precious } = await generated(['a cat', '-o', 'cat.png', '--skip-existing'], {
      existing: [name],
    });
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: '' });
    expect(stderr).toContain('everything is there already');
    expect(api.requests).toEqual([]);
    expect(precious).toEqual([name]);
  });

  test('with --skip-existing costs only what is missing', async () => {
    const answer = documented('{{origin}}/images/cat.png', '{{origin}}/images/provenance.png');
    const { exit, lines, api, place, precious } = await generated(['a cat', '-n', '4', '--skip-existing'], {
      existing: ['a-cat-1.png', 'a-cat-3.png'],
      answer,
    });
    expect(exit).toBe(0);
    expect(api.posts()).toMatchObject([{ n: 2 }]);
    expect(lines).toEqual(['a-cat-2.png', 'a-cat-4.png']);
    expect(place.sha256('a-cat-4.png')).toBe(sha256(image('provenance.png')));
    expect(precious).toEqual(['a-cat-1.png', 'a-cat-3.png']);
  });

  test.each([
    { args: [], taken: 'a-cat-1.png', path: 'a-cat-2.png' },
    { args: ['-o', 'cat.png'], taken: 'cat.png', path: 'cat-2.png' },
  ])('only since the request was sent ($taken) is never replaced', async ({ args, taken, path }) => {
    const place = new Place();
    const api = await gateway({
      generation: () => {
        place.write(taken, 'precious');
        return cats();
      },
    });
    const { exit, stdout, files } = await imggen(['a cat', ...args], { gateway: api, place });
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: `${path}\n` });
    expect(files).toEqual([taken, path].sort());
    expect(place.read(taken).toString()).toBe('precious');
  });
});

describe('the extension follows the bytes', () => {
  test.each<{ args: string[]; name: ImageName; asked: string; path: string }>([
    { args: [], name: 'cat.jpg', asked: 'png', path: 'a-cat-1.jpg' },
    { args: ['-o', 'out/cat.png'], name: 'cat.webp', asked: 'png', path: 'out/cat.webp' },
    { args: ['-f', 'webp'], name: 'cat.png', asked: 'webp', path: 'a-cat-1.png' },
    { args: ['-o', 'cat.jpeg'], name: 'cat.gif', asked: 'jpeg', path: 'cat.gif' },
  ])('$args with $name gives $path and a warning', async ({ args, name, asked, path }) => {
    const { exit, lines, files, stderr, place } = await generated(['a cat', ...args], {
      answer: documented(`{{origin}}/images/${name}`),
    });
    expect(exit).toBe(0);
    expect(lines).toEqual([path]);
    expect(files).toEqual([path]);
    expect(place.sha256(path)).toBe(sha256(image(name)));
    const format = { 'cat.jpg': 'jpeg' }[name as string] ?? name.slice(4);
    expect(stderr).toContain(`warning: asked for ${asked}, the image is ${format}: ${path}\n`);
  });

  test('whatever the server calls them', async () => {
    const api = await gateway({
      generation: [documented('{{origin}}/download?file=cat.png')],
      paths: { '/download?file=cat.png': [{ headers: { 'content-type': 'image/png' }, body: image('cat.webp') }] },
    });
    const { stdout } = await imggen(['a cat'], { gateway: api });
    expect(stdout).toBe('a-cat-1.webp\n');
  });

  test('and --overwrite replaces no file of a name that was not asked for', async () => {
    const answer = documented('{{origin}}/images/cat.webp');
    const { exit, lines, precious } = await generated(['a cat', '-o', 'cat.png', '--overwrite'], {
      existing: ['cat.png', 'cat.webp'],
      answer,
    });
    expect({ exit, lines }).toEqual({ exit: 0, lines: ['cat-2.webp'] });
    expect(precious).toEqual(['cat.png', 'cat.webp']);
  });

  test('to a free name', async () => {
    const { lines, precious } = await generated(['a cat'], {
      existing: ['a-cat-1.jpg'],
      answer: documented('{{origin}}/images/cat.jpg'),
    });
    expect(lines).toEqual(['a-cat-2.jpg']);
    expect(precious).toEqual(['a-cat-1.jpg']);
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
  let arrived = () => {};
  let goOn = () => {};
  const half = new Promise<void>((resolve) => (arrived = resolve));
  const rest = new Promise<void>((resolve) => (goOn = resolve));
  const png = largePng(600_000);
  const api = await gateway({
    generation: [documented('{{origin}}/images/cat.png', '{{origin}}/large.png')],
    paths: {
      '/large.png': async () => {
        arrived();
        await rest;
        return { body: [png.subarray(0, 400_000), png.subarray(400_000)] };
      },
    },
  });
  const running = start(['a cat', '-n', '2'], { gateway: api, place });
  await half;
  expect(place.files().filter((name) => !/^\.imggen-.*\.part$/.test(name) && name !== 'a-cat-1.png')).toEqual([]);
  goOn();
  const { exit, files } = await running.end;
  expect({ exit, files }).toEqual({ exit: 0, files: ['a-cat-1.png', 'a-cat-2.png'] });
  expect(place.sha256('a-cat-2.png')).toBe(sha256(png));
});

test('several processes that save to one directory at once never take the same name', async () => {
  const place = new Place();
  const processes = 4;
  let waiting = 0;
  let open = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const api = await gateway({
    generation: async () => {
      waiting += 1;
      if (waiting === processes) open();
      await gate;
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
  const { exit, lines, files, place } = await generated(
    ['一只猫', '-n', '2', '--sidecar', '-s', 'square', '--quality', 'high'],
    {
      answer: documented('{{origin}}/images/cat.png', '{{origin}}/images/provenance.png'),
    },
  );
  expect(exit).toBe(0);
  expect(lines).toEqual(['一只猫-1.png', '一只猫-2.png']);
  expect(files).toEqual(['一只猫-1.png', '一只猫-1.png.json', '一只猫-2.png', '一只猫-2.png.json']);
  const sidecar = place.json('一只猫-2.png.json');
  expect(sidecar).toMatchObject({
    prompt: '一只猫',
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

test('a stdout that is full is exit 8, and the image is kept', async () => {
  const place = new Place();
  const api = await gateway({ generation: [cats()] });
  const { exit, stderr, files } = await imggen(['a cat'], { gateway: api, place, stdout: openSync('/dev/full', 'w') });
  expect({ exit, files }).toEqual({ exit: 8, files: ['a-cat-1.png'] });
  expect(stderr).toContain('error: cannot write to stdout\n');
});
