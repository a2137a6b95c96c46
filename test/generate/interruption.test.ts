import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Bench, wholeImages } from '../support/bench.ts';
import { gateway, silence, wire } from '../support/gateway.ts';
import { image, largePng } from '../support/images.ts';
import { imggen, start } from '../support/imggen.ts';
import { Place, sha256 } from '../support/place.ts';
import { after, event, puppet, tcp, until } from '../support/puppet.ts';

const png = image('cat.png');

interface Known {
  run: string;
  state: string;
  images: { path: string; sha256: string }[];
  missing: { index: number }[];
  error: { code: string } | null;
}

/** What the journal says of the one run of a place. */
async function journal(place: Place): Promise<Known> {
  const { stdout } = await imggen(['history', '--json'], { place });
  const { runs } = JSON.parse(stdout) as { runs: Known[] };
  expect(runs).toHaveLength(1);
  return runs[0]!;
}

/** A resume that has nothing to do, and says nothing else. */
const nothingLeft = { exit: 0, stdout: '', stderr: 'nothing to resume\n' };

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s', (signal, code) => {
  test('while the key is awaited: nothing was sent', async () => {
    const place = new Place();
    const api = await gateway();
    const run = start(['a cat'], {
      place,
      gateway: api,
      env: { IMGGEN_API_KEY: undefined, IMGGEN_API_KEY_COMMAND: 'echo asked >&2; touch asked; sleep 20' },
    });
    await until(() => place.files().includes('asked'));
    run.kill(signal);
    const { exit, stderr } = await run.end;
    expect(exit).toBe(code);
    expect(stderr).not.toContain('key');
    expect(api.requests).toEqual([]);
  });

  test('before there is a connection: surely not generated', async () => {
    const place = new Place();
    const api = await gateway();
    const asked = event();
    const proxy = await tcp(() => asked.happen());
    const env = {
      HTTP_PROXY: `http://127.0.0.1:${proxy}`,
      IMGGEN_BASE_URL: 'http://192.0.2.1/api/v1',
      IMGGEN_ALLOW_INSECURE: 'true',
    };
    const run = start(['a cat'], { place, gateway: api, env });
    await asked.happened;
    run.kill(signal);
    const { exit, files, stderr } = await run.end;
    expect({ exit, files }).toEqual({ exit: code, files: [] });
    expect(stderr).not.toContain('charged');
    expect(await journal(place)).toMatchObject({ state: 'failed' });
    expect(api.requests).toEqual([]);
  });

  test('before a repeat of what was refused: surely not generated', async () => {
    const place = new Place();
    const api = await gateway({ generation: { status: 429, headers: { 'retry-after': '15' } } });
    const run = start(['a cat', '--verbose'], { place, gateway: api });
    await run.saw(/HTTP 429: again in/);
    run.kill(signal);
    const { exit, stderr } = await run.end;
    expect(exit).toBe(code);
    expect(stderr).not.toContain('charged');
    expect(await journal(place)).toMatchObject({ state: 'failed' });
    expect(api.posts()).toHaveLength(1);
  });

  test('while the answer is awaited: nobody knows, and it says so', async () => {
    const place = new Place();
    const asked = event();
    const api = await gateway({
      generation: () => {
        asked.happen();
        return silence();
      },
    });
    const run = start(['a cat'], { place, gateway: api });
    await asked.happened;
    run.kill(signal);
    const { exit, files, stderr } = await run.end;
    const { run: id, state } = await journal(place);
    expect({ exit, files, state }).toEqual({ exit: code, files: [], state: 'unknown' });
    expect(stderr).toContain(
      `it may have been generated and charged: look at your usage before you repeat it (run ${id})`,
    );
    expect(await imggen(['resume'], { place, gateway: api })).toMatchObject(nothingLeft);
    expect(api.requests).toHaveLength(1);
  });

  test('while the answer arrives: what is whole of it is saved', async () => {
    const place = new Place();
    const base64 = png.toString('base64');
    const api = await puppet((_request, response) => {
      response.write(`{"created": 1, "data": [{"b64_json": "${base64}"}, {"b64_json": "${base64.slice(0, 40)}`);
    });
    const run = start(['a cat', '-n', '2'], { place, gateway: api });
    await until(() => place.files().some((name) => name.endsWith('-b1.part')));
    run.kill(signal);
    const { exit, files, stdout, stderr } = await run.end;
    expect({ exit, files, stdout }).toEqual({ exit: code, files: ['a-cat-1.png'], stdout: 'a-cat-1.png\n' });
    expect(stderr).toContain('may have been generated and charged');
    expect(place.sha256('a-cat-1.png')).toBe(sha256(png));
    expect(await journal(place)).toMatchObject({ state: 'incomplete', images: [{ sha256: sha256(png) }] });
    expect(await imggen(['resume'], { place, gateway: api })).toMatchObject(nothingLeft);
    expect(api.requests).toHaveLength(1);
  });

  test('while a task is awaited: it is paid for, and resume has it', async () => {
    const place = new Place();
    const api = await gateway({
      generation: { body: wire('pending.json') },
      paths: { '/task': [{ body: wire('pending.json') }, { body: wire('documented.json') }] },
    });
    const env = { IMGGEN_TASK_URL: `${api.origin}/task?{task_id}`.replace('?{task_id}', '#{task_id}') };
    const run = start(['a cat'], { place, gateway: api, env });
    await until(() => api.gets().length > 0);
    run.kill(signal);
    const { exit, files, stderr } = await run.end;
    expect({ exit, files }).toEqual({ exit: code, files: [] });
    expect(stderr).toContain('imggen resume');
    expect(await imggen(['resume'], { place, gateway: api, env })).toMatchObject({ exit: 0, files: ['a-cat-1.png'] });
    expect(api.posts()).toHaveLength(1);
  });

  test('while images are downloaded: whole files only, and resume has the rest', async () => {
    const place = new Place();
    const half = event();
    let holds = true;
    const large = largePng(400_000);
    const api = await gateway();
    const slow = await puppet((request, response) => {
      if (request.method === 'POST') {
        const urls = [`${api.origin}/images/cat.png`, `${slow.origin}/large.png`, `${api.origin}/images/cat.webp`];
        response.end(JSON.stringify({ code: 0, data: { urls } }));
      } else if (holds) {
        response.writeHead(200, { 'content-length': large.length });
        response.write(large.subarray(0, 300_000), () => half.happen());
      } else response.end(large);
    });
    const run = start(['a cat', '-n', '3'], { place, gateway: slow });
    await half.happened;
    await until(() => ['a-cat-1.png', 'a-cat-3.webp'].every((name) => place.files().includes(name)));
    run.kill(signal);
    const { exit, files, stderr } = await run.end;
    expect({ exit, files }).toEqual({ exit: code, files: ['a-cat-1.png', 'a-cat-3.webp'] });
    expect(stderr).toMatch(/1 of 3 images is not saved\n.*image 2: (interrupted|terminated)\n.*imggen resume/);
    expect(await journal(place)).toMatchObject({ state: 'incomplete', missing: [{ index: 2 }] });

    // The same again, of resume.
    const resume = start(['resume'], { place, gateway: slow });
    await until(() => slow.gets().length === 2);
    resume.kill(signal);
    const again = await resume.end;
    expect(again).toMatchObject({ exit: code, files });
    expect(again.stderr).toContain('imggen resume');

    holds = false;
    expect(await imggen(['resume'], { place, gateway: slow })).toMatchObject({
      exit: 0,
      files: ['a-cat-1.png', 'a-cat-2.png', 'a-cat-3.webp'],
    });
    expect(place.sha256('a-cat-2.png')).toBe(sha256(large));
    expect(slow.posts()).toHaveLength(1);
  });
});

test('a second signal ends at once what the first could not: a pipe that nobody empties', async () => {
  const bench = new Bench();
  onTestFinished(() => bench.remove());
  const large = largePng(3_000_000);
  const api = await puppet((request, response) => {
    response.end(
      request.method === 'POST' ? JSON.stringify({ code: 0, data: { urls: [`${api.origin}/large.png`] } }) : large,
    );
  });
  const env = { IMGGEN_BASE_URL: api.baseUrl };
  const child = bench.spawn(['a cat', '-o', '-'], { env });
  const end = once(child, 'exit');
  await once(child.stdout!, 'readable');
  child.kill('SIGINT');
  await after(300);
  expect(child.exitCode).toBe(null);
  child.kill('SIGINT');
  expect(await end).toEqual([130, null]);
  expect(await bench.run(['resume'], { env })).toMatchObject({ exit: 0 });
  expect(await wholeImages(bench.cwd)).toEqual(['a-cat-1.png']);
  expect(api.requests).toHaveLength(2);
});
