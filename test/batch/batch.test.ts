import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { type Declared, drawing, lines, Project, prompts, sandboxProcess } from '../support/batch.ts';
import { type Answers, cats, documented, type Gateway, gateway } from '../support/gateway.ts';
import { imggen } from '../support/imggen.ts';
import { after, until } from '../support/puppet.ts';

/** A gateway that draws, and a project that asks it. */
async function declared(
  content: Declared | string,
  { file, generation = drawing() }: { file?: string; generation?: Answers } = {},
): Promise<{ project: Project; api: Gateway }> {
  const api = await gateway({ generation });
  return { api, project: new Project(content, { server: api, ...(file !== undefined && { file }) }) };
}

const animals = ['ape', 'bee', 'cat', 'dog', 'eel', 'fox', 'gnu', 'hen', 'ibis', 'jay', 'kite', 'lynx'];

describe('a project with twelve images', () => {
  /** The first four say their size themselves. */
  const project = (): Declared => ({
    defaults: { model: 'dall-e-2', size: '256x256', out: 'assets' },
    images: animals.map((animal, index) => ({
      prompt: `a ${animal}`,
      name: animal,
      ...(index < 4 && { size: '256x256' }),
      ...(animal === 'ape' && { variants: [{ out: 'assets/ape-small.webp', resize: '64x64' }] }),
      ...(animal === 'lynx' && { convert: 'webp', resize: '100x' }),
    })),
  });
  const paths = animals.map((animal) => `assets/${animal}.${animal === 'lynx' ? 'webp' : 'png'}`);

  test('generates what is out of date, and nothing else', { timeout: 120_000 }, async () => {
    const sandbox = await sandboxProcess();
    const images = new Project(project(), { server: sandbox });
    let charged = 0;
    const expectRun = async (due: Record<string, string>, generated: number) => {
      const reasons = Object.entries(due).map(([job, why]) => `${job}: ${why}`);
      expect(await images.check()).toEqual(reasons);
      const { exit, stdout, stderr } = await images.run();
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: expect.any(String) });
      expect(
        lines(stdout)
          .filter((path) => path !== 'assets/ape-small.webp')
          .sort(),
      ).toEqual(Object.keys(due).sort());
      charged += generated;
      expect(await sandbox.charged()).toBe(charged);
      expect(await images.check()).toEqual([]);
    };
    const document = project();
    const { images: jobs, defaults } = document as Required<Declared>;

    await expectRun(Object.fromEntries(paths.map((path) => [path, 'new'])), 12);
    expect(images.images).toEqual([...paths, 'assets/ape-small.webp', 'assets/lynx.original.png'].sort());
    expect(Object.keys(images.lock())).toEqual(paths);
    const first = images.lock();

    await expectRun({}, 0);
    expect(images.lock()).toEqual(first);

    jobs[5]!.prompt = 'a red fox';
    images.declare(document);
    await expectRun({ 'assets/fox.png': 'its request changed' }, 1);

    rmSync(join(images.place.cwd, 'assets/gnu.png'));
    await expectRun({ 'assets/gnu.png': 'assets/gnu.png is missing' }, 1);

    images.place.write('assets/hen.png', 'scribbled over');
    await expectRun({ 'assets/hen.png': 'assets/hen.png was altered' }, 1);

    defaults.size = '512x512';
    images.declare(document);
    await expectRun(Object.fromEntries(paths.slice(4).map((path) => [path, 'its request changed'])), 8);
    expect((await sharp(images.place.read('assets/eel.png')).metadata()).width).toBe(512);
    expect((await sharp(images.place.read('assets/ape.png')).metadata()).width).toBe(256);

    jobs[0]!.variants = [{ out: 'assets/ape-small.webp', resize: '32x32' }];
    images.declare(document);
    await expectRun({ 'assets/ape.png': 'what is made of it changed' }, 0);
    expect((await sharp(images.place.read('assets/ape-small.webp')).metadata()).width).toBe(32);

    jobs[11]!.resize = '50x';
    images.declare(document);
    await expectRun({ 'assets/lynx.webp': 'what is made of it changed' }, 0);
    expect(await sharp(images.place.read('assets/lynx.webp')).metadata()).toMatchObject({ width: 50, format: 'webp' });

    rmSync(join(images.place.cwd, 'assets/lynx.webp'));
    await expectRun({ 'assets/lynx.webp': 'assets/lynx.webp is missing' }, 0);

    // The same jobs written in another way are the same jobs.
    images.declare(JSON.stringify(document, null, 1));
    await expectRun({}, 0);
    expect(await sandbox.stats()).toMatchObject({ requests: 23, rejected: 0, downloads: 23 });
  });
});

describe('a batch file', () => {
  const jobs = [
    { prompt: 'a fox', out: 'fox.png' },
    { prompt: 'an owl', name: 'birds/owl', count: 2 },
  ];
  const made = ['birds/owl-1.png', 'birds/owl-2.png', 'fox.png'];

  test.each([
    [
      'images.yaml',
      'images:\n  - prompt: a fox\n    out: fox.png\n  - { prompt: an owl, name: birds/owl, count: 2 }\n',
    ],
    [
      'images.yml',
      'images:\n- &fox {prompt: a fox, out: fox.png}\n- <<: *fox\n  prompt: |\n    an owl\n  out: .\n  name: birds/owl\n  count: 2\n',
    ],
    ['images.json', JSON.stringify({ $schema: './schema.json', images: jobs })],
    ['images.jsonl', jobs.map((job) => JSON.stringify(job)).join('\n')],
    ['images.ndjson', `\n${jobs.map((job) => JSON.stringify(job)).join('\r\n\r\n')}\r\n`],
  ])('%s is read as what it is', async (file, content) => {
    const { project, api } = await declared(content, { file });
    const { exit, stdout } = await project.run();
    expect({ exit, paths: lines(stdout).sort() }).toEqual({ exit: 0, paths: made });
    expect(project.images).toEqual(made);
    expect(api.posts()).toHaveLength(2);
    expect(api.posts().find(({ prompt }) => prompt === 'an owl')).toMatchObject({ n: 2 });
    expect(await project.check()).toEqual([]);
  });

  test.each(['prompts.txt'])('%s has a prompt a line', async (file) => {
    const { project, api } = await declared('# animals\n\na red fox\n   \n  # not this one\nthe number #1 dog\r\n', {
      file,
    });
    const { exit } = await project.run('-o', 'out', '--size', 'portrait', '-n', '2');
    expect(exit).toBe(0);
    expect(prompts(api).sort()).toEqual(['a red fox', 'the number #1 dog']);
    expect(api.posts().map(({ size, n }) => [size, n])).toEqual([
      ['1024x1536', 2],
      ['1024x1536', 2],
    ]);
    expect(project.images).toEqual([
      'out/a-red-fox-1.png',
      'out/a-red-fox-2.png',
      'out/the-number-1-dog-1.png',
      'out/the-number-1-dog-2.png',
    ]);
  });

  test.each([
    ['JSON Lines', '{"prompt":"a fox","out":"fox.png"}\n{"prompt":"a dog","name":"dog"}\n', ['dog.png', 'fox.png']],
    ['text', 'a fox\n# no\na dog\n', ['a-dog-1.png', 'a-fox-1.png']],
  ])('comes from stdin: %s', async (_name, stdin, files) => {
    const { project, api } = await declared({ images: [] });
    const run = async (...args: string[]) => await imggen(['batch', '-', ...args], project.setup({ stdin }));
    const first = await run();
    expect({ exit: first.exit, stdout: lines(first.stdout).sort() }).toEqual({ exit: 0, stdout: files });
    expect(project.place.files()).toEqual([...files, 'images.yaml'].sort());
    // Nothing remembers what was made: it could be anybody's.
    const again = await run();
    expect(again).toMatchObject({ exit: 8, stdout: '' });
    expect(again.stderr).toContain(`${files[1]} exists`);
    expect(api.posts()).toHaveLength(2);

    const locked = await run('--lock', 'own.lock.json', '--overwrite');
    expect(locked.exit).toBe(0);
    expect(Object.keys(project.lock('own.lock.json'))).toEqual(files);
    const known = await run('--lock', 'own.lock.json');
    expect(known).toMatchObject({ exit: 0, stdout: '', stderr: expect.stringContaining('everything is up to date') });
    expect((await run('--lock', 'own.lock.json', '--check')).exit).toBe(0);
    expect(api.posts()).toHaveLength(4);
  });

  test.each([
    ['YAML', 'images:\n  - prompt: a fox\n'],
    ['a JSON document', '{\n  "images": []\n}\n'],
    ['a JSON document', '{"images": [{"prompt": "a fox"}]}'],
  ])('on stdin is not %s', async (name, stdin) => {
    const { project, api } = await declared({ images: [] });
    const { exit, stdout, stderr } = await imggen(['batch', '-'], project.setup({ stdin }));
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(stderr).toContain(`-:1:1: stdin looks like ${name}`);
    expect(api.requests).toEqual([]);
  });

  test('is the place that its paths start from, those of the command line start where it is typed', async () => {
    const { project, api } = await declared(
      {
        defaults: { out: 'made' },
        images: [
          { 'prompt-file': 'fox.md', name: 'fox' },
          { prompt: 'x', out: 'x/x.png' },
        ],
      },
      { file: 'art/images.yaml' },
    );
    project.place.write('art/fox.md', '\n A fox,\n  sitting.\n\n');
    expect((await project.run()).exit).toBe(0);
    expect(prompts(api).sort()).toEqual(['A fox,\n  sitting.', 'x']);
    expect(project.images).toEqual(['art/made/fox.png', 'art/x/x.png']);
    expect(Object.keys(project.lock())).toEqual(['made/fox.png', 'x/x.png']);
    project.place.write('art/fox.md', 'A wolf.');
    expect(await project.check()).toEqual(['made/fox.png: its request changed']);
    expect((await project.run('-o', 'here')).exit).toBe(0);
    expect(project.images).toEqual(['art/made/fox.png', 'art/x/x.png', 'here/fox.png']);
    expect(Object.keys(project.lock())).toEqual(['../here/fox.png', 'made/fox.png', 'x/x.png']);
  });

  test('has the command line between its images and its defaults', async () => {
    const { project, api } = await declared({
      defaults: { size: 'square', quality: 'low', param: { a: 1, b: 1, c: 1 } },
      images: [
        { prompt: 'x', name: 'x', size: 'portrait', param: { c: 3 } },
        { prompt: 'y', name: 'y' },
      ],
    });
    expect(
      (await project.run('--size', 'landscape', '--param', 'b=2', '--param', 'c=2', '--concurrency', '1')).exit,
    ).toBe(0);
    expect(api.posts()).toEqual([
      expect.objectContaining({ prompt: 'x', size: '1024x1536', a: 1, b: 2, c: 3 }),
      expect.objectContaining({ prompt: 'y', size: '1536x1024', a: 1, b: 2, c: 2 }),
    ]);
  });

  test('asks for what is in it, not for what an environment or a config file says', async () => {
    const { project, api } = await declared({ images: [{ prompt: 'x', name: 'x' }] });
    project.place.writeConfig({
      model: 'dall-e-2',
      size: '512x512',
      stream: true,
      profiles: { p: { quality: 'low' } },
    });
    const env = {
      IMGGEN_SIZE: 'portrait',
      IMGGEN_MODEL: 'dall-e-3',
      IMGGEN_COUNT: '3',
      IMGGEN_OUT: 'elsewhere',
      IMGGEN_NAME: 'z',
      IMGGEN_CONVERT: 'webp',
    };
    expect((await project.runWith({ env }, '--profile', 'p')).exit).toBe(0);
    expect(api.posts()).toEqual([expect.objectContaining({ model: 'gpt-image-1.5', size: 'auto', n: 1 })]);
    expect(project.images).toEqual(['x.png']);
    project.place.writeConfig({});
    expect(await project.check()).toEqual([]);
    expect((await project.runWith({ env: { IMGGEN_STREAM: 'true', IMGGEN_TIMEOUT: '5' } }, '--check')).exit).toBe(0);
  });

  test('is asked for where the environment, a profile or itself says', async () => {
    const [env, profile, own] = [
      await gateway({ generation: drawing() }),
      await gateway({ generation: drawing() }),
      await gateway({ generation: drawing() }),
    ];
    const project = new Project(
      {
        images: [
          { prompt: 'x', name: 'x' },
          { prompt: 'y', name: 'y', 'base-url': own.baseUrl },
        ],
      },
      { server: env },
    );
    project.place.writeConfig({ profiles: { p: { baseUrl: profile.baseUrl } } });
    expect((await project.run()).exit).toBe(0);
    expect((await project.runWith({ env: { IMGGEN_BASE_URL: undefined } }, '--profile', 'p', '--force')).exit).toBe(0);
    expect([env, profile, own].map((api) => prompts(api).sort())).toEqual([['x'], ['x'], ['y', 'y']]);
    // Where an image comes from does not make it another.
    expect(await project.check()).toEqual([]);
  });
});

describe('what is made of an image', () => {
  test('takes its name; the original is kept beside it, or not', async () => {
    const { project, api } = await declared({
      defaults: { convert: 'webp', quality: 50 },
      images: [
        { prompt: 'kept', name: 'kept', resize: '4x3', fit: 'cover' },
        { prompt: 'gone', name: 'gone', keepOriginal: false },
        {
          prompt: 'both',
          out: 'both.jpg',
          convert: 'jpeg',
          count: 2,
          variants: [{ out: 'tiny/both.avif', resize: '2x' }, { out: 'both.png' }],
        },
      ],
    });
    const { exit, stdout } = await project.run();
    expect({ exit, told: lines(stdout).sort() }).toEqual({
      exit: 0,
      told: [
        'both-1.jpg',
        'both-1.png',
        'both-2.jpg',
        'both-2.png',
        'gone.webp',
        'kept.webp',
        'tiny/both-1.avif',
        'tiny/both-2.avif',
      ],
    });
    expect(project.images).toEqual(
      [...lines(stdout), 'both-1.original.png', 'both-2.original.png', 'kept.original.png'].sort(),
    );
    const facts = async (name: string) => {
      const { format, width, height } = await sharp(project.place.read(name)).metadata();
      return `${format} ${width}x${height}`;
    };
    expect(await facts('kept.webp')).toBe('webp 4x3');
    expect(await facts('kept.original.png')).toBe('png 8x6');
    expect(await facts('both-2.jpg')).toBe('jpeg 8x6');
    expect((await facts('tiny/both-2.avif')).replace(/^\w+ /, '')).toBe('2x2');
    expect(await project.check()).toEqual([]);
    expect(project.lock()['gone.webp']?.originals).toEqual([]);

    rmSync(join(project.place.cwd, 'gone.webp'));
    rmSync(join(project.place.cwd, 'both-1.png'));
    expect(await project.check()).toEqual([
      'gone.webp: gone.webp is missing, and its original was not kept',
      'both-1.jpg: both-1.png is missing',
    ]);
    expect((await project.run()).exit).toBe(0);
    expect(prompts(api).sort()).toEqual(['both', 'gone', 'gone', 'kept']);
    expect(await project.check()).toEqual([]);
  });

  test('a number is the quality of the file, a word that of the image', async () => {
    const job = { prompt: 'x', name: 'x', convert: 'jpeg', quality: 90 };
    const { project, api } = await declared({ defaults: { quality: 'low' }, images: [job] });
    expect((await project.run()).exit).toBe(0);
    const large = project.place.read('x.jpg').length;
    project.declare({ defaults: { quality: 'low' }, images: [{ ...job, quality: 5 }] });
    expect(await project.check()).toEqual(['x.jpg: what is made of it changed']);
    expect((await project.run()).exit).toBe(0);
    expect(project.place.read('x.jpg').length).toBeLessThan(large);
    expect(api.posts()).toEqual([expect.objectContaining({ partial_images: 'low' })]);
  });

  test('comes and goes without a new generation', async () => {
    const plain = { prompt: 'x', out: 'x.png' };
    const { project, api } = await declared({ images: [plain] });
    const states: [Record<string, unknown>, string[]][] = [
      [plain, ['x.png']],
      [{ ...plain, resize: '4x' }, ['x.original.png', 'x.png']],
      [plain, ['x.png']],
      [{ ...plain, resize: '2x' }, ['x.original.png', 'x.png']],
      [{ ...plain, variants: [{ out: 'y.webp' }] }, ['x.png', 'y.webp']],
      [{ ...plain, resize: '2x', keepOriginal: false }, ['x.png']],
    ];
    for (const [job, files] of states) {
      project.declare({ images: [job] });
      const { exit, stderr } = await project.run();
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: expect.any(String) });
      expect(project.images.filter((name) => files.includes(name) || name.includes('original'))).toEqual(files);
      expect(await project.check()).toEqual([]);
    }
    expect(api.posts()).toHaveLength(1);
  });

  test('has the format that the API made, and the extension of that', async () => {
    const { project, api } = await declared(
      {
        images: [
          { prompt: 'x', out: 'x.png' },
          { prompt: 'y', out: 'y.png', resize: '4x', variants: [{ out: 'z.png' }] },
        ],
      },
      { generation: () => documented('{{origin}}/images/cat.jpg') },
    );
    const made = ['x.jpg', 'y.jpg', 'y.original.jpg', 'z.png'];
    const expectMade = async () => {
      expect(project.images).toEqual(made);
      const formats = await Promise.all(
        made.map(async (name) => (await sharp(project.place.read(name)).metadata()).format),
      );
      expect(formats).toEqual(['jpeg', 'jpeg', 'jpeg', 'png']);
      expect(await project.check()).toEqual([]);
    };
    const { exit, stderr } = await project.run();
    expect({ exit, stderr }).toEqual({
      exit: 0,
      stderr: expect.stringContaining('warning: x.png: asked for png, the image is jpeg: x.jpg'),
    });
    await expectMade();
    rmSync(join(project.place.cwd, 'y.jpg'));
    expect(await project.check()).toEqual(['y.png: y.jpg is missing']);
    expect((await project.run()).exit).toBe(0);
    await expectMade();
    expect(prompts(api).sort()).toEqual(['x', 'y']);
  });

  test('under the name of a directory is refused for its job alone, before that is paid for', async () => {
    const { project, api } = await declared({
      images: [
        { prompt: 'x', name: 'x', convert: 'webp' },
        { prompt: 'y', name: 'y' },
      ],
    });
    mkdirSync(join(project.place.cwd, 'x.webp'));
    writeFileSync(join(project.place.cwd, 'x.webp', 'in the way'), '');
    const { exit } = await project.run('--overwrite');
    expect(exit).toBe(8);
    expect(prompts(api)).toEqual(['y']);
    expect(project.images).toEqual(['y.png']);
    rmSync(join(project.place.cwd, 'x.webp'), { recursive: true });
    const again = await project.run('--overwrite');
    expect(again).toMatchObject({ exit: 0, stdout: 'x.webp\n' });
    expect(prompts(api).sort()).toEqual(['x', 'y']);
  });
});

describe('looking without doing', () => {
  const document: Declared = {
    images: [
      { prompt: 'x', name: 'x', count: 2 },
      { prompt: 'y', name: 'y', resize: '4x' },
      { prompt: 'z', name: 'z' },
    ],
  };

  test('--dry-run tells the plan and sends nothing', async () => {
    const { project, api } = await declared(document);
    expect((await project.run('--only', 'z.png')).exit).toBe(0);
    const before = project.place.everything();
    const { exit, stdout, stderr } = await project.runWith({ env: { IMGGEN_API_KEY: undefined } }, '--dry-run');
    expect({ exit, stdout, stderr }).toEqual({
      exit: 0,
      stdout: 'generate x-1.png x-2.png (new)\ngenerate y.png (new)\n',
      stderr: '3 images would be generated for 2 of 3 jobs; 1 up to date\n',
    });
    const json = await project.run('--dry-run', '--json', '--force');
    expect(JSON.parse(json.stdout)).toEqual({
      dry_run: true,
      jobs: 3,
      images: 4,
      up_to_date: 0,
      gone: [],
      due: [
        { job: 'x-1.png', line: 2, work: 'generate', why: 'forced', images: 2, files: ['x-1.png', 'x-2.png'] },
        { job: 'y.png', line: 5, work: 'generate', why: 'forced', images: 1, files: ['y.original.png', 'y.png'] },
        { job: 'z.png', line: 8, work: 'generate', why: 'forced', images: 1, files: ['z.png'] },
      ],
    });
    expect(project.place.everything()).toEqual(before);
    expect(prompts(api).sort()).toEqual(['z']);
  });

  test('--check and --dry-run exclude each other', async () => {
    const { project } = await declared(document);
    expect(await project.run('--check', '--dry-run')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('exclude each other'),
    });
  });

  test('--schema needs no file', async () => {
    const { exit, stdout } = await imggen(['batch', '--schema']);
    expect({ exit, schema: JSON.parse(stdout) }).toMatchObject({
      exit: 0,
      schema: { $schema: 'http://json-schema.org/draft-07/schema#' },
    });
    expect(await imggen(['batch'])).toMatchObject({
      exit: 2,
      stdout: '',
      stderr: expect.stringContaining('there is no batch file'),
    });
  });
});

describe('choosing', () => {
  const images = ['icons/a', 'icons/b', 'photos/a', 'c'].map((name) => ({ prompt: name, name }));

  test.each([
    [['icons/*'], ['icons/a', 'icons/b']],
    [['a.png'], ['icons/a', 'photos/a']],
    [
      ['c.*', 'photos/**'],
      ['c', 'photos/a'],
    ],
    [['!icons/*'], ['c', 'photos/a']],
  ])('--only %j', async (globs, chosen) => {
    const { project, api } = await declared({ images });
    const { exit, stderr } = await project.run(...globs.flatMap((glob) => ['--only', glob]));
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: expect.any(String) });
    expect(prompts(api).sort()).toEqual(chosen);
  });

  test('--only that matches no job is a mistake, though another matches', async () => {
    const { project, api } = await declared({ images });
    const { exit, stderr } = await project.run('--only', 'c.png', '--only', 'nothing', '--check');
    expect({ exit, posts: api.posts() }).toEqual({ exit: 2, posts: [] });
    expect(stderr).toContain('error: --only nothing matches no job\n');
  });

  test.each([
    [['--only', ''], /^error: --only is empty\nhint: .*\n$/],
    [['another.yaml'], /^error: too many arguments .*\nhint: all options: imggen batch --help\n$/],
    [['--onyl', 'x'], /^error: unknown option '--onyl'\nhint: .*\n$/],
  ])('%j is a mistake that says what to give instead', async (args, message) => {
    const { project } = await declared({ images });
    expect(await project.run(...args)).toMatchObject({
      exit: 2,
      stdout: '',
      stderr: expect.stringMatching(message) as string,
    });
  });

  test('--force generates what is up to date', async () => {
    const { project, api } = await declared({ images });
    expect((await project.run()).exit).toBe(0);
    expect(await project.check()).toEqual([]);
    const { exit, stdout } = await project.run('--force', '--only', 'c.png');
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'c.png\n' });
    expect(prompts(api).sort()).toEqual(['c', 'c', 'icons/a', 'icons/b', 'photos/a']);
    expect(await project.check()).toEqual([]);
  });

  test('--concurrency says how many are under way', async () => {
    let [asked, underWay, most] = [0, 0, 0];
    const generation = async () => {
      asked += 1;
      underWay += 1;
      most = Math.max(most, underWay);
      // The first of them are answered once as many as may be are there.
      await until(() => asked >= 3);
      await after(20);
      underWay -= 1;
      return cats(1);
    };
    const { project } = await declared(
      { images: animals.map((animal) => ({ prompt: animal, name: animal })) },
      { generation },
    );
    expect((await project.run('--concurrency', '3')).exit).toBe(0);
    expect(most).toBe(3);
    expect(project.images).toHaveLength(12);
    most = 0;
    expect((await project.run('--concurrency', '1', '--force')).exit).toBe(0);
    expect(most).toBe(1);
  });

  test('many at once is no trouble', async () => {
    const names = Array.from({ length: 60 }, (_, k) => `image-${k}`);
    const { project, api } = await declared({
      images: names.map((name) => ({ prompt: name, name, variants: [{ out: `small/${name}.webp`, resize: '2x' }] })),
    });
    const { exit, stdout, stderr } = await project.run('--concurrency', '64');
    expect({ exit, paths: lines(stdout).length, posts: api.posts().length }).toEqual({
      exit: 0,
      paths: 120,
      posts: 60,
    });
    // A line at the start, one for each job, and one at the end: no warning among them.
    expect(lines(stderr)).toHaveLength(62);
    expect(await project.check()).toEqual([]);
  });
});
