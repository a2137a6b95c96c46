import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { shardOf } from '../../src/batch/jobs/select.ts';
import { drawing, eventsOf, lines, Project, prompts } from '../support/batch.ts';
import { documented, type Gateway, gateway, silence } from '../support/gateway.ts';
import { start } from '../support/imggen.ts';
import { sha256 } from '../support/place.ts';
import { pty } from '../support/pty.ts';

function named(...names: string[]): { prompt: string; name: string }[] {
  return names.map((name) => ({ prompt: name, name }));
}

async function drawn(...names: string[]): Promise<{ project: Project; api: Gateway }> {
  const api = await gateway({ generation: drawing() });
  const project = new Project({ images: named(...names) }, { server: api });
  expect((await project.run()).exit).toBe(0);
  return { project, api };
}

describe('the lock file', () => {
  test('has the jobs in the order of their names, each as it was made', async () => {
    const { project, api } = await drawn('b', 'C', 'a/z', 'ä');
    expect(project.place.files()).toEqual([
      'C.png',
      'a/z.png',
      'b.png',
      'images.yaml',
      'images.yaml.lock.json',
      'ä.png',
    ]);
    const lock = project.lock();
    expect(Object.keys(lock)).toEqual(['C.png', 'a/z.png', 'b.png', 'ä.png']);
    expect(lock['b.png']).toEqual({
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      processing: null,
      outputs: [],
      originals: [{ path: 'b.png', sha256: project.place.sha256('b.png'), bytes: project.place.read('b.png').length }],
      run: expect.stringMatching(/^\d{8}T\d{9}-[0-9a-f]{8}$/),
      model: 'gpt-image-1.5',
      request_id: 'req-0123456789',
      task_id: 'task-7f3a',
      usage: { images: 1, seconds: 12, input_tokens: 10, total_tokens: 1066, output_tokens: 1056 },
      generated: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    const before = project.place.read('images.yaml.lock.json');
    expect((await project.run()).exit).toBe(0);
    expect(project.place.read('images.yaml.lock.json')).toEqual(before);
    expect(api.posts()).toHaveLength(4);
  });

  test('stands where --lock says', async () => {
    const { project, api } = await drawn('x');
    expect((await project.run('--lock', 'x.lock.json', '--overwrite')).exit).toBe(0);
    expect(Object.keys(project.lock('x.lock.json'))).toEqual(['x.png']);
    expect(api.posts()).toHaveLength(2);
  });

  test.each([
    ['cut off', (text: string) => text.slice(0, -20)],
    [
      'in conflict',
      (text: string) =>
        text.replace('    "x.png": {', '<<<<<<< HEAD\n    "x.png": {\n=======\n    "x.png": {\n>>>>>>> other'),
    ],
    ['something else', () => '[]\n'],
    ['of a later version', (text: string) => text.replace('"version": 1', '"version": 2')],
  ])('that is %s stops everything', async (_name, broken) => {
    const { project, api } = await drawn('x');
    const text = broken(project.place.read('images.yaml.lock.json').toString());
    project.place.write('images.yaml.lock.json', text);
    for (const args of [[], ['--check'], ['--dry-run'], ['--force', '--overwrite'], ['--shard', '1/2']]) {
      const { exit, stdout, stderr } = await project.run(...args);
      expect({ args, exit, stdout }).toEqual({ args, exit: 2, stdout: '' });
      expect(stderr).toContain('images.yaml.lock.json');
    }
    expect(project.place.read('images.yaml.lock.json').toString()).toBe(text);
    expect(api.posts()).toHaveLength(1);
  });

  test('has one batch at a time, and can be checked meanwhile', async () => {
    const api = await gateway({
      generation: drawing((prompt, times) => (prompt === 'slow' && times === 1 ? silence() : undefined)),
    });
    const project = new Project({ images: named('quick', 'slow') }, { server: api });
    const running = start(['batch', project.file, '--json'], project.setup());
    await running.saw(/"type":"saved","job":"quick.png"/);
    expect(await project.run()).toMatchObject({
      exit: 8,
      stdout: '',
      stderr: expect.stringContaining('another imggen batch works on images.yaml.lock.json'),
    });
    expect(await project.check()).toEqual(['slow.png: its run has no answer']);
    running.kill('SIGINT');
    const { exit, stdout } = await running.end;
    expect({ exit, summary: eventsOf(stdout).at(-1) }).toMatchObject({
      exit: 130,
      summary: { type: 'summary', saved: 1, exit: 130 },
    });
    expect((await project.run()).exit).toBe(0);
    expect(prompts(api).sort()).toEqual(['quick', 'slow', 'slow']);
    expect(await project.check()).toEqual([]);
    expect(project.place.files()).toEqual(['images.yaml', 'images.yaml.lock.json', 'quick.png', 'slow.png']);
  });

  test('knows a run that was not finished: what was paid for is fetched', async () => {
    const downloads = [
      { status: 500 },
      {
        headers: { 'content-type': 'image/png' },
        body: readFileSync(new URL('../fixtures/images/cat.png', import.meta.url)),
      },
    ];
    const api = await gateway({ generation: [documented('{{origin}}/late.png')], paths: { '/late.png': downloads } });
    const project = new Project({ images: named('x') }, { server: api });
    expect(await project.run('--retries', '0')).toMatchObject({
      exit: 7,
      stdout: '',
      stderr: expect.stringContaining('the image is not saved'),
    });
    expect(await project.check()).toEqual(['x.png: its run was not finished']);
    expect((await project.run('--dry-run')).stdout).toBe('resume x.png (its run was not finished)\n');
    expect(await project.run()).toMatchObject({ exit: 0, stdout: 'x.png\n' });
    expect(await project.check()).toEqual([]);
    expect(api.posts()).toHaveLength(1);
  });
});

test('--check writes nothing, and needs nothing that can be written', async () => {
  const { project } = await drawn('x', 'y');
  project.declare({ images: named('x', 'z') });
  const { cwd } = project.place;
  const looks = () =>
    readdirSync(cwd)
      .map((name) => [name, statSync(join(cwd, name)).mtimeMs])
      .concat([['.', statSync(cwd).mtimeMs]]);
  chmodSync(cwd, 0o555);
  const before = looks();
  const env = {
    IMGGEN_BASE_URL: 'http://127.0.0.1:1',
    IMGGEN_API_KEY: undefined,
    IMGGEN_STATE_DIR: '/proc/nothing',
    IMGGEN_CONFIG_DIR: '/proc/nothing',
  };
  const { exit, stdout, stderr } = await project.runWith({ env }, '--check', '--shard', '1/1');
  expect({ exit, stdout, stderr }).toEqual({
    exit: 9,
    stdout: 'z.png: new\n',
    stderr: '1 out of date, 1 up to date\n',
  });
  expect(looks()).toEqual(before);
  chmodSync(cwd, 0o755);
  expect(JSON.parse((await project.run('--check', '--json')).stdout)).toEqual({
    check: true,
    due: [{ job: 'z.png', line: 4, work: 'generate', why: 'new', images: 1 }],
    up_to_date: 1,
    exit: 9,
  });
});

describe('a file that has the name of the log', () => {
  test.each([
    ['the batch file itself', 'jobs.jsonl', '{"prompt":"x","out":"x.png"}\n', 'jobs'],
    ['data of somebody else', 'prompts.txt', 'x\n', 'data'],
    ['data that has types too', 'prompts.txt', 'x\n', 'events', '{"type":"done","id":1}\n'],
  ])('stays as it is, and nothing is sent: %s', async (_what, file, content, stem, data = '{"id":1}\n{"id":2}\n') => {
    const api = await gateway({ generation: drawing() });
    const project = new Project(content, { server: api, file });
    const log = `${stem}.jsonl`;
    if (log !== file) project.place.write(log, data);
    const before = [project.place.files(), project.place.read(log).toString()];
    for (const args of [
      [],
      ['--check'],
      ['--dry-run'],
      ['--force', '--overwrite'],
      ['--prune', '--yes'],
      ['--merge-locks', `${stem}.json`],
    ]) {
      const { exit, stdout, stderr } = await project.run('--lock', `${stem}.json`, ...args);
      expect({ args, exit, stdout }).toEqual({ args, exit: 2, stdout: '' });
      expect(stderr).toMatch(
        new RegExp(`^error: ${log} is no log of a lock file, and would be taken for one$.*--lock`, 'ms'),
      );
    }
    expect([project.place.files(), project.place.read(log).toString()]).toEqual(before);
    expect(api.requests).toEqual([]);
  });

  test('or of a part of it', async () => {
    const { project, api } = await drawn('x');
    project.place.write('images.yaml.lock.1-of-2.jsonl', '[1]\n');
    for (const args of [[], ['--shard', '1/2'], ['--merge-locks', 'images.yaml.lock.1-of-2.jsonl']]) {
      expect(await project.run('--force', ...args)).toMatchObject({
        exit: 2,
        stderr: expect.stringContaining('images.yaml.lock.1-of-2.jsonl is no log of a lock file'),
      });
    }
    expect(project.place.read('images.yaml.lock.1-of-2.jsonl').toString()).toBe('[1]\n');
    expect(api.posts()).toHaveLength(1);
  });
});

test('a file that was altered and kept its length is out of date', async () => {
  const { project } = await drawn('x', 'y');
  const bytes = project.place.read('x.png');
  bytes[bytes.length - 1] = 1 ^ (bytes.at(-1) as number);
  project.place.write('x.png', bytes);
  expect(await project.check()).toEqual(['x.png: x.png was altered']);
});

describe('what cannot be read where an image was', () => {
  const inItsPlace: [string, (path: string) => void][] = [
    ['a link to itself', (path) => symlinkSync(basename(path), path)],
    ['a directory', (path) => mkdirSync(path)],
  ];

  test.each(inItsPlace)('%s: it was altered, and --prune leaves it', async (_what, put) => {
    const { project, api } = await drawn('x', 'y');
    const path = join(project.place.cwd, 'y.png');
    rmSync(path);
    put(path);
    const run = async (...args: string[]) => await project.runWith({ unchecked: true }, ...args);
    expect(await run('--check')).toMatchObject({ exit: 9, stdout: 'y.png: y.png was altered\n' });
    expect(await run('--dry-run')).toMatchObject({ exit: 0, stdout: 'generate y.png (y.png was altered)\n' });
    project.declare({ images: named('x') });
    expect(await run('--prune', '--yes')).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining('warning: y.png was altered, and stays\n'),
    });
    expect(Object.keys(project.lock())).toEqual(['x.png']);
    expect(api.posts()).toHaveLength(2);
  });

  test.each(inItsPlace)('%s: where an original is to go', async (_what, put) => {
    const { project, api } = await drawn('x');
    put(join(project.place.cwd, 'x.original.png'));
    project.declare({ images: [{ prompt: 'x', name: 'x', resize: '4x' }] });
    const { exit, stderr } = await project.runWith({ unchecked: true }, '--overwrite');
    expect({ exit, stderr }).toEqual({ exit: 8, stderr: expect.stringContaining('x.original.png') });
    expect(api.posts()).toHaveLength(1);
  });
});

describe('the sandbox', () => {
  test('does not replace what was paid for, and is no substitute for it', async () => {
    const { project, api } = await drawn('x', 'y');
    expect((await project.run('--sandbox')).stderr).toContain('everything is up to date');
    const real = project.place.sha256('x.png');
    project.declare({ images: [{ prompt: 'another x', name: 'x' }, ...named('y', 'z')] });
    for (const args of [[], ['--force']]) {
      const { exit, stdout, stderr } = await project.run('--sandbox', ...args);
      expect({ exit, stdout }).toEqual({ exit: 8, stdout: '' });
      expect(stderr).toContain(
        'images.yaml:2:5: x.png was paid for (the sandbox would replace it; --overwrite lets it)',
      );
    }
    expect(project.place.sha256('x.png')).toBe(real);
    expect((await project.run('--sandbox', '--overwrite')).exit).toBe(0);
    expect(project.lock()['x.png']).toMatchObject({ sandbox: true });
    expect(project.lock()['y.png']).not.toHaveProperty('sandbox');
    expect(await project.check('--sandbox')).toEqual([]);
    expect(await project.check()).toEqual(['x.png: made by the sandbox', 'z.png: made by the sandbox']);
    // What the sandbox made, it may make anew.
    expect((await project.run('--sandbox', '--force', '--only', 'z.png')).exit).toBe(0);
    expect(api.posts()).toHaveLength(2);
    expect((await project.run()).exit).toBe(0);
    expect(project.place.sha256('x.png')).toBe(real);
    expect(prompts(api).sort()).toEqual(['another x', 'x', 'y', 'z']);
    expect(await project.check()).toEqual([]);
  });

  test('nor while another run of it is not finished', async () => {
    const answers = ['/images/cat.png', '/late.png'].map((path) => documented(`{{origin}}${path}`));
    const api = await gateway({ generation: answers, paths: { '/late.png': { status: 500 } } });
    const project = new Project({ images: named('x') }, { server: api });
    expect((await project.run()).exit).toBe(0);
    expect((await project.run('--force', '--retries', '0')).exit).toBe(7);
    expect(await project.run('--sandbox')).toMatchObject({
      exit: 8,
      stdout: '',
      stderr: expect.stringContaining('x.png was paid for'),
    });
    expect(api.posts()).toHaveLength(2);
  });
});

describe('--shard', () => {
  const names = Array.from({ length: 20 }, (_, k) => `image-${k}`);

  test('shares the jobs of a file, and the parts of the lock are joined', async () => {
    const api = await gateway({ generation: drawing() });
    const project = new Project({ images: named(...names) }, { server: api });
    // Each of them sees what the others are about to save.
    const all = (count: number) =>
      Array.from(
        { length: count },
        async (_, k) => await project.runWith({ unchecked: true }, '--json', '--shard', `${k + 1}/${count}`),
      );
    for (const [position, { exit, stdout }] of (await Promise.all(all(3))).entries()) {
      const events = eventsOf(stdout);
      const started = events.flatMap(({ type, job }) => (type === 'started' && job !== undefined ? [job] : []));
      expect({ exit, started: started.sort() }).toEqual({
        exit: 0,
        started: names
          .map((name) => `${name}.png`)
          .filter((key) => shardOf(key, 3) === position + 1)
          .sort(),
      });
      expect(Object.keys(project.lock(`images.yaml.lock.${position + 1}-of-3.json`)).sort()).toEqual(started);
    }
    expect(prompts(api).sort()).toEqual([...names].sort());
    expect(existsSync(join(project.place.cwd, 'images.yaml.lock.json'))).toBe(false);
    expect(await project.check()).toEqual([]);
    for (const index of [1, 2, 3]) expect(await project.check('--shard', `${index}/3`)).toEqual([]);

    const parts = [3, 1, 2].map((index) => `images.yaml.lock.${index}-of-3.json`);
    const merged = await project.run('--merge-locks', ...parts);
    expect(merged).toMatchObject({ exit: 0, stdout: '', stderr: 'images.yaml.lock.json: 20 jobs taken over\n' });
    expect((await project.run('--merge-locks', ...parts)).stderr).toBe('images.yaml.lock.json: 0 jobs taken over\n');
    for (const part of parts) rmSync(join(project.place.cwd, part));
    expect(Object.keys(project.lock())).toEqual(names.map((name) => `${name}.png`).sort());
    expect(await project.check()).toEqual([]);

    // A shard knows the joined lock, and takes only what is new.
    project.declare({ images: named(...names, 'new') });
    const again = (await Promise.all(all(2))).map(({ exit, stdout }) => [
      exit,
      eventsOf(stdout).flatMap(({ type, paths }) => (type === 'saved' ? paths : [])),
    ]);
    expect(again).toEqual([1, 2].map((index) => [0, shardOf('new.png', 2) === index ? ['new.png'] : []]));
    expect(api.posts()).toHaveLength(21);
    expect(await project.check()).toEqual([]);
  });

  test.each([
    ['hero.png', 4, 2],
    ['assets/boat-1.png', 4, 2],
    ['ä.png', 4, 4],
    ['../here/fox.png', 7, 7],
    ['hero.png', 100_000, 65_198],
  ])('of %s among %i is the same on every machine and in every version', (key, count, shard) => {
    expect(shardOf(key, count)).toBe(shard);
  });

  test('and --only narrow down together', async () => {
    const api = await gateway({ generation: drawing() });
    const project = new Project({ images: named(...names) }, { server: api });
    for (const index of [1, 2])
      expect((await project.run('--shard', `${index}/2`, '--only', 'image-1?.png')).exit).toBe(0);
    expect(prompts(api).sort()).toEqual(names.slice(10).sort());
  });

  test('a part that is not there is no part', async () => {
    const { project } = await drawn('x');
    const before = project.place.read('images.yaml.lock.json');
    expect(await project.run('--merge-locks', 'images.yaml.lock.1-of-2.json')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('there is no lock part'),
    });
    expect(project.place.read('images.yaml.lock.json')).toEqual(before);
  });
});

describe('--prune', () => {
  /** Of four images one is left in the file; one of the others was altered. */
  async function outgrown(): Promise<Project> {
    const { project } = await drawn('kept', 'gone', 'old/gone', 'mine');
    project.place.write('mine.png', 'altered');
    project.declare({ images: [{ prompt: 'kept', name: 'kept' }] });
    return project;
  }
  const all = ['gone.png', 'kept.png', 'mine.png', 'old/gone.png'];

  test('removes the files of jobs that are gone, as they were made', async () => {
    const project = await outgrown();
    expect(await project.check('--prune')).toEqual([]);
    const plan = await project.run('--dry-run', '--prune');
    expect(plan).toMatchObject({ exit: 0, stdout: 'prune gone.png\nprune mine.png\nprune old/gone.png\n' });
    expect(project.images).toEqual(all);
    const { exit, stdout, stderr } = await project.run('--prune', '--yes');
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: '' });
    expect(stderr).toContain('removed gone.png\n');
    expect(stderr).toContain('warning: mine.png was altered, and stays\n');
    expect(project.images).toEqual(['kept.png', 'mine.png']);
    expect(Object.keys(project.lock())).toEqual(['kept.png']);
    expect((await project.run('--dry-run', '--prune')).stdout).toBe('');
  });

  test('with --only removes the files of the jobs that match, and no other', async () => {
    const project = await outgrown();
    expect((await project.run('--dry-run', '--prune', '--only', 'old/*')).stdout).toBe('prune old/gone.png\n');
    expect((await project.run('--prune', '--yes', '--only', 'old/*')).exit).toBe(0);
    expect(project.images).toEqual(['gone.png', 'kept.png', 'mine.png']);
    expect(Object.keys(project.lock())).toEqual(['gone.png', 'kept.png', 'mine.png']);
  });

  test('removes the sidecar that describes the image, and no other file of that name', async () => {
    const api = await gateway({ generation: drawing() });
    const declared = { defaults: { sidecar: true }, images: named('x', 'y', 'z') };
    const project = new Project(declared, { server: api });
    expect((await project.run()).exit).toBe(0);
    project.place.write('y.png.json', '{"sha256":"of another image"}');
    project.declare({ ...declared, images: named('z') });
    expect((await project.run('--prune', '--yes')).exit).toBe(0);
    const left = ['images.yaml', 'images.yaml.lock.json', 'y.png.json', 'z.png', 'z.png.json'];
    expect(project.place.files()).toEqual(left);
  });

  describe('with a lock file that somebody edited', () => {
    /** A project in `art/` whose lock file has a job that is gone, with a file of this path as it is. */
    async function edited(path: string, prepare: (cwd: string) => void = () => {}): Promise<Project> {
      const api = await gateway({ generation: drawing() });
      const project = new Project({ images: named('kept') }, { server: api, file: 'art/images.yaml' });
      expect((await project.run()).exit).toBe(0);
      project.place.write('photo.png', 'a photo');
      project.place.write('art/prompt.txt', 'a prompt');
      prepare(project.place.cwd);
      const bytes = project.place.read(join('art', path));
      const { version, jobs } = project.place.json('art/images.yaml.lock.json') as {
        version: number;
        jobs: Record<string, object>;
      };
      const file = { path, sha256: sha256(bytes), bytes: bytes.length };
      jobs['gone.png'] = { ...jobs['kept.png'], originals: [], outputs: [file] };
      project.place.write('art/images.yaml.lock.json', JSON.stringify({ version, jobs }));
      return project;
    }

    test.each<[string, string, ((cwd: string) => void)?]>([
      ['above the directory', '../photo.png'],
      ['behind a link that leads out', 'link/photo.png', (cwd) => symlinkSync('..', join(cwd, 'art/link'))],
    ])('leaves a file that is %s, and says so', async (_where, path, prepare) => {
      const project = await edited(path, prepare);
      const { exit, stderr } = await project.runWith({ unchecked: true }, '--prune', '--yes');
      expect({ exit, stderr }).toEqual({
        exit: 0,
        stderr: expect.stringContaining(`warning: ${path} is not below the directory of the batch file, and stays\n`),
      });
      expect(project.place.read('photo.png').toString()).toBe('a photo');
      expect(Object.keys(project.lock())).toEqual(['kept.png']);
    });

    test('removes no original above the directory', async () => {
      const api = await gateway({ generation: drawing() });
      const image = { prompt: 'x', name: 'kept', resize: '4x', 'keep-original': false };
      const project = new Project({ images: [image] }, { server: api, file: 'art/images.yaml' });
      expect((await project.run()).exit).toBe(0);
      project.place.write('photo.png', 'a photo');
      const jobs = project.lock();
      const [bytes, path] = [project.place.read('photo.png'), '../photo.png'];
      jobs['kept.png']!.originals.push({ path, sha256: sha256(bytes), bytes: bytes.length });
      project.place.write('art/images.yaml.lock.json', JSON.stringify({ version: 1, jobs }));
      expect(await project.check()).toEqual(['kept.png: its original was to be removed']);
      expect((await project.run()).exit).toBe(0);
      expect(project.place.read('photo.png')).toEqual(bytes);
      expect(await project.check()).toEqual([]);
    });

    test.each(['images.yaml', 'prompt.txt'])('refuses one that names %s, which is no image', async (path) => {
      const project = await edited(path);
      const before = project.place.files();
      for (const args of [['--prune', '--yes'], ['--check'], []]) {
        expect(await project.run(...args)).toMatchObject({
          exit: 2,
          stdout: '',
          stderr: expect.stringContaining('art/images.yaml.lock.json: a broken lock file'),
        });
      }
      expect(project.place.files()).toEqual(before);
    });
  });

  test('needs somebody to ask, or --yes', async () => {
    const project = await outgrown();
    expect(await project.run('--prune')).toMatchObject({
      exit: 2,
      stdout: '',
      stderr: expect.stringContaining('add --yes'),
    });
    expect(await project.run('--prune', '--yes', '--shard', '1/2')).toMatchObject({ exit: 2, stdout: '' });
    expect(project.images).toEqual(all);
  });

  test.each([
    ['n', 130, all],
    ['', 130, all],
    ['yes', 0, ['kept.png', 'mine.png']],
  ])('asks on a terminal: %j', async (answer, exit, left) => {
    const project = await outgrown();
    const terminal = pty(['batch', project.file, '--prune'], project.setup());
    await terminal.saw('Remove the files of these 3 jobs, which are gone? [y/N]');
    expect(terminal.screen.text()).toContain('  old/gone.png');
    terminal.type(`${answer}\r`);
    expect((await terminal.end).exit).toBe(exit);
    expect(project.images).toEqual(left);
  });

  test('takes Ctrl-D for a no, and lets the lock file go', async () => {
    const project = await outgrown();
    const before = project.place.files();
    const terminal = pty(['batch', project.file, '--prune'], project.setup());
    await terminal.saw('[y/N]');
    terminal.type('\u0004');
    expect(await terminal.end).toEqual({ exit: 130, files: before });
    expect(terminal.screen.text()).toMatch(/\[y\/N\]\n.*nothing was done/);
    expect(project.images).toEqual(all);
  });

  test('asks nothing when nothing is gone', async () => {
    const { project } = await drawn('x');
    const terminal = pty(['batch', project.file, '--prune'], project.setup());
    expect((await terminal.end).exit).toBe(0);
    expect(terminal.screen.text()).not.toContain('Remove');
  });

  test('leaves what another job has taken over', async () => {
    const { project } = await drawn('x');
    project.declare({ images: [{ prompt: 'y', name: 'y', variants: [{ out: 'x.png' }] }] });
    expect((await project.run('--prune', '--yes')).exit).toBe(8);
    expect((await project.run('--prune', '--yes', '--overwrite')).exit).toBe(0);
    expect(project.images).toEqual(['x.png', 'y.png']);
    expect(await project.check()).toEqual([]);
  });

  test('removes nothing after Ctrl-C', async () => {
    const api = await gateway({ generation: drawing((prompt) => (prompt === 'slow' ? silence() : undefined)) });
    const project = new Project({ images: named('gone') }, { server: api });
    expect((await project.run()).exit).toBe(0);
    project.declare({ images: named('slow') });
    const running = start(['batch', project.file, '--json', '--prune', '--yes'], project.setup());
    await running.saw(/"type":"started"/);
    running.kill('SIGINT');
    const { exit, stdout } = await running.end;
    expect(exit).toBe(130);
    expect(lines(stdout).length).toBeGreaterThan(1);
    expect(project.images).toEqual(['gone.png']);
    expect(Object.keys(project.lock())).toEqual(['gone.png']);
  });
});
