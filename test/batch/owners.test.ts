import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { NotBegun, SharedPace } from '../../src/batch/run/limits.ts';
import { drawing, Project, prompts } from '../support/batch.ts';
import { type Answer, cats, documented, gateway, silence } from '../support/gateway.ts';
import { image } from '../support/images.ts';
import { imggen, start } from '../support/imggen.ts';
import { after, event } from '../support/puppet.ts';

const gone: Answer = { status: 500 };
const mine = 'drawn by hand';
const lost = (): Answer => ({ body: '', broken: 'start' });

/** Answers whose image is behind a URL that does not work until `repair()`. */
async function withLateDownloads(file = 'cat.png' as const) {
  let isRepaired = false;
  const bytes = { headers: { 'content-type': 'image/png' }, body: image(file) };
  const api = await gateway({
    generation: drawing((prompt) => (prompt.startsWith('late') ? documented('{{origin}}/late.png') : undefined)),
    paths: { '/late.png': () => (isRepaired ? bytes : gone) },
  });
  const repair = () => {
    isRepaired = true;
  };
  return { api, repair };
}

describe('what is newer than a run is not replaced by it', () => {
  test('when an older run is resumed', async () => {
    const { api, repair } = await withLateDownloads();
    const project = new Project({ images: [{ prompt: 'late one', out: 'hero.png' }] }, { server: api });
    expect((await project.run('--retries', '0')).exit).toBe(7);
    project.declare({ images: [{ prompt: 'two', out: 'hero.png' }] });
    expect((await project.run('--retries', '0')).exit).toBe(0);
    const newer = project.place.read('hero.png');
    repair();
    const resumed = await imggen(['resume'], project.setup());
    expect(resumed.exit).toBe(0);
    expect(project.place.read('hero.png').equals(newer)).toBe(true);
    expect(project.images).toEqual(['hero-2.png', 'hero.png']);
    expect(await project.check()).toEqual([]);
  });

  test('when it turns up while the API works', async () => {
    const project: { now?: Project } = {};
    const api = await gateway({
      generation: ({ body }) => {
        project.now?.place.write('hero.png', mine);
        return cats((JSON.parse(body) as { n: number }).n);
      },
    });
    project.now = new Project({ images: [{ prompt: 'x', out: 'hero.png' }] }, { server: api });
    const { exit, stdout, stderr } = await project.now.run();
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'hero-2.png\n' });
    expect(stderr).toContain('hero.png was changed meanwhile, and stays; the image is hero-2.png');
    expect(project.now.place.read('hero.png').toString()).toBe(mine);
  });

  test('with --overwrite of one image, too', async () => {
    const { api, repair } = await withLateDownloads();
    const project = new Project({ images: [{ prompt: 'x' }] }, { server: api });
    project.place.write('cat.png', 'old');
    expect((await imggen(['late one', '-o', 'cat.png', '--overwrite', '--retries', '0'], project.setup())).exit).toBe(
      7,
    );
    project.place.write('cat.png', `${mine}, later`);
    repair();
    expect((await imggen(['resume'], project.setup())).exit).toBe(0);
    expect(project.place.read('cat.png').toString()).toBe(`${mine}, later`);
    expect(project.images).toEqual(['cat-2.png', 'cat.png']);
  });
});

test('a run that was begun does not make anybody else’s file its own', async () => {
  const api = await gateway({ generation: drawing((_prompt, times) => (times === 1 ? lost() : undefined)) });
  const project = new Project({ images: [{ prompt: 'x', out: 'hero.png' }] }, { server: api });
  expect((await project.run()).exit).toBe(6);
  project.place.write('hero.png', mine);
  project.place.write('photo.webp', mine);
  project.declare({ images: [{ prompt: 'x', out: 'hero.png', variants: [{ out: 'photo.webp', resize: '2x' }] }] });
  const { exit, stderr } = await project.run();
  expect(exit).toBe(8);
  expect(stderr).toContain('hero.png exists');
  expect(stderr).toContain('photo.webp exists');
  expect(['hero.png', 'photo.webp'].map((name) => project.place.read(name).toString())).toEqual([mine, mine]);
  expect(api.posts()).toHaveLength(1);
  rmSync(join(project.place.cwd, 'hero.png'));
  rmSync(join(project.place.cwd, 'photo.webp'));
  const again = await project.run();
  expect(again.exit).toBe(0);
  expect(again.stderr).toContain('ended without an answer, and may have been charged');
});

test('an image that a killed run had named and not noted is its own', async () => {
  const api = await gateway({ generation: drawing() });
  const project = new Project({ images: [{ prompt: 'x', out: 'hero.png', resize: '2x', count: 2 }] }, { server: api });
  expect((await project.run()).exit).toBe(0);
  // As the process leaves them when it dies just after the names were given.
  const [entry] = Object.entries(project.lock());
  const [key, { run }] = entry as [string, { run: string }];
  const journal = join(project.place.state, 'runs', `${run}.jsonl`);
  const noted = readFileSync(journal, 'utf8')
    .split('\n')
    .filter((line) => !/"type":"(saved|made|released)"/.test(line));
  writeFileSync(journal, noted.join('\n').replaceAll(/"pid":\d+/g, '"pid":99999999'));
  const { fingerprint } = (project.place.json('images.yaml.lock.json').jobs as Record<string, { fingerprint: string }>)[
    key
  ] as { fingerprint: string };
  rmSync(join(project.place.cwd, 'images.yaml.lock.json'));
  project.place.write('images.yaml.lock.jsonl', `${JSON.stringify({ type: 'begun', key, fingerprint, run })}\n`);
  expect((await project.run()).exit).toBe(0);
  expect(api.posts()).toHaveLength(1);
  expect(project.images).toEqual(['hero-1.original.png', 'hero-1.png', 'hero-2.original.png', 'hero-2.png']);
  expect(await project.check()).toEqual([]);
});

test('what an earlier unfinished run saved is the job’s own after a kill of the next', async () => {
  const half = '{"created":1,"data":[{"b64_json":"{{cat.png}}"},{"b64_json":"iVBOR';
  const killed = event();
  const api = await gateway({
    generation: drawing((_prompt, times) => {
      if (times === 1) return { body: half, broken: 'end' };
      if (times > 2) return undefined;
      killed.happen();
      return silence();
    }),
  });
  const project = new Project({ images: [{ prompt: 'x', name: 'pair', count: 2 }] }, { server: api });
  expect((await project.run()).exit).toBe(7);
  expect(project.images).toEqual(['pair-1.png']);
  const running = start(['batch', project.file], project.setup());
  await killed.happened;
  running.kill('SIGKILL');
  await running.end;
  const { exit, stderr } = await project.run();
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: expect.not.stringContaining('does not know it') });
  expect(project.images).toEqual(['pair-1.png', 'pair-2.png']);
  expect(await project.check()).toEqual([]);
});

describe('a run that was begun is finished for the job as it is now', () => {
  const width = async (project: Project, name: string) => (await sharp(project.place.read(name)).metadata()).width;

  test.each([
    ['with a size, and none before', {}, { resize: '2x' }, ['hero.original.png', 'hero.png'], 2],
    ['without the size that it had', { resize: '2x' }, {}, ['hero.png'], 8],
  ])('%s', async (_name, before, now, files, expected) => {
    const { api, repair } = await withLateDownloads();
    const project = new Project({ images: [{ prompt: 'late', out: 'hero.png', ...before }] }, { server: api });
    expect((await project.run('--retries', '0')).exit).toBe(7);
    repair();
    project.declare({ images: [{ prompt: 'late', out: 'hero.png', ...now }] });
    expect((await project.run()).exit).toBe(0);
    expect(project.images).toEqual(files);
    expect(await width(project, 'hero.png')).toBe(expected);
    expect(await project.check()).toEqual([]);
    expect(api.posts()).toHaveLength(1);
  });
});

describe('one file is one job’s', () => {
  test('by whatever path', async () => {
    const project = new Project('');
    const { cwd } = project.place;
    mkdirSync(join(cwd, 'assets'));
    symlinkSync('assets', join(cwd, 'img'));
    project.declare({
      images: [
        { prompt: 'a', out: 'hero.png' },
        { prompt: 'b', out: join(cwd, 'hero.png') },
        { prompt: 'c', out: 'img/new/x.png' },
        { prompt: 'd', out: './assets/new/../new/X.png' },
      ],
    });
    const { exit, stderr } = await project.runWith({ unchecked: true }, '--dry-run');
    expect(exit).toBe(2);
    expect(stderr).toMatch(/:4:5: .*hero\.png is the file of line \d+ too/);
    expect(stderr).toMatch(/: \S*X\.png is the file of line \d+ too/);
  });
});

test('a run of the sandbox that was cut off is no run of the real API', async () => {
  const api = await gateway({ generation: drawing() });
  const project = new Project(
    { images: [{ prompt: 'x', out: 'hero.png', variants: [{ out: 'in/the/way.webp' }] }] },
    { server: api },
  );
  writeFileSync(join(project.place.cwd, 'in'), '');
  expect((await project.run('--sandbox')).exit).not.toBe(0);
  rmSync(join(project.place.cwd, 'in'));
  const { exit } = await project.run('--overwrite');
  expect({ exit, prompts: prompts(api) }).toEqual({ exit: 0, prompts: ['x'] });
  expect(await project.check()).toEqual([]);
});

test('the part of a machine whose clock is fast does not win for ever', async () => {
  const api = await gateway({ generation: drawing() });
  const project = new Project({ images: [{ prompt: 'x', name: 'x' }] }, { server: api });
  expect((await project.run('--shard', '1/1')).exit).toBe(0);
  const part = 'images.yaml.lock.1-of-1.json';
  const lock = project.place.read(part).toString();
  project.place.write(part, lock.replace(/"generated": "\d+/, '"generated": "2999'));
  project.declare({ images: [{ prompt: 'y', name: 'x' }] });
  expect((await project.run()).exit).toBe(0);
  expect(await project.check()).toEqual([]);
  expect(prompts(api)).toEqual(['x', 'y']);
});

describe('the pace', () => {
  test('of a rate that no timer can hold is kept all the same', async () => {
    const stop = new AbortController();
    const pace = new SharedPace(3_600_000_000, stop);
    await pace.turn();
    const second = pace.turn();
    await after(50);
    stop.abort(new NotBegun('incomplete', 'enough'));
    await expect(second).rejects.toThrow('enough');
  });

  test('goes on after a hold, one turn at a time', async () => {
    const pace = new SharedPace(50, new AbortController());
    const turns: number[] = [];
    await pace.turn();
    const waiting = Array.from({ length: 4 }, async () => {
      await pace.turn();
      turns.push(performance.now());
    });
    pace.hold(300);
    await Promise.all(waiting);
    const gaps = turns.slice(1).map((at, k) => at - (turns[k] as number));
    expect(Math.min(...gaps)).toBeGreaterThan(40);
  });
});
