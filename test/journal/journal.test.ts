import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { shortBy } from '../../src/journal/fold.ts';
import { readRun } from '../../src/journal/read.ts';
import { program } from '../support/imggen.ts';
import { Bench, ended, type HistoryRun, wholeImages } from '../support/bench.ts';
import { cats, documented, type Gateway, gateway, silence, wire } from '../support/gateway.ts';
import { image, largePng } from '../support/images.ts';
import { sha256 } from '../support/place.ts';
import { after, event, puppet, until } from '../support/puppet.ts';

const png = image('cat.png');
/** Not root, for whom no permission is refused. */
const somebody = process.getuid?.() === 0 ? 65_534 : undefined;

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.remove());

const to = ({ baseUrl }: Gateway, more: Record<string, string> = {}) => ({
  env: { IMGGEN_BASE_URL: baseUrl, ...more },
});

const imggen = (api: Gateway, ...args: string[]) => bench.run(args, to(api));

/** An answer whose one image is behind a URL. */
const answered = (url: string, more: object = {}) => ({
  type: 'answered',
  sources: [{ url }],
  usage: null,
  expires: null,
  taskId: null,
  taskStatus: null,
  requestId: null,
  pending: false,
  ...more,
});

/** An answer with one image in it, and one behind a URL. */
const bothForms = {
  body: '{"created": 1, "data": [{"b64_json": "{{cat.png}}"}, {"url": "{{origin}}/images/cat.webp"}]}',
};

/** There is nothing that `imggen resume` could do. */
async function nothingLeft(setup: Parameters<Bench['run']>[1] = {}): Promise<void> {
  expect(await bench.run(['resume'], setup)).toMatchObject({ exit: 0, stderr: 'nothing to resume\n' });
}

/** The files of the journal, the oldest first. */
function journal(): string[] {
  const runs = join(bench.state, 'runs');
  return existsSync(runs)
    ? readdirSync(runs)
        .sort()
        .map((name) => join(runs, name))
    : [];
}

function entries(path = journal().at(-1) ?? ''): { type: string }[] {
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string });
}

/** Writes a run that was saved into the journal. */
function invent(id: string, changes: Record<string, unknown> = {}, ...more: unknown[]): string {
  const asked = {
    type: 'asked',
    version: 1,
    run: id,
    at: `${id.slice(0, 4)}-${id.slice(4, 6)}-${id.slice(6, 8)}T12:00:00.000Z`,
    owner: { host: 'elsewhere', pid: 1, token: 'x' },
    baseUrl: 'https://example.com',
    model: 'm',
    prompt: `prompt of ${id}`,
    params: {},
    n: 1,
    format: 'png',
    naming: null,
    sidecar: false,
    ...changes,
  };
  const facts = { format: 'png', width: 8, height: 6, bytes: 239, sha256: 'f'.repeat(64) };
  const lines =
    more.length > 0
      ? more
      : [
          answered('https://example.com/x.png', { usage: { total_tokens: 7 }, requestId: 'req_1' }),
          { type: 'stored', index: 1, part: '/nowhere', facts },
          { type: 'saved', index: 1, path: `/images/${id}.png`, facts },
          { type: 'released', token: 'x' },
        ];
  const runs = join(bench.state, 'runs');
  mkdirSync(runs, { recursive: true });
  const path = join(runs, `${id}.jsonl`);
  writeFileSync(path, [asked, ...lines].map((line) => `${JSON.stringify(line)}\n`).join(''));
  seen(path, 300);
  return path;
}

/** A file's owner showed itself last so many seconds ago. */
function seen(path: string, secondsAgo: number): void {
  const at = new Date(Date.now() - secondsAgo * 1000);
  utimesSync(path, at, at);
}

/** Kills a process and waits until it is gone. */
async function killed(child: ChildProcess): Promise<void> {
  const end = once(child, 'exit');
  child.kill('SIGKILL');
  await end;
}

describe('a run is in the journal', () => {
  test('before its request is sent, whole and for its owner alone', async () => {
    const asked = event();
    const api = await gateway({ generation: () => (asked.happen(), silence()) });
    const child = bench.spawn(['a cat', '-n', '2'], to(api));
    await asked.happened;
    const [path] = journal();
    expect(entries()).toMatchObject([{ type: 'asked', prompt: 'a cat', n: 2 }]);
    expect(statSync(path!).mode & 0o777).toBe(0o600);
    for (const directory of [bench.state, join(bench.state, 'runs')])
      expect(statSync(directory).mode & 0o777).toBe(0o700);

    expect(await bench.history()).toMatchObject([{ state: 'running' }]);
    await nothingLeft(to(api));

    await killed(child);
    expect(await bench.history()).toMatchObject([{ state: 'unknown', asked: 2, images: [] }]);
    const resumed = await imggen(api, 'resume');
    expect(resumed).toMatchObject({ exit: 0, stdout: '' });
    expect(resumed.stderr).toContain('it may have been generated and charged');
    await nothingLeft(to(api));
    expect(api.requests).toHaveLength(1);
    expect(await wholeImages(bench.cwd)).toEqual([]);
  });

  test('with its answer before any download', async () => {
    const asked = event();
    const api = await gateway({
      generation: [documented('{{origin}}/slow')],
      paths: { '/slow': () => (asked.happen(), silence()) },
    });
    const child = bench.spawn(['a cat'], to(api));
    await asked.happened;
    expect(entries().map(({ type }) => type)).toEqual(['asked', 'answered']);
    expect(entries()[1]).toMatchObject({
      sources: [{ url: `${api.origin}/slow` }],
      requestId: expect.any(String),
      expires: expect.any(String),
    });
    await killed(child);
  });

  test('step by step, to its end', async () => {
    const api = await gateway({ generation: [cats(1)] });
    expect(await imggen(api, 'a cat')).toMatchObject({ exit: 0 });
    expect(entries().map(({ type }) => type)).toEqual(['asked', 'answered', 'stored', 'saved', 'released']);
    expect(readdirSync(bench.cwd)).toEqual(['a-cat-1.png']);
  });

  test('with directories that nobody else may read, also when the image goes to stdout', async () => {
    const api = await gateway({ generation: [cats()] });
    expect(await imggen(api, 'a cat', '-o', '-')).toMatchObject({ exit: 0 });
    for (const directory of [bench.state, join(bench.state, 'runs'), join(bench.state, 'parts')])
      expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(bench.state, 'parts'))).toEqual([]);
  });
});

test.each([
  ['no answer', [], 0],
  ['a pending task', [answered('', { sources: [], pending: true })], 0],
  ['an answer with no image', [answered('', { sources: [] })], 3],
  ['an answer with one of three', [answered('https://example.com/x.png')], 2],
  ['more images than were asked for', [answered('', { sources: [null, null, null, null] })], 0],
  [
    'two stored images of an answer that broke off before it was noted',
    [{ type: 'stored', index: 2, part: 'p', facts: {} }, answered('', { sources: [null, null] })],
    1,
  ],
])('a run knows how many images its answer is short by: %s', (_what, more, short) => {
  const id = '20260101T120000-aaaaaaaa';
  invent(id, { n: 3 }, ...more, { type: 'released', token: 'x' });
  expect(shortBy(readRun(bench.state, id)!)).toBe(short);
});

describe('imggen history', () => {
  const ids = [
    '20260101T120000-aaaaaaaa',
    '20260301T120000-bbbbbbbb',
    '20260301T120000-bbbbcccc',
    '20260401T120000-dddddddd',
  ];
  const unknown = { type: 'unknown', code: 'timeout', message: 'no answer', requestId: null };
  const listed = async (...args: string[]) => {
    const { json } = await bench.run(['history', '--json', ...args]);
    return json() as { runs: HistoryRun[]; totals?: unknown };
  };

  beforeEach(() => {
    for (const id of ids) invent(id);
    invent(ids[3]!, {}, unknown, { type: 'released', token: 'x' });
  });

  test('has the newest first', async () => {
    const { runs } = await listed();
    expect(runs.map(({ run }) => run)).toEqual([...ids].reverse());
    const { stdout } = await bench.run(['history']);
    expect(stdout).toBe(
      [
        '2026-04-01 12:00  20260401T120000-dddddddd  unknown     0 of 1  prompt of 20260401T120000-dddddddd',
        '2026-03-01 12:00  20260301T120000-bbbbcccc  saved       1 of 1  prompt of 20260301T120000-bbbbcccc',
        '  /images/20260301T120000-bbbbcccc.png',
        '  7 tokens, request req_1',
        '2026-03-01 12:00  20260301T120000-bbbbbbbb  saved       1 of 1  prompt of 20260301T120000-bbbbbbbb',
        '  /images/20260301T120000-bbbbbbbb.png',
        '  7 tokens, request req_1',
        '2026-01-01 12:00  20260101T120000-aaaaaaaa  saved       1 of 1  prompt of 20260101T120000-aaaaaaaa',
        '  /images/20260101T120000-aaaaaaaa.png',
        '  7 tokens, request req_1',
        '',
      ].join('\n'),
    );
  });

  test('takes -n and --failed', async () => {
    expect((await listed('-n', '2')).runs.map(({ run }) => run)).toEqual([ids[3], ids[2]]);
    expect((await listed('--failed')).runs.map(({ run }) => run)).toEqual([ids[3]]);
    for (const n of ['0', '-1', 'x', '']) expect(await bench.run(['history', '-n', n])).toMatchObject({ exit: 2 });
  });

  test('sums up --since', async () => {
    expect(await listed('--since', '2026-02-01')).toMatchObject({ totals: { runs: 3, images: 2, tokens: 14 } });
    expect((await listed('--since', '2026-02-01', '-n', '1')).totals).toEqual({ runs: 3, images: 2, tokens: 14 });
    expect((await listed('--since', '1h')).totals).toEqual({ runs: 0, images: 0, tokens: 0 });
    const { stdout } = await bench.run(['history', '--since', '2025-01-01']);
    expect(stdout).toMatch(/total: 4 runs, 3 images, 21 tokens\n$/);
    expect(await bench.run(['history', '--since', 'then'])).toMatchObject({ exit: 2 });
  });

  test('shows one run, by its id or the start of it', async () => {
    for (const id of [ids[0]!, '20260101', ids[2]!]) {
      const { exit, stdout } = await bench.run(['history', id]);
      expect(exit).toBe(0);
      expect(stdout).toContain(`prompt of ${id.length > 10 ? id : ids[0]}`);
      expect(stdout).toContain('req_1');
    }
    expect(await bench.run(['history', '20260301'])).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('2 runs begin with 20260301'),
    });
    expect(await bench.run(['history', 'x'])).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('there is no run x'),
    });
  });

  test('passes over what a crash left of a line', async () => {
    for (const id of ids.slice(0, 2)) {
      const path = join(bench.state, 'runs', `${id}.jsonl`);
      writeFileSync(path, readFileSync(path, 'utf8').trimEnd().slice(0, -5));
      seen(path, 300);
    }
    expect((await listed()).runs.map(({ state }) => state)).toEqual(['unknown', 'saved', 'saved', 'saved']);
    // Nor does it swallow the line that comes next: resume finds a run that was left, and ends it.
    expect(await bench.run(['resume'])).toMatchObject({
      exit: 0,
      stderr: expect.stringMatching(/nothing was missing\n.*nothing was missing\n$/),
    });
    await nothingLeft();
  });

  test('passes over files that are no runs', async () => {
    const runs = join(bench.state, 'runs');
    writeFileSync(join(runs, 'garbage.jsonl'), Buffer.from([0, 255, 10, 123, 10, 200]));
    writeFileSync(join(runs, 'empty.jsonl'), '');
    writeFileSync(join(runs, 'other.jsonl'), '{"type":"asked","version":1}\n[]\nnull\n"x"\n');
    writeFileSync(join(runs, 'later.jsonl'), '{"type":"asked","version":2,"run":"later"}\n');
    writeFileSync(join(runs, 'notes.txt'), 'not mine');
    mkdirSync(join(runs, 'folder.jsonl'));
    expect((await listed()).runs).toHaveLength(4);
    expect(await bench.run(['resume'])).toMatchObject({ exit: 0 });
    expect(await bench.run(['history', 'garbage'])).toMatchObject({ exit: 2 });
    expect(await bench.run(['history', '--prune'])).toMatchObject({ exit: 0 });
  });

  test('of nothing is empty', async () => {
    rmSync(bench.state, { recursive: true });
    expect(await bench.run(['history'])).toMatchObject({ exit: 0, stdout: '', stderr: 'no runs\n' });
    expect((await listed()).runs).toEqual([]);
  });
});

describe('the journal is bounded', () => {
  const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 19).replace(/[-:]/g, '');
  const left = () => journal().map((path) => path.slice(-14, -6));

  test('by age', async () => {
    invent(`${day(91)}-00000001`);
    invent(`${day(91)}-00000002`, {}, answered('http://127.0.0.1:1/x.png'));
    invent(`${day(89)}-00000003`);
    expect(await bench.run(['history', '--prune'])).toMatchObject({ exit: 0, stderr: '2 runs removed\n' });
    expect(left()).toEqual(['00000003']);
  });

  test('by count: finished runs only, the oldest first', async () => {
    invent(`${day(5)}-00000001`);
    invent(`${day(4)}-00000002`, {}, answered('http://127.0.0.1:1/x.png'));
    invent(`${day(3)}-00000003`);
    invent(`${day(2)}-00000004`);
    expect(await bench.run(['history', '--prune'], { env: { IMGGEN_HISTORY_RUNS: '1' } })).toMatchObject({
      exit: 0,
      stderr: '2 runs removed\n',
    });
    expect(left()).toEqual(['00000002', '00000004']);
  });

  test('but not by what a process works on', async () => {
    // Released is what another owner had; this one, on another machine, showed itself just now.
    seen(invent(`${day(100)}-00000001`, { owner: { host: 'elsewhere', pid: 1, token: 'y' } }), 0);
    expect(await bench.run(['history', '--prune'])).toMatchObject({ stderr: '0 runs removed\n' });
    seen(journal()[0]!, 120);
    expect(await bench.run(['history', '--prune'])).toMatchObject({ stderr: '1 run removed\n' });
  });

  test('by every run that ends', async () => {
    for (const n of [1, 2, 3]) invent(`${day(n)}-0000000${n}`);
    invent(`${day(200)}-00000004`);
    const api = await gateway({ generation: [cats()] });
    expect(await bench.run(['a cat'], to(api, { IMGGEN_HISTORY_RUNS: '2' }))).toMatchObject({ exit: 0 });
    expect(journal()).toHaveLength(2);
    expect(left()[0]).toBe('00000001');
  });
});

describe('imggen resume', () => {
  const here = ({ api, args = [], more = {} }: { api: Gateway; args?: string[]; more?: Record<string, string> }) =>
    bench.run(['resume', '--retries', '0', ...args], to(api, more));

  /** A gateway whose one image is answered with what `answer` says at that time. */
  async function oneImage(status: { now: number }, path = '/x') {
    return await gateway({
      generation: documented(`{{origin}}${path}`),
      paths: { [path]: () => (status.now === 200 ? { body: png } : { status: status.now, body: 'no' }) },
    });
  }

  test('saves what is missing under the planned name, wherever it runs; again it has nothing to do', async () => {
    const status = { now: 500 };
    const api = await oneImage(status);
    expect(await imggen(api, 'a cat', '-o', 'sub/my cat.png', '--sidecar', '--retries', '0')).toMatchObject({
      exit: 7,
      stdout: '',
    });
    expect(await here({ api })).toMatchObject({
      exit: 7,
      stdout: '',
      stderr: expect.stringContaining('/x answered HTTP 500'),
    });
    status.now = 200;
    const resumed = await bench.run(['resume'], { ...to(api), cwd: bench.directory('elsewhere') });
    expect(resumed).toMatchObject({ exit: 0, stdout: `${bench.cwd}/sub/my cat.png\n` });
    expect(readFileSync(join(bench.cwd, 'sub/my cat.png'))).toEqual(png);
    expect(JSON.parse(readFileSync(join(bench.cwd, 'sub/my cat.png.json'), 'utf8'))).toMatchObject({
      prompt: 'a cat',
      sha256: sha256(png),
    });
    await nothingLeft(to(api));
    expect(await here({ api, args: [(await bench.history())[0]!.run] })).toMatchObject({
      exit: 0,
      stdout: '',
      stderr: expect.stringContaining('nothing was missing'),
    });
    expect(readdirSync(join(bench.cwd, 'sub'))).toEqual(['my cat.png', 'my cat.png.json']);
    expect(api.posts()).toHaveLength(1);
  });

  test('does not write over what has the name by now', async () => {
    const status = { now: 500 };
    const api = await oneImage(status);
    for (const [args, saved] of [
      [['-o', 'cat.png'], 'cat-2.png'],
      [['--name', 'x-{i}'], 'x-2.png'],
    ] as const) {
      const taken = args[0] === '-o' ? 'cat.png' : 'x-1.png';
      expect(await imggen(api, 'a cat', '--retries', '0', ...args)).toMatchObject({ exit: 7 });
      writeFileSync(join(bench.cwd, taken), 'mine');
      status.now = 200;
      expect(await here({ api })).toMatchObject({ exit: 0, stdout: `${join(bench.cwd, saved)}\n` });
      expect(readFileSync(join(bench.cwd, taken), 'utf8')).toBe('mine');
      status.now = 500;
    }
  });

  test.each([404, 410, 403])('says why an image is lost (HTTP %d), and asks again only by name', async (code) => {
    const status = { now: 500 };
    const api = await oneImage(status);
    await imggen(api, 'a cat', '--retries', '0');
    status.now = code;
    const first = await here({ api });
    expect(first).toMatchObject({
      exit: 7,
      stdout: '',
      stderr: expect.stringMatching(new RegExp(`/x answered HTTP ${code}: it is gone, or its URL has expired`)),
    });
    const asked = api.gets().length;
    await nothingLeft(to(api));
    expect(api.gets()).toHaveLength(asked);
    const [run] = await bench.history();
    expect(run).toMatchObject({
      state: 'incomplete',
      missing: [{ index: 1, lost: expect.stringContaining(`HTTP ${code}`) }],
    });
    expect(await here({ api, args: [run!.run] })).toMatchObject({ exit: 7 });
    status.now = 200;
    expect(await here({ api, args: [run!.run] })).toMatchObject({ exit: 0 });
    expect(readdirSync(bench.cwd)).toEqual(['a-cat-1.png']);
    expect(api.posts()).toHaveLength(1);
  });

  test('twice at once does everything once', async () => {
    let down = true;
    const api = await puppet(async (request, response) => {
      if (request.method === 'POST')
        response.end(
          JSON.stringify({ code: 0, data: { urls: Array.from({ length: 4 }, (_, k) => `${api.origin}/${k}`) } }),
        );
      else if (down) response.writeHead(500).end();
      else {
        await after(300);
        response.end(png);
      }
    });
    for (const prompt of ['a cat', 'a dog']) await imggen(api, prompt, '-n', '4', '--retries', '0');
    down = false;
    const before = api.gets().length;
    const ends = await Promise.all([1, 2, 3].map(() => here({ api })));
    expect(ends.map(({ exit }) => exit)).toEqual([0, 0, 0]);
    expect(await wholeImages(bench.cwd)).toEqual(
      [1, 2, 3, 4].map((i) => `a-cat-${i}.png`).concat([1, 2, 3, 4].map((i) => `a-dog-${i}.png`)),
    );
    expect(api.gets().length - before).toBe(8);
    expect(ends.flatMap(({ stdout }) => stdout.trim().split('\n')).filter(Boolean)).toHaveLength(8);
    expect(api.posts()).toHaveLength(2);
  });

  test('saves the images of an answer in whose middle the process was killed', async () => {
    const sent = event();
    const base64 = png.toString('base64');
    const api = await puppet((_request, response) => {
      response.write(
        `{"created": 1, "data": [{"b64_json": "${base64}"}, {"b64_json": "${image('cat.webp').toString('base64')}"}, {"b64_json": "${base64.slice(0, 100)}`,
        sent.happen,
      );
    });
    const child = bench.spawn(['a cat', '-n', '3'], to(api));
    await sent.happened;
    await until(() => readdirSync(bench.cwd).length === 3);
    await killed(child);
    expect(await wholeImages(bench.cwd)).toEqual(
      [0, 1, 2].map((k) => expect.stringMatching(`-b${k}.part \\(not whole\\)$`)),
    );
    expect(await here({ api })).toMatchObject({
      exit: 0,
      stdout: `${bench.cwd}/a-cat-1.png\n${bench.cwd}/a-cat-2.webp\n`,
    });
    expect(await wholeImages(bench.cwd)).toEqual(['a-cat-1.png', 'a-cat-2.webp']);
    expect(await bench.history()).toMatchObject([{ state: 'incomplete', images: [{}, {}] }]);
    await nothingLeft(to(api));
    expect(api.requests).toHaveLength(1);
  });

  test('knows the names that were given, and not noted, when the process was killed', async () => {
    const status = { now: 500 };
    const api = await gateway({
      generation: documented('{{origin}}/x', '{{origin}}/x'),
      paths: { '/x': () => ({ status: status.now }) },
    });
    await imggen(api, 'a cat', '-n', '2', '--retries', '0');
    const [{ run }] = (await bench.history()) as [HistoryRun];
    const at = (name: string) => join(bench.cwd, name);
    // Their own names were taken, and each had got another.
    for (const name of ['a-cat-1.png', 'a-cat-2.png']) writeFileSync(at(name), 'mine');
    for (const [k, name] of [
      [1, 'a-cat-4.png'],
      [2, 'a-cat-3.png'],
    ] as const) {
      writeFileSync(at(`.imggen-${run}-${k}.part`), largePng(k));
      linkSync(at(`.imggen-${run}-${k}.part`), at(name));
    }
    expect(await here({ api })).toMatchObject({ exit: 0, stdout: `${at('a-cat-4.png')}\n${at('a-cat-3.png')}\n` });
    expect(readdirSync(bench.cwd).sort()).toEqual([1, 2, 3, 4].map((i) => `a-cat-${i}.png`));
    expect(await bench.history()).toMatchObject([{ state: 'saved' }]);
  });

  test('saves an image that was meant for stdout', async () => {
    const status = { now: 500 };
    const api = await oneImage(status);
    expect(await imggen(api, 'a cat', '-o', '-', '--retries', '0')).toMatchObject({ exit: 7, stdout: '' });
    status.now = 200;
    expect(await here({ api })).toMatchObject({ exit: 0 });
    expect(await wholeImages(bench.cwd)).toEqual(['a-cat-1.png']);
  });

  test('goes on after a run that cannot be resumed, and forgets a task that failed', async () => {
    const status = { now: 500 };
    const api = await oneImage(status);
    const tasks = await gateway({
      generation: [{ body: wire('pending.json') }],
      paths: { '/task?x': () => ({ body: wire('pending.json').replace('"pending"', '"failed"') }) },
    });
    expect(await bench.run(['a dog'], to(tasks))).toMatchObject({ exit: 7 });
    await imggen(api, 'a cat', '--retries', '0');
    status.now = 200;
    const more = { IMGGEN_TASK_URL: `${tasks.origin}/task?x#{task_id}` };
    expect(await here({ api, more })).toMatchObject({
      exit: 4,
      stdout: `${bench.cwd}/a-cat-1.png\n`,
      stderr: expect.stringContaining('the task ended as "failed"'),
    });
    await nothingLeft(to(api, more));
    expect(tasks.gets()).toEqual(['/task?x']);
  });

  test('leaves alone what another process may be at, and takes what was left', async () => {
    const api = await gateway({ generation: [], paths: { '/x': () => ({ body: png }) } });
    const host = `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
    const owners: [string, object, number][] = [
      ['on another machine, seen just now', { host: 'elsewhere', pid: 1, token: 'x' }, 0],
      ['alive', { host, pid: process.pid, token: 'x' }, 0],
      [
        'in another container of that name, seen just now',
        { host: `${hostname()} pid:[1]`, pid: 2 ** 22 + 1, token: 'x' },
        0,
      ],
      ['on another machine, not seen for long', { host: 'elsewhere', pid: 1, token: 'x' }, 120],
      ['dead', { host, pid: 2 ** 22 + 1, token: 'x' }, 0],
      ['whose number another process has by now', { host, pid: process.pid, token: 'x' }, 120],
    ];
    owners.forEach(([prompt, owner, ago], k) => {
      seen(
        invent(`20261101T12000${k}-0000000${k}`, { owner, prompt, baseUrl: api.baseUrl }, answered(`${api.origin}/x`)),
        ago,
      );
    });
    expect(await here({ api })).toMatchObject({ exit: 0 });
    expect((await bench.history()).map(({ prompt, state }) => [prompt, state]).reverse()).toEqual(
      owners.map(([prompt], k) => [prompt, k < 3 ? 'running' : 'saved']),
    );
    expect(api.posts()).toEqual([]);
  });

  test('knows only runs that there are', async () => {
    expect(await bench.run(['resume', 'x'])).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('there is no run x'),
    });
    await nothingLeft();
  });
});

/** Directories that only this test may change, for a user to whom permissions apply. */
function forSomebody(): { uid?: number } {
  if (somebody === undefined) return {};
  chmodSync(bench.root, 0o755);
  for (const directory of [bench.cwd, bench.directory('state'), bench.directory('config')])
    chownSync(directory, somebody, somebody);
  return { uid: somebody };
}

describe('a place that cannot be written', () => {
  const stack = /\n {2}at /;

  test.each([
    ['a directory without permission', 'locked', 'EACCES'],
    ['a directory that cannot be made there', 'locked/sub', 'EACCES'],
    ['a path through a file', 'file/sub', 'ENOTDIR'],
    ['a path through a file, with a name', 'file/cat.png', 'ENOTDIR'],
    ['a directory of the system', '/proc/sub', 'ENOENT'],
  ])('is told before anything is sent: %s', async (_name, out, code) => {
    const user = forSomebody();
    const locked = bench.directory('cwd/locked');
    chmodSync(locked, 0o555);
    writeFileSync(join(bench.cwd, 'file'), 'x');
    const api = await gateway();
    const { exit, stderr } = await bench.run(['a cat', '-o', out], { ...to(api), ...user });
    expect(exit).toBe(8);
    expect(stderr).toContain(code);
    expect(stderr).not.toMatch(stack);
    expect(api.requests).toEqual([]);
  });

  test('later keeps the bytes in the state directory, and says where', async () => {
    const user = forSomebody();
    const api = await gateway({
      generation: () => {
        chmodSync(bench.cwd, 0o555);
        return bothForms;
      },
    });
    const { exit, stdout, stderr } = await bench.run(['a cat', '-n', '2'], { ...to(api), ...user });
    expect({ exit, stdout }).toEqual({ exit: 8, stdout: '' });
    const kept = readdirSync(join(bench.state, 'parts'));
    expect(kept).toHaveLength(2);
    for (const name of kept) expect(stderr).toContain(join(bench.state, 'parts', name));
    expect(stderr).toContain('imggen resume');

    expect(await bench.run(['resume'], { ...to(api), ...user })).toMatchObject({ exit: 8, stdout: '' });
    chmodSync(bench.cwd, 0o755);
    expect(await bench.run(['resume'], { ...to(api), ...user })).toMatchObject({ exit: 0 });
    expect(await wholeImages(bench.cwd)).toEqual(['a-cat-1.png', 'a-cat-2.webp']);
    expect(readdirSync(join(bench.state, 'parts'))).toEqual([]);
    expect(api.requests).toHaveLength(2);
  });

  test('as state directory is a warning, and the run finishes', async () => {
    const user = forSomebody();
    chmodSync(bench.directory('state'), 0o555);
    const api = await gateway({ generation: cats(2) });
    const { exit, stdout, stderr } = await bench.run(['a cat', '-n', '2'], { ...to(api), ...user });
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'a-cat-1.png\na-cat-2.png\n' });
    expect(stderr).toMatch(/^warning: no journal, so imggen resume cannot finish this run: EACCES/m);
    expect(await bench.run(['a cat'], { ...to(api, { IMGGEN_STATE_DIR: '/proc/imggen' }), ...user })).toMatchObject({
      exit: 0,
    });
  });

  test('as journal is an error of resume and history, not a crash', async () => {
    const user = forSomebody();
    const api = await gateway({ generation: cats(), paths: { '/images/cat.png': { status: 500 } } });
    await bench.run(['a cat', '--retries', '0'], { ...to(api), ...user });
    chmodSync(journal()[0]!, 0o444);
    const resumed = await bench.run(['resume'], { ...to(api), ...user });
    expect(resumed).toMatchObject({ exit: 8, stderr: expect.stringContaining('EACCES') });
    expect(resumed.stderr).not.toMatch(stack);
    chmodSync(join(bench.state, 'runs'), 0);
    for (const args of [['resume'], ['history'], ['history', '--prune']]) {
      const { exit, stderr } = await bench.run(args, { ...to(api), ...user });
      expect({ exit, stderr }).toEqual({ exit: 2, stderr: expect.stringContaining('EACCES') });
      expect(stderr).not.toMatch(stack);
    }
    chmodSync(join(bench.state, 'runs'), 0o700);
  });

  test('as config directory stops nothing but config', async () => {
    const user = forSomebody();
    chmodSync(bench.directory('config'), 0o555);
    const api = await gateway({ generation: cats() });
    expect(await bench.run(['a cat'], { ...to(api), ...user })).toMatchObject({ exit: 0, stdout: 'a-cat-1.png\n' });
    const { exit, stderr } = await bench.run(['config', 'set', 'count', '2'], user);
    expect({ exit, stderr }).toEqual({ exit: 8, stderr: expect.stringContaining('EACCES') });
    expect(stderr).not.toMatch(stack);
  });
});

describe('a target directory that vanishes', () => {
  test('while the answer is awaited, is made again', async () => {
    const target = join(bench.cwd, 'target');
    const api = await gateway({
      generation: () => {
        rmSync(target, { recursive: true });
        return bothForms;
      },
    });
    expect(await imggen(api, 'a cat', '-n', '2', '-o', 'target')).toMatchObject({ exit: 0 });
    expect(await wholeImages(target)).toEqual(['a-cat-1.png', 'a-cat-2.webp']);
  });

  test('while an image arrives, takes nothing with it', async () => {
    const target = join(bench.cwd, 'target');
    const large = largePng(2_000_000);
    const base64 = large.toString('base64');
    const api = await puppet(async (_request, response) => {
      response.write(`{"created": 1, "data": [{"b64_json": "${base64.slice(0, 2_000_000)}`);
      await until(() => existsSync(target) && readdirSync(target).length > 0);
      rmSync(target, { recursive: true });
      response.end(`${base64.slice(2_000_000)}"}]}`);
    });
    expect(await imggen(api, 'a cat', '-o', 'target')).toMatchObject({
      exit: 0,
      stdout: 'target/a-cat-1.png\n',
    });
    expect(sha256(readFileSync(join(target, 'a-cat-1.png')))).toBe(sha256(large));
    expect(readdirSync(join(bench.state, 'parts'))).toEqual([]);
  });

  test('also when it is the working directory', async () => {
    const api = await gateway({
      generation: () => {
        rmSync(bench.cwd, { recursive: true });
        return bothForms;
      },
    });
    const { exit, stdout } = await imggen(api, 'a cat', '-n', '2');
    if (exit !== 0) {
      expect({ exit, stdout }).toEqual({ exit: 8, stdout: '' });
      expect(await bench.run(['resume'], { ...to(api), cwd: bench.directory('cwd') })).toMatchObject({ exit: 0 });
    }
    expect(await wholeImages(bench.cwd)).toEqual(['a-cat-1.png', 'a-cat-2.webp']);
    expect(api.posts()).toHaveLength(1);
  });
});

describe('stdout that cannot be written (/dev/full)', () => {
  test('is an error; the files are there', async () => {
    const api = await gateway({ generation: cats() });
    const full = openSync('/dev/full', 'w');
    const { exit, stderr } = await bench.run(['a cat'], { ...to(api), stdout: full });
    closeSync(full);
    expect({ exit, stderr }).toEqual({ exit: 8, stderr: expect.stringContaining('cannot write to stdout') });
    expect(await wholeImages(bench.cwd)).toEqual(['a-cat-1.png']);
    expect(await bench.history()).toMatchObject([{ state: 'saved' }]);
  });

  test('keeps the image of -o -', async () => {
    const api = await gateway({ generation: cats() });
    const full = openSync('/dev/full', 'w');
    const { exit, stderr } = await bench.run(['a cat', '-o', '-'], { ...to(api), stdout: full });
    closeSync(full);
    expect({ exit, stderr }).toEqual({ exit: 8, stderr: expect.stringContaining(join(bench.state, 'parts')) });
    expect(await imggen(api, 'resume')).toMatchObject({ exit: 0 });
    expect(await wholeImages(bench.cwd)).toEqual(['a-cat-1.png']);
    expect(api.gets()).toHaveLength(1);
  });
});

describe('stdout that nobody reads any more', () => {
  test('is quiet for paths, and keeps the image of -o -', async () => {
    const api = await gateway({ generation: cats() });
    for (const args of [[], ['-o', '-']]) {
      const child = bench.spawn(['a cat', ...args], to(api));
      child.stdout?.destroy();
      const { exit, stderr } = await ended(child);
      expect(stderr).not.toMatch(/EPIPE|\n {2}at /);
      if (args.length === 0) expect(exit).toBe(0);
    }
    expect(await imggen(api, 'resume')).toMatchObject({ exit: 0 });
    expect(await wholeImages(bench.cwd)).toEqual(['a-cat-1.png', 'a-cat-2.png']);
    expect(api.posts()).toHaveLength(2);
  });
});

describe('too few file descriptors', () => {
  test.each([20, 21, 22, 23, 24, 25])('lose nothing: ulimit -n %d', async (limit) => {
    const api = await gateway({ generation: cats(6) });
    const { exit, stderr } = await bench.run(['a cat', '-n', '6'], { ...to(api), before: `ulimit -n ${limit}` });
    const posts = api.posts().length;
    expect(posts).toBeLessThanOrEqual(1);
    if (posts === 0) return expect(exit).not.toBe(0);
    expect(stderr).not.toContain('fault of imggen');
    if (exit !== 0) expect(await imggen(api, 'resume')).toMatchObject({ exit: 0 });
    expect(await wholeImages(bench.cwd)).toHaveLength(6);
    expect(api.posts()).toHaveLength(1);
  });
});

/** How this user may mount something that nobody else sees; none where the system forbids it. */
const unshare = '/usr/bin/unshare';
const waysToMount = [['-m'], ['-rm']]
  .filter((flags) => spawnSync(unshare, [...flags, 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0)
  .slice(0, 1);

/** Runs a script in which `imggen` is the program and `disk <directory> <size>` mounts a small disk; what it said, by part. */
async function withDisks(mounting: readonly string[], script: string, api: Gateway): Promise<Record<string, string[]>> {
  const prelude = `
    imggen() { "${process.execPath}" "${program}" "$@"; }
    disk() { mount -t tmpfs -o "size=$2" none "$1"; }
    resize() { mount -o "remount,size=$2" none "$1"; }
    say() { echo "== $1"; }
  `;
  const { stdout } = await ended(bench.spawnOther(unshare, [...mounting, 'sh', '-c', prelude + script], to(api)));
  const parts = stdout
    .split('== ')
    .slice(1)
    .map((part): [string, string[]] => {
      const [name = '', ...lines] = part.trimEnd().split('\n');
      return [name, lines];
    });
  return Object.fromEntries(parts);
}

describe.each(waysToMount)('a full disk', (mounting) => {
  const large = largePng(300_000);
  const both = (origin: string) =>
    JSON.stringify({ created: 1, data: [{ b64_json: large.toString('base64') }, { url: `${origin}/large` }] });

  async function server() {
    const api: Gateway = await puppet((request, response) => {
      if (request.method === 'POST') response.end(both(api.origin));
      else response.end(large);
    });
    return api;
  }

  test('keeps what it has no room for in the state directory; resume saves it when there is room', async () => {
    const api = await server();
    const said = await withDisks(
      [mounting],
      `
      mkdir target; disk target 100k
      say first; imggen 'a cat' -n 2 -o target 2>&1; echo "exit $?"; ls -A target
      say kept; ls -A "$IMGGEN_STATE_DIR/parts"
      say again; imggen resume 2>&1; echo "exit $?"
      resize target 10m
      say resumed; imggen resume; echo "exit $?"; ls -A target; sha256sum < target/a-cat-1.png; sha256sum < target/a-cat-2.png
      say left; ls -A "$IMGGEN_STATE_DIR/parts"
    `,
      api,
    );
    const hash = `${sha256(large)}  -`;
    expect(said.first!.at(-1)).toBe('exit 8');
    const text = said.first!.join('\n');
    expect(text).toContain('ENOSPC');
    expect(said.kept).toHaveLength(2);
    for (const name of said.kept!) expect(text).toContain(`it is kept in ${bench.state}/parts/${name}`);
    expect(said.again).toContain('exit 8');
    expect(said.resumed).toEqual([
      ...[1, 2].map((i) => `${bench.cwd}/target/a-cat-${i}.png`),
      'exit 0',
      ...[1, 2].map((i) => `a-cat-${i}.png`),
      hash,
      hash,
    ]);
    expect(said.left).toEqual([]);
    expect(api.gets()).toHaveLength(1);
    expect(api.posts()).toHaveLength(1);
  });

  test('that has the state directory too is told', async () => {
    const api = await server();
    const said = await withDisks(
      [mounting],
      `
      mkdir all; disk all 200k; mkdir all/target; export IMGGEN_STATE_DIR="$PWD/all/state"
      say first; imggen 'a cat' -n 2 -o all/target 2>&1; echo "exit $?"; ls -A all/target
      say history; imggen history 2>&1
    `,
      api,
    );
    expect(said.first).toEqual([
      'generating 2 images with gpt-image-1.5',
      expect.stringMatching(/^error: cannot write .*state\/parts/),
      expect.stringContaining('ENOSPC'),
      expect.stringContaining('it may have been generated and charged'),
      'exit 8',
    ]);
    expect(said.history![0]).toContain('unknown     0 of 2');
    expect(api.posts()).toHaveLength(1);
  });

  test('as state directory is a warning, and the run finishes', async () => {
    const api = await server();
    const said = await withDisks(
      [mounting],
      `
      mkdir state; disk state 16k; export IMGGEN_STATE_DIR="$PWD/state"; cat /dev/zero > state/filler 2> /dev/null
      say first; imggen 'a cat' -n 2 2>&1; echo "exit $?"; ls a-*
    `,
      api,
    );
    expect(said.first).toEqual(expect.arrayContaining(['exit 0', 'a-cat-1.png', 'a-cat-2.png']));
    expect(said.first!.join()).toContain('warning: no journal, so imggen resume cannot finish this run: ENOSPC');
  });
});
