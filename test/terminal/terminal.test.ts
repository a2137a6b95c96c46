import { describe, expect, test } from 'vitest';
import { type Answer, cats, documented, gateway, silence } from '../support/gateway.ts';
import { image } from '../support/images.ts';
import { imggen, start, testKey } from '../support/imggen.ts';
import { Place } from '../support/place.ts';
import { pty, shell } from '../support/pty.ts';

/** An answer that comes when the test says so. */
function heldBack(answer: Answer) {
  let asked = () => {};
  let give = () => {};
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  const isGiven = new Promise<void>((resolve) => (give = resolve));
  const answers = async (): Promise<Answer> => {
    asked();
    await isGiven;
    return answer;
  };
  return { answers, isAsked, give };
}

describe('on a terminal', () => {
  test('a spinner shows what is happening and for how long, then each image has a line', async () => {
    const generation = heldBack(documented('{{origin}}/images/cat.png', '{{origin}}/image'));
    const download = heldBack({ body: image('cat.webp') });
    const api = await gateway({ generation: generation.answers, paths: { '/image': download.answers } });
    const run = pty(['a cat', '-n', '2'], { gateway: api });
    await run.saw(/^. generating 2 images with gpt-image-1\.5 · 0 s$/);
    expect(run.screen.cursorVisible).toBe(false);
    await run.saw(/· 1 s$/);
    generation.give();
    await run.saw(/^. downloading · 1 of 2 files, \d+ B · \d s$/);
    download.give();
    expect(await run.end).toEqual({ exit: 0, files: ['a-cat-1.png', 'a-cat-2.webp'] });
    const [first, second, third, ...rest] = run.screen.text().split('\n');
    expect(first).toMatch(/warning: asked for png, the image is webp/);
    expect(second).toBe('✔ 8 × 6  png  239 B  a-cat-1.png');
    expect(third).toBe('✔ 8 × 6  webp  118 B  a-cat-2.webp');
    expect(rest.join('\n')).toMatch(/^2 images in \d+\.\d s · 1066 tokens · request req-0123456789$/);
  });

  test('stdout still has the paths alone when it goes elsewhere', async () => {
    const api = await gateway({ generation: [cats(2)] });
    const run = shell('imggen "a cat" -n 2 > paths', { gateway: api });
    expect((await run.end).exit).toBe(0);
    expect(run.place.read('paths').toString()).toBe('a-cat-1.png\na-cat-2.png\n');
    expect(run.screen.text()).toContain('✔ 8 × 6  png  239 B  a-cat-1.png');
  });

  test('an error is in red, its hint beside it', async () => {
    const api = await gateway({ generation: [{ status: 401, body: '{"code":401,"message":"no"}' }] });
    const run = pty(['a cat'], { gateway: api });
    expect((await run.end).exit).toBe(3);
    expect(run.raw()).toContain('\u001b[31merror:\u001b[39m the API key was refused: no');
    expect(run.screen.text()).toMatch(/^error: .*\ncause: .*\nhint: store another key: imggen login$/);
  });

  test.each([
    ['of the server', 400, '{"code":1,"message":"one\\u001b[2J\\u001b[31mtwo\\u202e\\u0007three"}', 'onetwothree'],
    [
      'of the API',
      200,
      '{"data":{"urls":[],"task_id":"t\\u001b]0;x\\u0007","task_status":"pending\\u001b[2J"}}',
      'task t',
    ],
  ])('text %s can move nothing', async (_name, status, body, shown) => {
    const api = await gateway({ generation: [{ status, body }] });
    const run = pty(['a cat'], { gateway: api });
    await run.end;
    expect(run.screen.text()).toContain(shown);
    expect(run.raw()).not.toMatch(/\u001b\[2J|\u001b\]0|\u202e|\u0007/);
  });

  test('names of files can move nothing', async () => {
    const api = await gateway({ generation: [documented('{{origin}}/images/cat.webp')] });
    const run = pty(['a cat', '-o', 'ab\u202ec'], { gateway: api });
    expect(await run.end).toEqual({ exit: 0, files: ['ab\u202ec/a-cat-1.webp'] });
    expect(run.raw()).not.toContain('\u202e');
    expect(run.screen.text()).toContain('abc/a-cat-1.webp');
  });

  test('-o - is refused, and so is no prompt', async () => {
    const api = await gateway();
    const bytes = pty(['a cat', '-o', '-'], { gateway: api });
    expect((await bytes.end).exit).toBe(2);
    expect(bytes.screen.text()).toContain('error: -o - would write an image to the terminal');
    const nothing = pty([], { gateway: api });
    expect((await nothing.end).exit).toBe(2);
    expect(nothing.screen.text()).toContain('error: there is no prompt\nhint: imggen "a cat"');
    expect(api.requests).toEqual([]);
  });

  test('imggen sandbox tells what it is', async () => {
    const run = pty(['sandbox']);
    await run.saw(/http:\/\/127\.0\.0\.1:\d+\/api\/v1$/);
    expect(run.screen.text()).toContain('placeholder');
    run.type('\u0003');
    expect((await run.end).exit).toBe(0);
  });
});

describe('the environment and --quiet turn off', () => {
  const twoLines = /^generating an image with gpt-image-1\.5\na-cat-1\.png\n1 image in .*$/;

  test.each([
    ['colour', { NO_COLOR: '1' }, { coloured: false, spinner: true }],
    ['movement', { CI: 'true' }, { coloured: false, spinner: false }],
    ['colour and movement', { TERM: 'dumb' }, { coloured: false, spinner: false }],
  ])('%s: %j', async (_name, env, { coloured, spinner }) => {
    const api = await gateway({ generation: [cats()] });
    const run = pty(['a cat'], { gateway: api, env });
    expect((await run.end).exit).toBe(0);
    expect(/\u001b\[3\dm/.test(run.raw()), 'coloured').toBe(coloured);
    expect(run.raw().includes('\u001b[?25l'), 'spinner').toBe(spinner);
    if (!spinner) expect(run.screen.text()).toMatch(twoLines);
  });

  test('all lines but errors', async () => {
    const api = await gateway({ generation: [cats(), { status: 400, body: '{"code":1,"message":"no"}' }] });
    const quiet = pty(['a cat', '-q'], { gateway: api });
    expect((await quiet.end).exit).toBe(0);
    expect(quiet.raw()).toBe('a-cat-1.png\r\n');
    const failed = pty(['a cat', '--quiet'], { gateway: api });
    expect((await failed.end).exit).toBe(4);
    expect(failed.screen.text()).toMatch(/^error: .*\ncause: .*$/);
  });
});

describe('without a terminal', () => {
  test('there is one line when the request starts and one when it ends', async () => {
    const generation = heldBack(cats(2));
    const api = await gateway({ generation: generation.answers });
    const run = start(['a cat', '-n', '2'], { gateway: api });
    await run.saw(/^generating 2 images with gpt-image-1\.5\n$/);
    generation.give();
    const { exit, stdout, stderr } = await run.end;
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'a-cat-1.png\na-cat-2.png\n' });
    expect(stderr).toMatch(
      /^generating 2 images with gpt-image-1\.5\n2 images in \d+\.\d s · 1066 tokens · request req-0123456789\n$/,
    );
  });

  test.each([
    { env: {}, coloured: false },
    { env: { FORCE_COLOR: '1' }, coloured: true },
    { env: { FORCE_COLOR: '0' }, coloured: false },
    { env: { FORCE_COLOR: '1', NO_COLOR: '1' }, coloured: false },
  ])('colours are as $env says', async ({ env, coloured }) => {
    const { exit, stderr } = await imggen(['a cat', '-s', '7x7'], { env });
    expect(exit).toBe(2);
    expect(stderr.startsWith('\u001b[31merror:\u001b[39m')).toBe(coloured);
    expect(stderr.startsWith('error:')).toBe(!coloured);
  });

  test('--quiet says nothing, of warnings either', async () => {
    const api = await gateway({ generation: [documented('{{origin}}/images/cat.webp')] });
    const { exit, stdout, stderr } = await imggen(['a cat', '--quiet', '--sandbox', '--no-sandbox'], { gateway: api });
    expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout: 'a-cat-1.webp\n', stderr: '' });
  });

  test('a warning has no marks of a file name that turn the direction of text', async () => {
    const api = await gateway({ generation: [documented('{{origin}}/images/cat.webp')] });
    const { exit, stderr } = await imggen(['a cat', '-o', 'a\u202eb'], { gateway: api });
    expect(exit).toBe(0);
    expect(stderr).toContain('warning: asked for png, the image is webp: ab/a-cat-1.webp\n');
  });
});

describe('an interruption', () => {
  const half = (): Answer => ({
    body: image('cat.png').subarray(0, 100),
    headers: { 'content-length': '239' },
    broken: 'stalled',
  });

  test.each([
    ['while it waits for the answer', silence],
    [
      'in the middle of the answer',
      () => ({ body: '{"data":[{"b64_json":"{{cat.png}}', broken: 'stalled' }) satisfies Answer,
    ],
  ])('by Ctrl-C %s stops at once: exit 130, cursor back, no temporary file', async (_name, generation) => {
    const api = await gateway({ generation });
    const run = pty(['a cat'], { gateway: api });
    await run.saw('generating');
    await until(() => api.requests.length > 0);
    run.type('\u0003');
    expect(await run.end).toEqual({ exit: 130, files: [] });
    expect(run.screen.cursorVisible).toBe(true);
    expect(run.screen.text()).toContain('error: interrupted');
  });

  test('by Ctrl-C in a download keeps what is saved, and nothing that is half', async () => {
    const api = await gateway({
      generation: [documented('{{origin}}/images/cat.png', '{{origin}}/half')],
      paths: { '/half': half },
    });
    const run = pty(['a cat', '-n', '2'], { gateway: api });
    await run.saw(/1 of 2 files, 3\d\d B/);
    run.type('\u0003');
    expect(await run.end).toEqual({ exit: 130, files: ['a-cat-1.png'] });
  });

  test.each([
    ['SIGINT', 130, 'interrupted'],
    ['SIGTERM', 143, 'terminated'],
  ] as const)('by %s is exit %i', async (signal, exit, code) => {
    const api = await gateway({ generation: silence });
    const run = start(['a cat', '--json'], { gateway: api });
    await until(() => api.requests.length > 0);
    run.kill(signal);
    const result = await run.end;
    expect(result).toMatchObject({ exit, files: [] });
    expect(JSON.parse(result.stdout)).toMatchObject({ error: { code, exit } });
  });

  test('ends a wait between two tries', async () => {
    const api = await gateway({ generation: { status: 429, headers: { 'retry-after': '100' }, body: '{}' } });
    const run = start(['a cat', '--verbose'], { gateway: api });
    await run.saw(/again in 100/);
    run.kill('SIGINT');
    expect(await run.end).toMatchObject({ exit: 130 });
    expect(api.posts()).toHaveLength(1);
  });

  test.each([
    ['a prompt', '-'],
    ['a key', 'login'],
  ])('ends a wait for %s on stdin', async (_name, argument) => {
    const run = start([argument], { stdin: null });
    // The program reads: it has started up then.
    await new Promise<void>((resolve) => run.stdin.write('x'.repeat(300_000), () => resolve()));
    run.kill('SIGINT');
    expect(await run.end).toMatchObject({ exit: 130, stdout: '' });
    expect(run.place.everything()).toEqual([]);
  });

  test('ends a wait for apiKeyCommand', async () => {
    const place = new Place();
    place.writeConfig({ apiKeyCommand: 'echo waiting > started; exec sleep 20' });
    const run = start(['a cat'], { place });
    await until(() => place.files().includes('started'));
    run.kill('SIGTERM');
    expect(await run.end).toMatchObject({ exit: 143, stdout: '' });
  });

  test('by Ctrl-C, which apiKeyCommand gets too', async () => {
    const place = new Place();
    place.writeConfig({ apiKeyCommand: 'echo waiting > started; exec sleep 20' });
    const run = pty(['a cat'], { place });
    await until(() => place.files().includes('started'));
    run.type('\u0003');
    expect((await run.end).exit).toBe(130);
  });
});

describe('imggen login on a terminal', () => {
  test('asks for the key and does not show it', async () => {
    const run = pty(['login']);
    await run.saw('API key');
    run.type(`${testKey}\r`);
    expect((await run.end).exit).toBe(0);
    expect(run.place.readConfig()).toEqual({ apiKey: testKey });
    expect(run.screen.text()).toMatch(/^API key \(not shown\):\nthe key sk-…1234 is stored in /);
  });

  test.each([
    ['Ctrl-D', '\u0004'],
    ['Ctrl-C after a part of it', `${testKey.slice(0, 10)}\u0003`],
  ])('is given up by %s: exit 130, nothing stored', async (_name, typed) => {
    const run = pty(['login']);
    await run.saw('API key');
    run.type(typed);
    expect((await run.end).exit).toBe(130);
    expect(run.screen.text()).toContain('error: interrupted');
    expect(run.raw()).not.toContain(testKey.slice(0, 10));
    expect(run.place.everything()).toEqual([]);
  });
});

/** Polls until a condition holds that has no event. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
