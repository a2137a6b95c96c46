import { afterAll, expect, test } from 'vitest';
import { startSandbox } from '../../src/sandbox/server.ts';
import { Bench, imagesIn } from '../support/bench.ts';

const bench = new Bench();
afterAll(() => bench.remove());

// All ask for the same prompt, and so for the same names.
test('eight processes with 50 images each, in one directory: 400 whole files', { timeout: 120_000 }, async () => {
  const sandbox = await startSandbox();
  const env = { IMGGEN_BASE_URL: sandbox.baseUrl };
  const args = ['a cat', '-n', '10', '-m', 'dall-e-2', '-s', '256x256', '-q'];
  const paths = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const said: string[] = [];
      for (let run = 0; run < 5; run += 1) {
        const { exit, stdout, stderr } = await bench.run(args, { env });
        expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
        said.push(...stdout.trim().split('\n'));
      }
      return said;
    }),
  );
  const { charged, requests } = sandbox.stats();
  await sandbox.close();

  const files = await imagesIn(bench.cwd);
  expect(files).toHaveLength(400);
  expect(files.filter(({ sha256 }) => sha256 === undefined)).toEqual([]);
  expect(files.map(({ name }) => name)).toEqual(Array.from({ length: 400 }, (_, k) => `a-cat-${k + 1}.png`).sort());
  expect(paths.flat().sort()).toEqual(files.map(({ name }) => name));
  expect({ requests, charged }).toEqual({ requests: 40, charged: { generations: 40, images: 400 } });

  const history = await bench.history();
  expect(history).toHaveLength(40);
  expect(history.every(({ state }) => state === 'saved')).toBe(true);
  const hashes = new Map(
    history.flatMap(({ images }) =>
      images.map(({ path, sha256 }) => [path.slice(bench.cwd.length + 1), sha256] as const),
    ),
  );
  for (const { name, sha256 } of files) expect(hashes.get(name), name).toBe(sha256);
});
