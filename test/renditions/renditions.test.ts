import { linkSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { fileSystem } from '../support/file-system.ts';
import { cats, documented, gateway, type Gateway } from '../support/gateway.ts';
import { image } from '../support/images.ts';
import { imggen, type Result, start } from '../support/imggen.ts';
import { programWithoutSharp } from '../support/no-sharp.ts';
import { Place, sha256 } from '../support/place.ts';

/** Format and size of an image, as sharp sees them. */
async function looks(bytes: Uint8Array): Promise<string> {
  const { format, width, height } = await sharp(bytes).metadata();
  return `${format} ${width}x${height}`;
}

/** Runs imggen against a gateway that answers with the 8 × 6 pixels of cat.png. */
async function made(args: string, { place = new Place(), api }: { place?: Place; api?: Gateway } = {}) {
  const asked = api ?? (await gateway({ generation: () => cats(Number(/-n (\d)/.exec(args)?.[1] ?? 1)) }));
  const result = await imggen(['a cat', ...args.split(' ').filter(Boolean)], { place, gateway: asked });
  return { ...result, place, api: asked, posts: asked.posts() };
}

/** What `imggen history --json` tells of the last run. */
async function lastRun(place: Place): Promise<Record<string, unknown>> {
  const { stdout } = await imggen(['history', '--json', '-n', '1'], { place });
  return (JSON.parse(stdout) as { runs: Record<string, unknown>[] }).runs[0] as Record<string, unknown>;
}

describe('a rendition', () => {
  test.each([
    ['-o cat.webp --convert webp', 'cat.webp', 'webp 8x6'],
    ['-o cat.avif --convert avif', 'cat.avif', 'heif 8x6'],
    ['-o cat.jpeg --convert jpg', 'cat.jpeg', 'jpeg 8x6'],
    ['-o cat.PNG --convert png', 'cat.PNG', 'png 8x6'],
    ['-o cat.png --resize 4x4', 'cat.png', 'png 4x3'],
    ['-o cat.png --resize 80x', 'cat.png', 'png 8x6'],
    ['-o cat.png --resize x3', 'cat.png', 'png 4x3'],
    ['-o cat.png --resize 4x4 --fit cover', 'cat.png', 'png 4x4'],
    ['-o cat.webp --resize 20x40 --fit contain --convert webp --convert-quality 50', 'cat.webp', 'webp 20x40'],
    ['--convert webp', 'a-cat-1.webp', 'webp 8x6'],
    ['--name {slug}.{format} --convert avif', 'a-cat.avif.avif', 'heif 8x6'],
    ['--name x/{format}-{i}.avif --convert avif', 'x/avif-1.avif', 'heif 8x6'],
    ['-o out/deep --convert jpeg', 'out/deep/a-cat-1.jpg', 'jpeg 8x6'],
  ])('%s', async (args, path, look) => {
    const { exit, stdout, files, place, posts } = await made(args);
    const original = path.replace(/\.\w+$/, '.original.png');
    expect({ exit, stdout, files }).toEqual({ exit: 0, stdout: `${path}\n`, files: [original, path].sort() });
    expect(await looks(place.read(path))).toBe(look);
    expect(place.read(original)).toEqual(image('cat.png'));
    // The name of a converted image says nothing about what the API is asked for.
    expect(posts.map(({ output_format: format }) => format)).toEqual([args.includes('-o cat.png') ? 'png' : undefined]);
    expect(await lastRun(place)).toMatchObject({
      state: 'saved',
      images: [{ path: join(place.cwd, path), sha256: place.sha256(path), original: join(place.cwd, original) }],
      missing: [],
    });
  });

  test.each([
    ['-o cat.webp --resize 4x', 'cat.webp', 'cat.webp', 'webp'],
    ['-o cat.avif --convert avif -f webp', 'cat.webp', 'cat.avif', 'webp'],
    ['-o cat.png --resize 4x --overwrite', 'cat.jpg', 'cat.jpg', 'png'],
    ...(['cat.jpg', 'cat.webp', 'cat.gif', 'cat.avif'] as const).map(
      (name) => ['-o cat.png --convert png', name, 'cat.png', undefined] as const,
    ),
  ] as const)('%s of %s is %s; the API was asked for %s', async (args, name, path, asked) => {
    const api = await gateway({ generation: documented(`{{origin}}/images/${name}`) });
    const { exit, stdout, stderr, files, posts } = await made(args, { api });
    const original = name.replace('.', '.original.');
    expect({ exit, stdout, files }).toEqual({ exit: 0, stdout: `${path}\n`, files: [original, path].sort() });
    expect(posts[0]?.output_format).toBe(asked);
    expect(stderr.includes('asked for png, the image is jpeg')).toBe(name === 'cat.jpg' && asked === 'png');
  });

  test('is made of each image, beside its original', async () => {
    const { exit, stdout, files } = await made('-n 3 -o cat.webp --convert webp');
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'cat-1.webp\ncat-2.webp\ncat-3.webp\n' });
    expect(files).toEqual([1, 2, 3].flatMap((i) => [`cat-${i}.original.png`, `cat-${i}.webp`]));
  });

  test('stands alone with --no-keep-original', async () => {
    const { exit, stdout, files, place } = await made('-n 2 --convert webp --no-keep-original --json');
    expect({ exit, files }).toEqual({ exit: 0, files: ['a-cat-1.webp', 'a-cat-2.webp'] });
    expect(JSON.parse(stdout)).toMatchObject({
      images: [
        { path: 'a-cat-1.webp', original: null },
        { path: 'a-cat-2.webp', original: null },
      ],
    });
    expect(await lastRun(place)).toMatchObject({ state: 'saved', images: [{ original: null }, { original: null }] });
    expect(await imggen(['resume'], { place })).toMatchObject({ exit: 0, stderr: 'nothing to resume\n' });
  });

  test('has its facts and the path of its original in --json', async () => {
    const { stdout, place } = await made('-o cat.webp --convert webp --json --resize 4x');
    const bytes = place.read('cat.webp');
    const facts = { format: 'webp', width: 4, height: 3, bytes: bytes.length, sha256: sha256(bytes) };
    expect((JSON.parse(stdout) as Result & { images: unknown }).images).toEqual([
      { path: 'cat.webp', original: 'cat.original.png', ...facts },
    ]);
  });

  test('has the sidecar, which describes the original too', async () => {
    const { files, place } = await made('-o cat.webp --convert webp --sidecar');
    expect(files).toEqual(['cat.original.png', 'cat.webp', 'cat.webp.json']);
    expect(place.json('cat.webp.json')).toMatchObject({
      prompt: 'a cat',
      format: 'webp',
      sha256: place.sha256('cat.webp'),
      edit: { resize: null, convert: 'webp' },
      original: { file: 'cat.original.png', format: 'png', sha256: place.sha256('cat.original.png') },
    });
  });

  test('is the only thing on stdout with -o -', async () => {
    const { exit, bytes, files, place } = await made('-o - --convert webp --resize 4x');
    expect({ exit, files, look: await looks(bytes) }).toEqual({ exit: 0, files: [], look: 'webp 4x3' });
    expect(await lastRun(place)).toMatchObject({
      state: 'saved',
      images: [{ path: '-', format: 'webp' }],
      missing: [],
    });
    expect(await imggen(['resume'], { place })).toMatchObject({ stderr: 'nothing to resume\n' });
  });

  test('follows from the config file; a name on the command line outranks a conversion there', async () => {
    const place = new Place();
    place.writeConfig({ convert: 'webp', resize: '4x', keepOriginal: false });
    expect(await made('', { place })).toMatchObject({ exit: 0, files: ['a-cat-1.webp'] });
    expect(await made('-o b.png', { place })).toMatchObject({ exit: 0, stdout: 'b.png\n' });
    expect(await looks(place.read('b.png'))).toBe('png 4x3');
    expect(await made('-o c.png --keep-original', { place })).toMatchObject({
      files: expect.arrayContaining(['c.png', 'c.original.png']),
    });
    expect(await made('-o d.avif', { place })).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('--convert avif'),
    });
  });
});

describe('a mistake is refused before anything is sent:', () => {
  test.each([
    ['-o cat.png --convert webp', 'error: --convert webp and -o cat.png do not agree'],
    ['--name {slug}.png --convert avif', 'error: --convert avif and --name {slug}.png do not agree'],
    ['-o cat.avif', 'hint: add --convert avif'],
    ['-o cat.gif --convert webp', 'error: -o cat.gif: no model makes that format'],
    ['-o cat.avif --resize 4x', 'hint: add --convert avif'],
    ['--resize 0x4', 'error: --resize 0x4 is not a size with sides from 1 to 16384'],
    ['--resize 16385x', 'error: --resize 16385x is not a size'],
    ['--resize 800', 'hint: 800x600'],
    ['--resize x', 'error: --resize x is not'],
    ['--fit fill --resize 4x', 'hint: one of: inside, cover, contain'],
    ['--fit cover', 'error: --fit goes with --resize'],
    ['--convert gif', 'hint: one of: webp, avif, jpeg, png'],
    ['--convert-quality 50', 'error: --convert-quality goes with'],
    ['--convert-quality 0 --convert webp', 'error: --convert-quality 0 is not a whole number from 1 to 100'],
    ['--convert-quality 50 --convert png', 'error: --convert-quality 50: png has no quality'],
    ['--no-keep-original', 'error: --no-keep-original goes with'],
    ['--resize 16384x16384 --fit cover --convert webp', 'error: webp has no sides of more than 16383 pixels'],
    ['--resize 16384x --fit cover -f webp', 'error: webp has no sides of more than 16383 pixels'],
    ['-o - --convert webp --json', 'error: -o - and --json both want stdout'],
    [`-o ${'x'.repeat(232)}.webp --convert webp`, 'error: the file name of -o has more than 231 bytes'],
  ])('%s', async (args, message) => {
    const { exit, stderr, files, posts } = await made(args);
    expect({ exit, stderr, files, posts }).toEqual({
      exit: 2,
      stderr: expect.stringContaining(message),
      files: [],
      posts: [],
    });
  });
});

describe('--dry-run', () => {
  test('shows the paths of rendition and original', async () => {
    const { exit, stdout, files, posts } = await made('-o cat.webp --convert webp --dry-run');
    expect({ exit, files, posts }).toEqual({ exit: 0, files: [], posts: [] });
    expect(stdout).toMatch(/\nwould write cat\.webp\nwould write cat\.original\.png\n$/);
  });

  test('has the paths of renditions and originals in --json', async () => {
    const planned = async (args: string) => JSON.parse((await made(`${args} --dry-run --json`)).stdout) as unknown;
    expect(await planned('--convert avif -n 2')).toMatchObject({
      files: ['a-cat-1.avif', 'a-cat-2.avif'],
      originals: ['a-cat-1.original.png', 'a-cat-2.original.png'],
    });
    expect(await planned('--convert avif --no-keep-original')).toMatchObject({
      files: ['a-cat-1.avif'],
      originals: [],
    });
    expect((await made('-o - --convert avif --dry-run')).stdout).toMatch(/\nwould write -\n$/);
  });
});

describe('names that are taken', () => {
  const plan = async (args: string, ...existing: string[]) => {
    const place = new Place();
    for (const name of existing) place.write(name, 'precious');
    const { exit, stdout, stderr } = await made(`${args} --dry-run --json`, { place });
    return exit === 0 ? (JSON.parse(stdout) as { files: string[] }).files : stderr;
  };

  test.each([
    ['-n 2 --convert webp', ['a-cat-1.webp', 'a-cat-3.original.png'], ['a-cat-2.webp', 'a-cat-4.webp']],
    ['-n 2 --resize 4x', ['a-cat-1.png', 'a-cat-3.original.png'], ['a-cat-2.png', 'a-cat-4.png']],
    ['--convert webp --sidecar', ['a-cat-1.webp.json', 'a-cat-2.original.png.json'], ['a-cat-2.webp']],
    ['--convert webp', ['a-cat-1.png'], ['a-cat-1.webp']],
    ['-n 2 --convert webp --overwrite', ['a-cat-1.webp', 'a-cat-2.original.png'], ['a-cat-1.webp', 'a-cat-2.webp']],
    ['-n 2 --convert webp --skip-existing', ['a-cat-1.webp'], ['a-cat-2.webp']],
    ['-n 2 --convert webp --skip-existing', ['a-cat-1.png'], ['a-cat-1.webp', 'a-cat-2.webp']],
    ['-n 2 --resize 4x --skip-existing', ['a-cat-1.webp'], ['a-cat-2.png']],
    ['-n 2 --convert avif --skip-existing', ['a-cat-1.avif', 'a-cat-1.original.png', 'a-cat-2.avif'], []],
  ])('%s beside %j: %j', async (args, existing, files) => {
    expect(await plan(args, ...existing)).toEqual(files);
  });

  test.each([
    ['-o cat.webp --convert webp', 'cat.webp', 'cat.webp exists'],
    ['-o cat.webp --convert webp', 'cat.original.png', 'cat.original.png exists'],
    ['-o cat.png --resize 4x', 'cat.original.png', 'cat.original.png exists'],
    ['-o cat.webp --convert webp --sidecar', 'cat.webp.json', 'cat.webp.json exists'],
    [
      '-o cat.webp --convert webp --skip-existing',
      'cat.original.jpg',
      'cat.original.jpg exists, and cat.webp, which is made from it, does not',
    ],
  ])('%s beside %s: exit 8', async (args, existing, message) => {
    const place = new Place();
    place.write(existing, 'precious');
    const { exit, stderr, posts, files } = await made(args, { place });
    expect({ exit, stderr, posts, files }).toEqual({
      exit: 8,
      stderr: expect.stringContaining(message),
      posts: [],
      files: [existing],
    });
  });

  test('--overwrite replaces both', async () => {
    const place = new Place();
    for (const name of ['cat.webp', 'cat.original.png', 'cat.webp.json', 'cat.png']) place.write(name, 'old');
    const { exit, stdout, files } = await made('-o cat.webp --convert webp --overwrite --sidecar', { place });
    expect({ exit, stdout, files }).toEqual({
      exit: 0,
      stdout: 'cat.webp\n',
      files: ['cat.original.png', 'cat.png', 'cat.webp', 'cat.webp.json'],
    });
    expect(await looks(place.read('cat.webp'))).toBe('webp 8x6');
    expect(place.read('cat.original.png')).toEqual(image('cat.png'));
    expect(place.read('cat.png').toString()).toBe('old');
  });

  test('since the request was sent: the original or its rendition gets another number', async () => {
    for (const taken of ['cat.original.png', 'cat.webp']) {
      const place = new Place();
      const api = await gateway({
        generation: () => {
          place.write(taken, 'precious');
          return cats();
        },
      });
      const { exit, stdout, files } = await made('-o cat.webp --convert webp', { place, api });
      const original = taken === 'cat.webp' ? 'cat.original.png' : 'cat-2.original.png';
      expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'cat-2.webp\n' });
      expect(files).toEqual([...new Set([original, taken, 'cat-2.webp'])].sort());
      expect(place.read(taken).toString()).toBe('precious');
    }
  });
});

describe('a conversion that fails never loses the original:', () => {
  /** It has the structure of a PNG, and no pixels that can be read. */
  const damaged = Buffer.from(image('cat.png'));
  const pixels = damaged.indexOf('IDAT') + 4;
  damaged.fill(0, pixels, pixels + damaged.readUInt32BE(pixels - 8));
  const broken = (...others: string[]) =>
    gateway({
      generation: () => documented('{{origin}}/damaged.png', ...others),
      paths: { '/damaged.png': { body: damaged } },
    });

  test('an image that cannot be read', async () => {
    const api = await broken('{{origin}}/images/cat.png');
    const { exit, stdout, stderr, files, place } = await made('-n 2 -o cat.webp --convert webp', { api });
    expect({ exit, stdout, files }).toEqual({
      exit: 7,
      stdout: 'cat-2.webp\n',
      files: ['cat-1.original.png', 'cat-2.original.png', 'cat-2.webp'],
    });
    expect(stderr).toMatch(
      /error: 1 of 2 images is saved and not converted\ncause: image 1: .*; the original is cat-1\.original\.png\n/,
    );
    // Another try would end the same way.
    expect(stderr).not.toContain('imggen resume');
    expect(place.read('cat-1.original.png')).toEqual(damaged);
    expect(await lastRun(place)).toMatchObject({
      state: 'incomplete',
      images: [{ path: join(place.cwd, 'cat-1.original.png') }, { path: join(place.cwd, 'cat-2.webp') }],
      missing: [{ index: 1, lost: expect.any(String), original: join(place.cwd, 'cat-1.original.png') }],
    });
    expect(await imggen(['resume'], { place })).toMatchObject({ exit: 0, stderr: 'nothing to resume\n' });
    const { run } = (await lastRun(place)) as { run: string };
    expect(await imggen(['resume', run], { place })).toMatchObject({
      exit: 7,
      stderr: expect.stringContaining('is not converted'),
    });
  });

  test('--json has its path', async () => {
    const api = await broken();
    const { exit, stdout } = await made('-o cat.webp --convert webp --json --no-keep-original', { api });
    expect(exit).toBe(7);
    expect(JSON.parse(stdout)).toMatchObject({ images: [], failed: [{ index: 1, original: 'cat.original.png' }] });
  });

  test('-o -: nothing is written, and resume saves it', async () => {
    const api = await broken();
    const { exit, stdout, place, stderr } = await made('-o - --convert webp', { api });
    expect({ exit, stdout }).toEqual({ exit: 7, stdout: '' });
    expect(stderr).toContain('the image cannot be converted');
    expect(await imggen(['resume'], { place })).toMatchObject({ exit: 7, files: ['a-cat-1.original.png'] });
  });

  test('a name that cannot be written', async () => {
    const place = new Place();
    const env = fileSystem(place, { links: true, refused: /cat\.webp$/ });
    const api = await gateway({ generation: () => cats() });
    const args = ['a cat', '-o', 'cat.webp', '--convert', 'webp', '--no-keep-original'];
    const { exit, stdout, stderr, files } = await imggen(args, { place, gateway: api, env });
    expect({ exit, stdout, files }).toEqual({ exit: 8, stdout: '', files: ['cat.original.png'] });
    expect(stderr).toContain(
      'error: the image is saved and not converted\ncause: image 1: cannot write cat.webp: EIO: refused',
    );
    expect(stderr).toContain(
      '; the original is cat.original.png\nhint: to convert without a new generation: imggen resume\n',
    );
    expect(await imggen(['resume'], { place })).toMatchObject({
      exit: 0,
      stdout: `${join(place.cwd, 'cat.webp')}\n`,
      files: ['cat.webp'],
    });
  });
});

/** Waits until files are there. */
async function saw(place: Place, ...names: string[]): Promise<void> {
  await vi.waitUntil(() => names.every((name) => place.files().includes(name)), { timeout: 60_000, interval: 5 });
}

/** The journal of the only run: its path and its lines. */
function journal(place: Place): [path: string, lines: string[]] {
  const directory = join(place.state, 'runs');
  const path = join(directory, readdirSync(directory)[0] as string);
  return [path, readFileSync(path, 'utf8').trim().split('\n')];
}

/** Takes the lines of these types from the journal of the only run, as if the process had been killed before them. */
function forget(place: Place, ...types: string[]): void {
  const [path, lines] = journal(place);
  const kept = lines.filter((line) => !types.includes((JSON.parse(line) as { type: string }).type));
  writeFileSync(path, `${kept.join('\n')}\n`);
  const longAgo = new Date(Date.now() - 600_000);
  utimesSync(path, longAgo, longAgo);
}

describe('resume', () => {
  async function finished(args: string) {
    const { place, api, exit } = await made(args);
    expect(exit).toBe(0);
    return {
      place,
      api,
      before: place.files(),
      resume: async (...more: string[]) => await imggen(['resume', ...more], { place }),
    };
  }

  test('the journal keeps the names that older versions read', async () => {
    const { place } = await finished('-o cat.webp --convert webp');
    expect(JSON.parse(journal(place)[1][0] as string)).toMatchObject({
      edit: { resize: null, fit: 'inside', convert: 'webp', quality: null },
      naming: { results: { extension: 'webp' } },
    });
  });

  test('makes the renditions that a killed process did not make', async () => {
    const { place, before, resume } = await finished('-n 2 -o cat.webp --convert webp --sidecar');
    forget(place, 'made', 'released');
    for (const name of ['cat-1.webp', 'cat-2.webp', 'cat-1.webp.json']) rmSync(join(place.cwd, name));
    const { exit, stdout, files } = await resume();
    expect({ exit, stdout, files }).toEqual({
      exit: 0,
      stdout: `${join(place.cwd, 'cat-1.webp')}\n${join(place.cwd, 'cat-2.webp')}\n`,
      files: before,
    });
    expect(await lastRun(place)).toMatchObject({ state: 'saved', missing: [] });
    expect(await resume()).toMatchObject({ exit: 0, stderr: 'nothing to resume\n' });
  });

  test.each(['', '--no-keep-original', '--overwrite'])(
    'takes a rendition that is not in the journal for its own: %s',
    async (args) => {
      const { place, before, resume } = await finished(`-o cat.webp --convert webp ${args}`);
      if (args === '--no-keep-original') place.write('cat.original.png', image('cat.png'));
      forget(place, 'made', 'released');
      const result = place.read('cat.webp');
      expect(await resume()).toMatchObject({ exit: 0, files: before });
      expect(place.read('cat.webp')).toEqual(result);
    },
  );

  test('does not write into a rendition through the part file that a killed process left', async () => {
    const { place, before, resume } = await finished('-o cat.webp --convert webp');
    const { run } = (await lastRun(place)) as { run: string };
    linkSync(join(place.cwd, 'cat.webp'), join(place.cwd, `.imggen-${run}-1-result.part`));
    forget(place, 'made', 'released');
    // The result has been changed by its user since.
    place.write('cat.webp', 'mine');
    expect(await resume()).toMatchObject({ exit: 0, files: [...before, 'cat-2.webp'].sort() });
    expect(place.read('cat.webp').toString()).toBe('mine');
  });

  test('removes the original that a killed process did not remove', async () => {
    const { place, before, resume } = await finished('-o cat.webp --convert webp --no-keep-original');
    place.write('cat.original.png', image('cat.png'));
    forget(place, 'released');
    expect(await resume()).toMatchObject({ exit: 0, files: before });
  });

  test('does not remove another file that has the name of the original', async () => {
    const { place, before, resume } = await finished('-o cat.webp --convert webp --no-keep-original');
    place.write('cat.original.png', image('provenance.png'));
    forget(place, 'released');
    expect(await resume()).toMatchObject({ exit: 0, files: [...before, 'cat.original.png'].sort() });
  });

  test('reports an original that is gone once', async () => {
    const { place, resume } = await finished('-o cat.webp --convert webp');
    forget(place, 'made', 'released');
    for (const name of place.files()) rmSync(join(place.cwd, name));
    expect(await resume()).toMatchObject({ exit: 7, files: [], stderr: expect.stringContaining('missing') });
    expect(await resume()).toMatchObject({ exit: 0, stderr: 'nothing to resume\n' });
  });

  test('finishes a run that was interrupted there', async () => {
    const place = new Place();
    const run = start(['a cat', '-n', '4', '-o', 'cat.avif', '--convert', 'avif', '--sandbox'], { place });
    await saw(place, ...[1, 2, 3, 4].map((i) => `cat-${i}.original.png`));
    run.kill('SIGINT');
    const { exit, files, stderr } = await run.end;
    expect(exit).toBe(130);
    expect(stderr).toMatch(
      /of 4 images are (not saved yet: imggen resume|saved and not converted\ncause: image \d: interrupted)/,
    );
    expect(files.length).toBeLessThan(8);
    expect(await imggen(['resume'], { place })).toMatchObject({ exit: 0 });
    expect(place.files()).toHaveLength(8);
  });
});

describe('without sharp', () => {
  test.each([
    ['is not installed', undefined, 'Cannot find module'],
    ['does not run', 'no-libvips', 'no-libvips'],
  ])('nothing is sent: it %s', async (_name, broken, cause) => {
    const place = new Place();
    const api = await gateway({ generation: () => cats() });
    const program = programWithoutSharp(place, broken);
    for (const args of [
      ['--convert', 'webp'],
      ['--resize', '4x', '--dry-run'],
      ['-o', '-', '--convert', 'webp'],
    ]) {
      const { exit, stdout, stderr } = await imggen(['a cat', ...args], { place, gateway: api, program });
      expect({ exit, stdout, files: place.files() }).toEqual({ exit: 2, stdout: '', files: [] });
      expect(stderr).toMatch(
        /^error: images are resized and converted with sharp, which is not installed or does not run here\ncause: .*\nhint: npm install -g sharp, or reinstall imggen without --omit=optional\n$/,
      );
      expect(stderr).toContain(cause);
    }
    expect(api.requests).toEqual([]);
    expect(await imggen(['a cat'], { place, gateway: api, program })).toMatchObject({
      exit: 0,
      stdout: 'a-cat-1.png\n',
    });
  });

  test('resume keeps the original, and another resume converts it', async () => {
    const { place, api } = await made('-o cat.webp --convert webp');
    forget(place, 'made', 'released');
    rmSync(join(place.cwd, 'cat.webp'));
    expect(await imggen(['resume'], { place, gateway: api, program: programWithoutSharp(place) })).toMatchObject({
      exit: 7,
      stderr: expect.stringContaining('npm install -g sharp'),
    });
    expect(place.files()).toEqual(['cat.original.png']);
    expect(await imggen(['resume'], { place })).toMatchObject({ exit: 0, files: ['cat.original.png', 'cat.webp'] });
  });
});
