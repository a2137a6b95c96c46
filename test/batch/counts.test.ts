import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { drawing, lines, Project } from '../support/batch.ts';
import { type Answer, cats, documented, type Gateway, gateway } from '../support/gateway.ts';
import { image } from '../support/images.ts';
import { sha256 } from '../support/place.ts';

/** One image that differs from those of `cats()`. */
const one = documented('{{origin}}/images/provenance.png');
const event = (text: string) => `data: {"type":"image_generation.completed","b64_json":"${text}"}\n\n`;

/** Answers to a request for three images that hold fewer: the answer, how many images it has, and what to add to the job. */
const short: [name: string, answer: Answer, images: number, job?: Record<string, unknown>][] = [
  ['one of three', one, 1],
  ['none', documented(), 0],
  [
    'one, and the answer breaks off',
    { body: [event('{{provenance.png}}'), 'data: {'], broken: 'end', headers: { 'content-type': 'text/event-stream' } },
    1,
    { stream: true },
  ],
  [
    'one and two that cannot be downloaded',
    documented('{{origin}}/gone.png', '{{origin}}/images/provenance.png', '{{origin}}/gone.png'),
    1,
  ],
];

/** A job of three images whose first answers are these; later ones hold as many as are asked for. */
async function withAnswers(
  answers: readonly Answer[],
  job: Record<string, unknown> = {},
): Promise<{ project: Project; api: Gateway }> {
  const generation = drawing((prompt, times) => (prompt === 'x' ? answers[times - 1] : undefined));
  const api = await gateway({ generation, paths: { '/gone.png': { status: 404 } } });
  return { api, project: new Project({ images: [{ prompt: 'x', name: 'x', count: 3, ...job }] }, { server: api }) };
}

const asked = (api: Gateway) => api.posts().map(({ n }) => n);

describe('an answer with fewer images than asked', () => {
  test.each(short)(
    '%s: what came stays, and only the rest is generated, which --dry-run says',
    async (_name, answer, images, job) => {
      const { project, api } = await withAnswers([answer], job);
      const first = await project.run();
      expect(first).toMatchObject({ exit: 7 });
      expect(project.images).toHaveLength(images);
      expect(lines(first.stdout)).toEqual(project.images);
      const kept = project.images.map((name) => [name, sha256(image('provenance.png'))]);
      const missing = ['x-1.png', 'x-2.png', 'x-3.png'].filter((name) => !project.images.includes(name));

      const why = `the API sent ${images} of 3 images`;
      expect(await project.check()).toEqual([`x-1.png: ${why}`]);
      expect(await project.run('--dry-run')).toMatchObject({
        exit: 0,
        stdout: `generate ${missing.join(' ')} (${why})\n`,
        stderr: `${missing.length} images would be generated for 1 of 1 jobs; 0 up to date\n`,
      });
      expect(JSON.parse((await project.run('--dry-run', '--json')).stdout)).toMatchObject({
        images: missing.length,
        due: [{ images: missing.length }],
      });
      const second = await project.run();
      expect(second).toMatchObject({ exit: 0, stdout: 'x-1.png\nx-2.png\nx-3.png\n' });
      expect(second.stderr).toContain(`1 job: 1 to do (${missing.length} images to generate)\n`);
      expect(asked(api)).toEqual([3, missing.length]);
      expect(kept.map(([name = '']) => [name, project.place.sha256(name)])).toEqual(kept);
      expect(await project.check()).toEqual([]);
    },
  );

  test.each(short)('%s, twice: the job fails without a request until --force', async (_name, answer, images, job) => {
    const { project, api } = await withAnswers(
      Array.from({ length: 3 }, () => answer),
      job,
    );
    expect((await project.run()).exit).toBe(7);
    expect((await project.run()).exit).toBe(7);
    expect(asked(api)).toEqual([3, 3 - images]);
    const there = project.images;
    const why = `the API sends ${there.length} of 3 images`;
    expect(await project.check()).toEqual([`x-1.png: ${why}`]);
    expect((await project.run('--dry-run')).stdout).toContain(`(${why})`);
    const third = await project.run();
    expect(third).toMatchObject({ exit: 7, stdout: '' });
    expect(third.stderr).toContain('1 job: 1 to do (0 images to generate)\n');
    expect(third.stderr).toContain(why);
    expect(third.stderr).toContain('--force');
    expect(project.images).toEqual(there);
    expect(api.posts()).toHaveLength(2);
    expect((await project.run('--force')).exit).toBe(7);
    expect(asked(api)).toEqual([3, 3 - images, 3]);
  });

  test.each(short)(
    '%s, and a kill before the lock file has it: the journal knows it',
    async (_name, answer, images, job) => {
      const { project, api } = await withAnswers([answer, answer], job);
      const killedAfterAnswer = async () => {
        expect((await project.run()).exit).toBe(7);
        const { run, fingerprint } = project.lock()['x-1.png']!;
        // As a process leaves it that is killed between its journal and its lock file.
        project.place.write(
          'images.yaml.lock.jsonl',
          `${JSON.stringify({ type: 'begun', key: 'x-1.png', fingerprint, run })}\n`,
        );
        rmSync(join(project.place.cwd, 'images.yaml.lock.json'));
      };
      await killedAfterAnswer();
      expect((await project.run('--dry-run')).stderr).toContain(
        `${3 - images} images would be generated for 1 of 1 jobs`,
      );
      expect((await project.run('--max-images', String(2 - images))).exit).toBe(7);
      expect(asked(api)).toEqual([3]);
      expect((await project.run()).exit).toBe(7);
      expect((await project.run()).exit).toBe(7);
      expect(asked(api)).toEqual([3, 3 - images]);
    },
  );

  test('one of it is deleted, or altered: that one is generated again with the rest', async () => {
    const { project, api } = await withAnswers([cats(2)]);
    expect((await project.run()).exit).toBe(7);
    project.place.write('x-1.png', 'scribbled over');
    expect((await project.run()).exit).toBe(0);
    expect(asked(api)).toEqual([3, 2]);
    rmSync(join(project.place.cwd, 'x-2.png'));
    expect((await project.run()).exit).toBe(0);
    expect(asked(api)).toEqual([3, 2, 1]);
    expect(await project.check()).toEqual([]);
  });

  test('the prompt changes: all of the job is generated, and what fell short before no longer counts', async () => {
    const { project, api } = await withAnswers([one, one]);
    for (const _ of [1, 2, 3]) expect((await project.run()).exit).toBe(7);
    project.declare({ images: [{ prompt: 'another', name: 'x', count: 3 }] });
    expect(await project.check()).toEqual(['x-1.png: its request changed']);
    expect((await project.run()).exit).toBe(0);
    expect(asked(api)).toEqual([3, 2, 3]);
  });

  test('what is made of the images is made when all are there', async () => {
    const { project, api } = await withAnswers([one], {
      convert: 'webp',
      keepOriginal: false,
      variants: [{ out: 'small.jpg', resize: '2x' }],
    });
    expect((await project.run()).exit).toBe(7);
    expect(project.images).toEqual(['x-1.original.png', 'x-1.webp']);
    expect((await project.run()).exit).toBe(0);
    expect(project.images).toEqual(['small-1.jpg', 'small-2.jpg', 'small-3.jpg', 'x-1.webp', 'x-2.webp', 'x-3.webp']);
    expect(asked(api)).toEqual([3, 2]);
    expect(await project.check()).toEqual([]);
  });

  test('of a shard: the merged lock file knows it', async () => {
    const { project, api } = await withAnswers([one]);
    expect((await project.run('--shard', '1/1')).exit).toBe(7);
    expect((await project.run('--merge-locks', 'images.yaml.lock.1-of-1.json')).exit).toBe(0);
    rmSync(join(project.place.cwd, 'images.yaml.lock.1-of-1.json'));
    rmSync(project.place.state, { recursive: true });
    expect((await project.run()).exit).toBe(0);
    expect(asked(api)).toEqual([3, 2]);
  });

  test('images of the sandbox never complete a job that was paid for in part', async () => {
    const { project, api } = await withAnswers([one]);
    expect((await project.run()).exit).toBe(7);
    expect(await project.run('--sandbox')).toMatchObject({
      exit: 8,
      stderr: expect.stringContaining('x-1.png was paid for') as string,
    });
    expect((await project.run()).exit).toBe(0);
    expect(asked(api)).toEqual([3, 2]);
  });
});

describe('an answer with more images than asked', () => {
  test('saves them under names that no job declares, counts and tells them, and the lock file knows them', async () => {
    const api = await gateway({ generation: drawing((prompt) => (prompt === 'pair' ? cats(4) : undefined)) });
    const declared = [
      { prompt: 'pair', name: 'pair', count: 2, variants: [{ out: 'small.webp', resize: '2x' }] },
      { prompt: 'third', out: 'pair-3.png' },
    ];
    const project = new Project({ images: declared }, { server: api });
    const { exit, stdout, stderr } = await project.run('--concurrency', '1');
    expect({ exit, paths: lines(stdout).sort() }).toEqual({
      exit: 0,
      paths: ['pair-1.png', 'pair-2.png', 'pair-3.png', 'pair-4.png', 'pair-5.png', 'small-1.webp', 'small-2.webp'],
    });
    expect(stderr).toMatch(
      /\nwarning: pair-1\.png: what is beyond the 2 that were asked for is saved, too: pair-[45]\.png pair-[45]\.png\n/,
    );
    expect(stderr).toMatch(/\n2 jobs done in .* · 5 images · /);
    expect(await project.check()).toEqual([]);

    // Nobody needs them: without them the job is as it was declared.
    rmSync(join(project.place.cwd, 'pair-5.png'));
    expect(await project.check()).toEqual([]);
    // A change of the prompt replaces what is declared; what else was made for the job stays known.
    project.declare({ images: [{ ...declared[0], prompt: 'two' }, declared[1]!] });
    expect((await project.run()).exit).toBe(0);
    expect(project.images).toContain('pair-4.png');
    project.declare({ images: [declared[1]!] });
    expect((await project.run('--prune', '--yes')).exit).toBe(0);
    expect(project.images).toEqual(['pair-3.png']);
  });
});
