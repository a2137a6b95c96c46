import { describe, expect, test } from 'vitest';
import { type Answer, cats, type Gateway, gateway } from '../support/gateway.ts';
import { start } from '../support/imggen.ts';
import { Place } from '../support/place.ts';
import { pty, shell } from '../support/pty.ts';
import { after, until } from '../support/puppet.ts';
import { widthOf } from '../support/screen.ts';

/** A gateway that holds every answer back until the test gives it, by its prompt. */
async function patient(): Promise<Gateway & { give: (prompt: string, answer?: Answer) => Promise<void> }> {
  const waiting = new Map<string, (answer: Answer) => void>();
  const api = await gateway({
    generation: ({ body }) =>
      new Promise((resolve) => waiting.set((JSON.parse(body) as { prompt: string }).prompt, resolve)),
  });
  const give = async (prompt: string, answer: Answer = cats()) => {
    await until(() => waiting.has(prompt));
    waiting.get(prompt)?.(answer);
    waiting.delete(prompt);
  };
  return { ...api, give };
}

function withPrompts(...prompts: string[]): Place {
  const place = new Place();
  place.write('p.txt', prompts.join('\n'));
  return place;
}

const refused: Answer = { status: 400, body: '{"code":1,"message":"not \\u001b[2J\\u001b]0;x\\u0007\\u202ethis"}' };
/** Everything by which the block is drawn; what is left are lines. */
const sequences = /\u001b\[[0-9;?]*[A-Za-z]/g;

/** Every block that was drawn, line by line. */
function blocks(raw: string): string[][] {
  const drawn = [...raw.matchAll(/\u001b\[\?2026h([^]*?)\u001b\[\?2026l/g)];
  return drawn.map(([, block = '']) => block.replace(sequences, '').split('\r\n'));
}

describe('the live block', () => {
  test('tells how far the batch is; what is saved scrolls past above it, and nothing of it is left', async () => {
    const place = withPrompts('one', 'two', 'three', 'four');
    const api = await patient();
    const run = pty(['batch', 'p.txt', '--concurrency', '2'], { place, gateway: api });
    await run.saw(
      /^4 jobs: 4 to do \(4 images to generate\)\n. 0 of 4 jobs · 0 images\n· one-1\.png · \d s · generating an image with \S+\n· two-1\.png · \d s · generating .*$/,
    );
    expect(run.screen.cursorVisible).toBe(false);
    await run.saw(/\n· one-1\.png · [1-9] s · /);
    await api.give('two');
    await run.saw(
      /^4 jobs: .*\n\[1\/4\] \d+\.\d s {2}two-1\.png\n. 1 of 4 jobs · 1 image · \d+ tokens · about \d+\.\d s left\n· one-1\.png · .*\n· three-1\.png · .*$/,
    );
    await api.give('three', refused);
    await run.saw(
      /^error: \[2\/4\] three-1\.png \(p\.txt:3\): .*not this.*\n. 2 of 4 jobs · 1 failed · 1 image · \d+ tokens · about .* left\n· one-1\.png · .*\n· four-1\.png · .*$/m,
    );
    await api.give('four');
    await run.saw(/^. 3 of 4 jobs · /m);
    await api.give('one');
    expect((await run.end).exit).toBe(4);
    expect(run.raw()).not.toMatch(/\u001b\[2J|\u001b\]0|\u202e|\u0007/);
    const lines = run.screen.text().split('\n');
    expect(lines.slice(0, 6)).toEqual([
      '4 jobs: 4 to do (4 images to generate)',
      expect.stringMatching(/^\[1\/4\] \d+\.\d s {2}two-1\.png$/),
      expect.stringMatching(/^error: \[2\/4\] three-1\.png \(p\.txt:3\): /),
      expect.stringMatching(/^\[3\/4\] \d+\.\d s {2}four-1\.png$/),
      expect.stringMatching(/^\[4\/4\] \d+\.\d s {2}one-1\.png$/),
      expect.stringMatching(/^3 jobs done in \d+\.\d s · 3 images · 1 failed · \d+ tokens$/),
    ]);
    expect(lines.slice(6).join('\n')).toMatch(
      /^error: 1 of 4 jobs failed\ncause: three-1\.png: .*not this.*\nhint: .*$/,
    );
  });

  test('says who waits to try again', async () => {
    const place = withPrompts('one');
    const api = await patient();
    const run = pty(['batch', 'p.txt'], { place, gateway: api });
    await api.give('one', { status: 503, headers: { 'retry-after': '2' } });
    await run.saw(/^. 0 of 1 jobs · 0 images\n· one-1\.png · \d s · waiting to try again: HTTP 503$/m);
    await api.give('one');
    expect((await run.end).exit).toBe(0);
    expect(run.screen.text()).toMatch(/^1 job: .*\n\[1\/1\] \d+\.\d s {2}one-1\.png\n1 job done in .*$/);
  });

  test('stays below what --verbose and warnings say', async () => {
    const place = withPrompts('one', 'two');
    const api = await patient();
    const run = pty(['batch', 'p.txt', '--verbose', '--format', 'webp'], { place, gateway: api });
    await run.saw(/0 of 2 jobs/);
    await api.give('one');
    await run.saw(/1 of 2 jobs/);
    await api.give('two');
    expect((await run.end).exit).toBe(0);
    const text = run.screen.text();
    expect(text).not.toMatch(/ of 2 jobs · |^· /m);
    expect(text).toMatch(/^warning: one-1\.webp: asked for webp, the image is png: one-1\.png$/m);
    expect(text).toMatch(/^> POST /m);
  });

  test('is not drawn where there is nothing to do', async () => {
    const place = withPrompts('one');
    const api = await gateway({ generation: cats() });
    expect((await pty(['batch', 'p.txt'], { place, gateway: api }).end).exit).toBe(0);
    const again = pty(['batch', 'p.txt'], { place, gateway: api });
    expect((await again.end).exit).toBe(0);
    expect(again.screen.text()).toBe('1 job: everything is up to date');
  });

  test('goes when the batch is interrupted: exit 130, and the cursor is back', async () => {
    const place = withPrompts('one', 'two', 'three');
    const api = await patient();
    const run = pty(['batch', 'p.txt', '--concurrency', '2'], { place, gateway: api });
    await run.saw(/· one-1\.png .*\n· two-1\.png/);
    await until(() => api.posts().length === 2);
    run.type('\u0003');
    expect((await run.end).exit).toBe(130);
    expect(run.screen.text()).not.toMatch(/ of 3 jobs · |^· /m);
    expect(run.screen.text()).toMatch(/^error: interrupted: 2 jobs under way, 1 not begun\ncause: .*\nhint: .*$/m);
  });

  test('leaves stdout its paths, where that goes elsewhere', async () => {
    const place = withPrompts('one', 'two');
    const api = await patient();
    const run = shell('imggen batch p.txt > paths', { place, gateway: api });
    await run.saw(/^. 0 of 2 jobs · 0 images\n· one-1/m);
    await api.give('one');
    await run.saw(/^\[1\/2\] .*one-1\.png\n. 1 of 2 jobs/m);
    await api.give('two');
    expect((await run.end).exit).toBe(0);
    expect(place.read('paths').toString()).toBe('one-1.png\ntwo-1.png\n');
    expect(run.screen.text()).toMatch(/^2 jobs: .*\n\[1\/2\] .*one-1\.png\n\[2\/2\] .*two-1\.png\n2 jobs done in .*$/);
  });

  test('is not drawn with --json, nor with --quiet', async () => {
    const place = withPrompts('one');
    const api = await gateway({ generation: cats() });
    const quiet = pty(['batch', 'p.txt', '--quiet'], { place, gateway: api });
    expect((await quiet.end).exit).toBe(0);
    expect(quiet.raw()).toBe('one-1.png\r\n');
    const json = pty(['batch', 'p.txt', '--json', '--force'], { place, gateway: api });
    expect((await json.end).exit).toBe(0);
    expect(json.raw()).not.toContain('\u001b');
    expect(
      json
        .raw()
        .trim()
        .split('\r\n')
        .map((line) => (JSON.parse(line) as { type: string }).type),
    ).toEqual(['planned', 'started', 'saved', 'summary']);
  });
});

describe('in a terminal of any size', () => {
  const cjk = '一只非常可爱的猫坐在窗台上看着外面的大雨想念它的朋友';
  const many = [
    'one',
    cjk,
    'three '.repeat(12).trim(),
    'four',
    '👩‍👩‍👧 and 👍🏽 on a café’s naïve sign',
    'six',
    'seven',
    'eight',
  ];

  test.each([
    [40, 30],
    [40, 5],
    [100, 5],
    [12, 3],
    [6, 2],
  ])('%i columns and %i rows: the block fits, and nothing of it is left', async (columns, rows) => {
    const place = withPrompts(...many);
    const api = await patient();
    const run = pty(['batch', 'p.txt', '--concurrency', '8'], { place, gateway: api, columns, rows });
    await until(() => api.posts().length === many.length);
    // So that every step of every job was drawn.
    await after(1100);
    for (const prompt of many) await api.give(prompt);
    expect((await run.end).exit).toBe(0);
    const drawn = blocks(run.raw());
    expect(drawn.length).toBeGreaterThan(5);
    for (const lines of drawn) {
      expect(lines.length, lines.join('\n')).toBeLessThanOrEqual(Math.max(1, rows - 1));
      for (const line of lines) expect(widthOf(line), line).toBeLessThanOrEqual(columns);
    }
    const text = run.screen.text();
    expect(text).not.toMatch(/ of 8 jobs|^· /m);
    expect(text.match(/^\[\d\/8\] .*\.png$/gm)).toHaveLength(8);
    expect(text).toContain(`${cjk}-1.png`);
  });

  test.each([
    [90, 40],
    [90, 17],
    [40, 90],
  ])('that goes from %i to %i columns: nothing of the old block stays', async (from, to) => {
    const place = withPrompts(...many);
    const api = await patient();
    const run = pty(['batch', 'p.txt', '--concurrency', '8'], { place, gateway: api, columns: from });
    await run.saw(/^. 0 of 8 jobs.*\n(· .*\n){7}· eight-1\.png · [1-9]/m);
    await run.resize(to, 30);
    // The block is cut for the new size, and below the first line there is nothing else.
    const isDrawn = () => {
      const [, ...block] = run.screen.text().split('\n');
      const widths = block.map(widthOf);
      return block.length === 9 && Math.max(...widths) <= to && Math.max(...widths) > Math.min(from, to) - 5;
    };
    await until(isDrawn);
    expect(run.screen.text()).toMatch(/^8 jobs: .*\n. 0 of 8 jobs.*(\n· .*){8}$/);
    for (const prompt of many) await api.give(prompt);
    expect((await run.end).exit).toBe(0);
    expect(run.screen.text()).toMatch(/^8 jobs: .*\n(\[\d\/8\] .*\.png\n){8}8 jobs done in .*$/);
  });

  test('that changes: the block follows', async () => {
    const place = withPrompts(...many);
    const api = await patient();
    const run = pty(['batch', 'p.txt', '--concurrency', '8'], { place, gateway: api, columns: 120, rows: 40 });
    await run.saw(/^· three-three-three-three-three-three-three-three-three-three-three-three-1\.png/m);
    await run.saw(/^· eight-1\.png/m);
    await run.resize(30, 6);
    await run.saw(/^8 jobs: .*\n. 0 of 8 jobs · 0 images\n.*\n.*\n· three-.*…$/);
    const before = run.raw().length;
    for (const prompt of many.slice(0, 7)) await api.give(prompt);
    await run.saw(/ 7 of 8 jobs/);
    for (const lines of blocks(run.raw().slice(before))) {
      expect(lines.length).toBeLessThanOrEqual(5);
      for (const line of lines) expect(widthOf(line), line).toBeLessThanOrEqual(30);
    }
    await run.resize(120, 40);
    await run.saw(/ 7 of 8 jobs · 7 images · \d+ tokens · about .* left\n· eight/);
    await api.give('eight');
    expect((await run.end).exit).toBe(0);
    expect(run.screen.text()).toMatch(/^8 jobs: .*\n(\[\d\/8\] .*\.png\n){8}8 jobs done in .*$/);
  });
});

describe('who asks for it gets no', () => {
  const plain =
    /^2 jobs: 2 to do .*\n\[1\/2\] \d+\.\d s {2}one-1\.png\n\[2\/2\] \d+\.\d s {2}two-1\.png\n2 jobs done in .*$/;

  test.each([
    ['colour', { NO_COLOR: '1' }, { moves: true }],
    ['movement', { CI: '1' }, { moves: false }],
    ['colour and no movement', { TERM: 'dumb' }, { moves: false }],
  ])('%s: %j', async (_name, env, { moves }) => {
    const place = withPrompts('one', 'two');
    const api = await gateway({ generation: cats() });
    const run = pty(['batch', 'p.txt', '--concurrency', '1'], { place, gateway: api, env });
    expect((await run.end).exit).toBe(0);
    expect(run.screen.text()).toMatch(plain);
    expect(run.raw().includes('\u001b[?25l'), 'the cursor is hidden').toBe(moves);
    if (!('CI' in env)) expect(run.screen.coloured, 'coloured').toBe(false);
    if (!moves) expect(run.raw()).not.toMatch(/\u001b\[[0-9;?]*[A-LN-Za-ln-z]/);
  });

  test('movement: without a terminal there is a line a finished job', async () => {
    const place = withPrompts('one', 'two');
    const api = await gateway({ generation: cats() });
    const { exit, stdout, stderr } = await start(['batch', 'p.txt', '--concurrency', '1'], { place, gateway: api }).end;
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'one-1.png\ntwo-1.png\n' });
    expect(stderr.trim()).toMatch(plain);
  });
});

test('names and texts from outside can move nothing', async () => {
  const place = new Place();
  const file = 'p\u001b[2J\u202e.json';
  const images = [
    { prompt: 'one', out: 'ab\u202ec.png' },
    { prompt: 'two \u001b[2J\u0007\u009b2J' },
    { prompt: 'three', name: 'd\u202e' },
  ];
  place.write(file, JSON.stringify({ images }));
  const api = await patient();
  const dry = pty(['batch', file, '--dry-run'], { place, gateway: api });
  expect((await dry.end).exit, dry.screen.text()).toBe(0);
  const check = pty(['batch', file, '--check'], { place, gateway: api });
  expect((await check.end).exit).toBe(9);
  const run = pty(['batch', file], { place, gateway: api });
  await run.saw(/^· abc\.png · /m);
  await after(1100);
  await api.give('three', refused);
  await api.give('one');
  await until(() => api.posts().length === 3);
  await api.give(
    api
      .posts()
      .map(({ prompt }) => prompt as string)
      .find((prompt) => prompt.startsWith('two'))!,
  );
  expect((await run.end).exit).toBe(4);
  expect(run.screen.text()).toMatch(/^\[\d\/3\] \d+\.\d s {2}abc\.png$/m);
  for (const { raw } of [dry, check, run]) expect(raw()).not.toMatch(/\u001b\[2J|\u001b\]|\u202e|\u0007|\u009b/);
});
