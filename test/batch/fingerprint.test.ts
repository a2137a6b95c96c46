import { expect, test } from 'vitest';
import { jobKeys, ownKeys } from '../../src/batch/jobs/keys.ts';
import { drawing, Project, prompts } from '../support/batch.ts';
import { documented, gateway } from '../support/gateway.ts';

type Image = Record<string, unknown>;

/** Every key of a job that determines its images: what else the job says, and a value for the key. */
const determining: Record<string, [also: Image, value: unknown]> = {
  count: [{ name: 'count-{i}' }, 2],
  size: [{}, 'landscape'],
  // With a conversion the name of the file says nothing of the format that is asked for.
  format: [{ out: 'format.png', convert: 'png' }, 'webp'],
  model: [{}, 'another-model'],
  quality: [{}, 'low'],
  background: [{}, 'opaque'],
  moderation: [{}, 'low'],
  style: [{ model: 'another-model' }, 'vivid'],
  'response-format': [{ model: 'another-model' }, 'url'],
  user: [{}, 'me'],
  compression: [{ out: 'compression.png', convert: 'png', format: 'webp' }, 50],
  param: [{}, { seed: 7, deep: [{ a: 1 }] }],
};
/** Every other key but for the prompts, which have a test of their own, and for the names: a new name is a new job. */
const indifferent: Record<string, [also: Image, value: unknown]> = {
  stream: [{}, true],
  timeout: [{}, 60],
  retries: [{}, 1],
  'retry-unknown': [{}, true],
  sidecar: [{}, true],
  'keep-original': [{ resize: '4x' }, false],
  resize: [{ resize: '4x' }, '3x'],
  fit: [{ resize: '4x4' }, 'cover'],
  convert: [{ out: 'convert.png', format: 'png' }, 'png'],
  'convert-quality': [{ out: 'quality.webp', convert: 'webp' }, 50],
  variants: [{}, [{ out: 'variant.webp' }]],
};

test('each key of a job that determines its images, and no other, makes one more request when it alone changes', async () => {
  const api = await gateway({
    generation: ({ body }) => {
      const { n, output_format: format = 'png' } = JSON.parse(body) as { n: number; output_format?: string };
      return documented(...Array.from({ length: n }, () => `{{origin}}/images/cat.${format}`));
    },
  });
  const declared = { ...determining, ...indifferent, 'base-url': [{}, api.baseUrl] as [Image, unknown] };
  const names = ['out', 'name', 'prompt', 'prompt-file'];
  expect([...Object.keys(declared), ...names].sort()).toEqual([...jobKeys.keys(), ...ownKeys].sort());

  const without = Object.entries(declared).map(([key, [also]]) => ({
    prompt: key,
    name: also.out ? undefined : key,
    ...also,
  }));
  const having = without.map((image) => ({
    ...image,
    [image.prompt]: declared[image.prompt as keyof typeof declared][1],
  }));
  const project = new Project({ images: without }, { server: api });
  const asked = async (images: Image[]): Promise<string[]> => {
    const before = prompts(api).length;
    project.declare({ images: images.map((image) => JSON.parse(JSON.stringify(image)) as Image) });
    expect(await project.run('--overwrite')).toMatchObject({ exit: 0 });
    expect(await project.check()).toEqual([]);
    return prompts(api).slice(before).sort();
  };
  expect(await asked(without)).toEqual(Object.keys(declared).sort());
  expect(await asked(having)).toEqual(Object.keys(determining).sort());
  const back = having.map((image, index) => (image.prompt in determining ? (without[index] as Image) : image));
  expect(await asked(back)).toEqual(Object.keys(determining).sort());
});

test('another prompt makes one more request, and the same prompt from a file none', async () => {
  const api = await gateway({ generation: drawing() });
  const project = new Project({ images: [{ prompt: 'x', name: 'a' }] }, { server: api });
  project.place.write('prompt.txt', 'x\n');
  expect((await project.run()).exit).toBe(0);
  project.declare({ images: [{ 'prompt-file': 'prompt.txt', name: 'a' }] });
  expect((await project.run()).exit).toBe(0);
  expect(prompts(api)).toEqual(['x']);
  project.place.write('prompt.txt', 'y\n');
  expect((await project.run()).exit).toBe(0);
  expect(prompts(api)).toEqual(['x', 'y']);
});
