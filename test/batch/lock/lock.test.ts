import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { lockLimit, readLock } from '../../../src/batch/lock/file.ts';
import { LockLog } from '../../../src/batch/lock/log.ts';
import { mergeLocks } from '../../../src/batch/lock/merge.ts';
import { lockPathOf, logPathOf, partPathOf, partsBeside } from '../../../src/batch/lock/paths.ts';
import type { LockEntry } from '../../../src/batch/lock/types.ts';
import { viewLock } from '../../../src/batch/lock/view.ts';
import { bundleWorker, lockEntry, processOf, runWorker, startWorker } from '../../support/lock.ts';
import { until } from '../../support/puppet.ts';

/** Not root, to whom no permission is refused. */
const user = process.getuid?.() === 0 ? { uid: 65_534 } : {};
const earlier = '2026-01-01T00:00:00.000Z';
const later = '2026-02-01T00:00:00.000Z';

const tools = mkdtempSync(join(tmpdir(), 'imggen-lock-worker-'));
let worker = '';
beforeAll(async () => {
  worker = await bundleWorker(tools);
  chmodSync(tools, 0o755);
});
afterAll(() => rmSync(tools, { recursive: true, force: true }));

let alive: Set<number>;
let place: string;
let lock: string;
beforeEach(() => {
  alive = new Set();
  const path = mkdtempSync(join(tmpdir(), 'imggen-lock-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  place = path;
  lock = lockPathOf(join(place, 'images.yaml'));
});

/** A process that lives until `alive` loses its number. */
const machine = (pid = 1) => processOf(alive, pid);
const open = (pid = 1, path = lock) => LockLog.open(path, machine(pid));
const part = (index: number, count = 2) => partPathOf(lock, { index, count });
const openPart = (index: number, pid = 1) => LockLog.open(part(index), machine(pid), { base: lock });

/** Writes a lock file as a run does, with a log of its own. */
async function write(path: string, jobs: Record<string, Partial<LockEntry>>): Promise<void> {
  const log = await LockLog.open(path, machine(), { parts: [] });
  for (const [key, changes] of Object.entries(jobs)) log.done(key, lockEntry(key, changes));
  await log.close();
}

const text = (path = lock) => readFileSync(path, 'utf8');
const logLines = (path = lock) =>
  text(logPathOf(path))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string });
const names = () => readdirSync(place).sort();
const keys = async (path = lock) => [...(await readLock(path)).keys()];
const runs = (jobs: ReadonlyMap<string, LockEntry>) =>
  Object.fromEntries([...jobs].map(([key, { run }]) => [key, run]));

describe('the lock file', () => {
  test('has a job a block, in the order of their keys, and ends with a newline', async () => {
    await write(lock, {
      'b.png': { usage: { total_tokens: 7, input_tokens: 3 }, processing: 'p' },
      'a/Z.png': { originals: [], usage: null, request_id: null },
      'a/é.png': { missing: 1, shortAnswers: 2 },
    });
    const file = (path: string) => ({ path, sha256: 'a'.repeat(64), bytes: 1234 });
    const rest = { run: '20260101T120000-aaaaaaaa', model: 'gpt-image-1' };
    const end = { task_id: null, usage: { total_tokens: 7 }, generated: '2026-01-01T12:00:00.000Z' };
    const job = (originals: object[], processing: string | null, more: object) => {
      return { fingerprint: 'f'.repeat(64), processing, originals, outputs: [], ...rest, request_id: 'req_1', ...more };
    };
    const jobs = {
      'a/Z.png': job([], null, { request_id: null, ...end, usage: null }),
      'a/é.png': job([file('a/é.png')], null, { ...end, missing: 1, shortAnswers: 2 }),
      'b.png': job([file('b.png')], 'p', { ...end, usage: { input_tokens: 3, total_tokens: 7 } }),
    };
    expect(text()).toBe(`${JSON.stringify({ version: 1, jobs }, null, 2)}\n`);
    expect(names()).toEqual([basename(lock)]);
  });

  test('is not made for nothing, and has no jobs while it is missing', async () => {
    expect(await keys()).toEqual([]);
    await (await open()).close();
    expect(names()).toEqual([]);
  });

  test.each([
    ['by another program', (old: string) => JSON.stringify(JSON.parse(old), null, 4)],
    ['in one line', (old: string) => JSON.stringify(JSON.parse(old))],
    ['with the line ends of Windows', (old: string) => `\uFEFF${old.replaceAll('\n', '\r\n')}`],
    ['in another order', (old: string) => JSON.stringify({ jobs: JSON.parse(old).jobs, version: 1 }, null, 2)],
  ])('is read when it was formatted %s, and left as it is', async (_how, format) => {
    await write(lock, { __proto__: {}, 'b.png': {}, '7': {}, 'a "b" \\ \n\ud800.png': {} });
    const before = await readLock(lock);
    writeFileSync(lock, format(text()));
    const formatted = text();
    expect(await readLock(lock)).toEqual(before);
    await (await open()).close();
    expect(text()).toBe(formatted);
  });

  test('keeps its bytes and its time when nothing changed', async () => {
    await write(lock, { 'a.png': {}, 'b.png': {} });
    const before = statSync(lock, { bigint: true });
    const log = await open();
    await log.begun('a.png', 'f', 'r');
    log.done('a.png', lockEntry('a.png'));
    await log.close();
    expect(statSync(lock, { bigint: true })).toMatchObject({ ino: before.ino, mtimeNs: before.mtimeNs });
    expect(names()).toEqual([basename(lock)]);
  });

  test('that another program wrote during a run is joined with what the run did', async () => {
    await write(lock, { 'a.png': {}, 'b.png': {} });
    const log = await open();
    log.done('c.png', lockEntry('c.png'));
    log.dropped('b.png');
    const pulled = JSON.parse(text()) as { jobs: Record<string, LockEntry> };
    pulled.jobs['d.png'] = lockEntry('d.png');
    writeFileSync(lock, JSON.stringify(pulled));
    await log.close();
    expect(await keys()).toEqual(['a.png', 'c.png', 'd.png']);

    const next = await open();
    next.done('e.png', lockEntry('e.png'));
    const whole = text();
    writeFileSync(lock, '<<<<<<< HEAD\n');
    const message = `${lock}:1: an unresolved merge conflict`;
    await expect(next.close()).rejects.toMatchObject({ code: 'config', message });
    writeFileSync(lock, whole);
    await (await open()).close();
    expect(await keys()).toEqual(['a.png', 'c.png', 'd.png', 'e.png']);
  });

  test('whose last job was dropped is still a lock file', async () => {
    await write(lock, { 'a.png': {} });
    const log = await open();
    log.dropped('a.png');
    await log.close();
    expect(text()).toBe('{\n  "version": 1,\n  "jobs": {}\n}\n');
  });

  const notAnEntry = 'what it says of "a.png" is not a job\'s entry';
  test.each<[string, (old: string) => string, string, string?]>([
    [
      'a merge that nobody resolved',
      (old) => old.replace('    "b.png"', '<<<<<<< HEAD\n=======\n>>>>>>> other\n    "b.png"'),
      ':24: an unresolved merge conflict',
    ],
    ['a missing comma', (old) => old.replace('},\n    "b', '}\n    "b'), ':24: a broken lock file', 'not valid JSON'],
    ['an unknown word', (old) => old.replace('"processing": null', '"processing": nul'), ':6: a broken lock file'],
    ['no end', (old) => old.slice(0, 700), ':25: a broken lock file'],
    ['nothing', () => '', ':1: a broken lock file'],
    ['another kind of document', () => '[]', ': a broken lock file', 'it has no "jobs"'],
    ['an incomplete entry', (old) => old.replace('"run":', '"ran":'), ': a broken lock file', notAnEntry],
    ['a file that is no image', (old) => old.replace('": "a.png"', '": "a.txt"'), ': a broken lock file', notAnEntry],
    ['a count below 1', (old) => old.replace('"run":', '"missing": 0, "run":'), ': a broken lock file', notAnEntry],
    [
      'a later version',
      (old) => old.replace('"version": 1', '"version": 2'),
      ' is of version 2, and this imggen knows only 1',
    ],
  ])('with %s is refused', async (_what, damage, message, cause = '') => {
    await write(lock, { 'a.png': {}, 'b.png': {} });
    const damaged = damage(text());
    writeFileSync(lock, damaged);
    const error = { code: 'config', exit: 2, message: `${lock}${message}`, hint: expect.any(String) };
    await expect(readLock(lock)).rejects.toMatchObject(error);
    await expect(viewLock(lock)).rejects.toMatchObject(error);
    await expect(open()).rejects.toMatchObject(error);
    if (cause) await expect(open()).rejects.toMatchObject({ reason: expect.stringContaining(cause) });
    expect(text()).toBe(damaged);
    expect(names()).toEqual([basename(lock)]);
  });

  test('of more than 256 MiB is refused, and so is its log', async () => {
    const reason = 'it has 257 MiB, and the limit is 256';
    for (const path of [lock, logPathOf(lock)]) {
      writeFileSync(path, '');
      truncateSync(path, lockLimit + 1);
      const error = { code: 'config', message: `cannot read ${path}`, reason };
      await expect(viewLock(lock)).rejects.toMatchObject(error);
      rmSync(path);
    }
  });

  test('that could grow beyond the limit takes no new run', async () => {
    const log = await open();
    truncateSync(logPathOf(lock), lockLimit / 2 + 1);
    log.done('a.png', lockEntry('a.png'));
    await expect(log.begun('b.png', 'f', 'r')).rejects.toMatchObject({ code: 'output', hint: /again/ });
  });
});

describe('git', () => {
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
      cwd: place,
      encoding: 'utf8',
      stdio: 'pipe',
    });
  const commit = async (jobs: Record<string, Partial<LockEntry>>) => {
    await write(lock, jobs);
    git('add', '.');
    git('commit', '-qm', 'x');
  };
  const letters = (all: string) => Object.fromEntries([...all].map((each) => [`${each}.png`, { run: `run-${each}` }]));

  test('merges what two branches add, change and drop in different places', async () => {
    git('init', '-qb', 'main');
    await commit(letters('bdfhjlnprtvx'));
    git('checkout', '-qb', 'other');
    const log = await open();
    log.dropped('n.png');
    await log.close();
    await commit({ ...letters('aei'), 'r.png': { run: 'new' } });
    git('checkout', '-q', 'main');
    await commit({ ...letters('cgz'), 'l.png': { run: 'new' } });
    git('merge', '-q', 'other', '-m', 'x');
    const merged = await readLock(lock);
    expect([...merged.keys()].join('').replaceAll('.png', '')).toBe('abcdefghijlprtvxz');
    expect([merged.get('r.png')?.run, merged.get('l.png')?.run]).toEqual(['new', 'new']);
    const before = text();
    rmSync(lock);
    await write(lock, Object.fromEntries(merged));
    expect(text()).toBe(before);
  });

  test('leaves a conflict where both add in one place, and the lock file is refused', async () => {
    git('init', '-qb', 'main');
    await commit(letters('az'));
    git('checkout', '-qb', 'other');
    await commit(letters('m'));
    git('checkout', '-q', 'main');
    await commit(letters('n'));
    expect(() => git('merge', '-q', 'other', '-m', 'x')).toThrow();
    await expect(readLock(lock)).rejects.toThrow(/:\d+: an unresolved merge conflict$/);
  });
});

describe('the log', () => {
  test('has a line for each thing that happens, and is gone at the end', async () => {
    const log = await open();
    await log.begun('a.png', 'f1', 'r1');
    log.done('a.png', lockEntry('a.png'));
    await log.begun('b.png', 'f2', 'r2');
    log.givenUp('b.png');
    log.dropped('a.png');
    log.done('c.png', lockEntry('c.png'));
    const types = ['claimed', 'begun', 'done', 'begun', 'given-up', 'dropped', 'done'];
    expect(logLines().map(({ type }) => type)).toEqual(types);
    expect(log.pending.size).toBe(0);
    expect([...log.entries]).toEqual([['c.png', lockEntry('c.png')]]);
    expect(existsSync(lock)).toBe(false);
    await log.close();
    expect(names()).toEqual([basename(lock)]);
    expect(await keys()).toEqual(['c.png']);
    await log.close();
  });

  test('keeps every unfinished run of a job, and only those, until the job is done', async () => {
    const log = await open();
    await Promise.all(['a.png', 'b.png', 'c.png'].map((key) => log.begun(key, `f of ${key}`, 'r1')));
    await log.begun('b.png', 'f2', 'r2');
    await log.begun('b.png', 'f3', 'r3');
    await log.begun('b.png', 'f4', 'r2');
    log.givenUp('c.png');
    log.done('a.png', lockEntry('a.png'));
    const unfinished = [
      { fingerprint: 'f of b.png', run: 'r1' },
      { fingerprint: 'f3', run: 'r3' },
      { fingerprint: 'f4', run: 'r2' },
    ];
    expect(log.pending).toEqual(new Map([['b.png', unfinished]]));
    await log.close();
    expect(logLines()).toEqual(unfinished.map((begun) => ({ type: 'begun', key: 'b.png', ...begun })));

    const next = await open(2);
    expect(next.pending).toEqual(new Map([['b.png', unfinished]]));
    expect([...next.entries.keys()]).toEqual(['a.png']);
    next.givenUp('b.png');
    expect(next.pending).toEqual(new Map([['b.png', unfinished.slice(0, 2)]]));
    next.done('b.png', lockEntry('b.png', { run: 'r1' }));
    await next.close();
    expect(names()).toEqual([basename(lock)]);
  });

  test('is for one process at a time', async () => {
    const log = await open(1);
    const error = { code: 'output', exit: 8, hint: expect.stringContaining('--shard') };
    await expect(open(2)).rejects.toMatchObject(error);
    await expect(open(2)).rejects.toThrow(
      /^another imggen batch works on .*images\.yaml\.lock\.json \(process 1 on .+\)$/,
    );
    log.done('a.png', lockEntry('a.png'));
    await log.close();
    await (await open(2)).close();
  });

  test('is taken over from a process that is gone, without its temporary files', async () => {
    const { child, over } = startWorker(worker, ['hold', lock]);
    await until(() => existsSync(logPathOf(lock)) && text(logPathOf(lock)).split('\n').length === 3);
    const isRunning = (pid: number) => pid === child.pid;
    await expect(LockLog.open(lock, { ...machine(), isRunning })).rejects.toThrow(`process ${child.pid} on`);
    const { owner } = logLines()[0] as unknown as { owner: { token: string } };
    for (const path of [lock, logPathOf(lock)])
      writeFileSync(join(place, `.${basename(path)}.${owner.token}.tmp`), 'half');
    child.kill('SIGKILL');
    await over;
    const log = await open();
    expect(log.pending).toEqual(new Map([['held.png', [{ fingerprint: 'f', run: 'run-held' }]]]));
    expect(names()).toEqual([basename(logPathOf(lock))]);
    log.givenUp('held.png');
    await log.close();
    expect(names()).toEqual([]);
  });

  test('that was taken over during a long sleep is left alone', async () => {
    const sleeper = await open(1);
    sleeper.done('a.png', lockEntry('a.png'));
    utimesSync(logPathOf(lock), new Date(), new Date(Date.now() - 61_000));
    const other = await open(2);
    await expect(sleeper.begun('b.png', 'f', 'r')).rejects.toThrow(/^another imggen batch works on .*process 2 on/);
    other.done('b.png', lockEntry('b.png'));
    await other.close();
    expect(() => sleeper.done('c.png', lockEntry('c.png'))).toThrow('was removed');
    await expect(sleeper.close()).rejects.toMatchObject({ code: 'output', message: /was removed/ });
    expect(await keys()).toEqual(['a.png', 'b.png']);
    expect(names()).toEqual([basename(lock)]);
  });

  test('goes on after a line of another process, or a piece of a line', async () => {
    const log = await open();
    log.done('a.png', lockEntry('a.png'));
    const claimed = { type: 'claimed', owner: { host: 'h', pid: 3, token: 'x' }, from: 'nobody' };
    appendFileSync(logPathOf(lock), `${JSON.stringify(claimed)}\n{"type":"do`);
    log.done('b.png', lockEntry('b.png'));
    await log.close();
    expect(await keys()).toEqual(['a.png', 'b.png']);
  });

  test('is read when its last line is cut off', async () => {
    const log = await open(1);
    log.done('a.png', lockEntry('a.png'));
    log.done('b.png', lockEntry('b.png'));
    const bytes = readFileSync(logPathOf(lock));
    alive.delete(1);
    const start = bytes.lastIndexOf('{"type":"done"');
    for (let end = start; end < bytes.length; end += 40) {
      writeFileSync(logPathOf(lock), bytes.subarray(0, end));
      const next = await open(2);
      expect([...next.entries.keys()]).toEqual(['a.png']);
      next.done('c.png', lockEntry('c.png'));
      await next.close();
      expect(await keys()).toEqual(['a.png', 'c.png']);
      rmSync(lock);
    }
  });

  test('may begin with a line that is cut off', async () => {
    await (await open(1)).begun('a.png', 'f', 'r');
    const [first = ''] = text(logPathOf(lock)).split('\n');
    alive.delete(1);
    for (const cut of [...Array.from(first, (_, end) => first.slice(0, end)), '\0'.repeat(512)]) {
      writeFileSync(logPathOf(lock), cut);
      const killed = await open(2);
      killed.done('a.png', lockEntry('a.png'));
      alive.delete(2);
      expect([...(await viewLock(lock)).entries.keys()]).toEqual(['a.png']);
      await (await open(3)).close();
      expect(await keys()).toEqual(['a.png']);
      rmSync(lock);
    }
  });

  test.each([
    '{"prompt":"x"}',
    'a fox\n',
    '\n{"type":"done"}\n',
    '{\n  "type": "claimed"\n}\n',
    '{"type":"message","text":"x"}\n',
    '{"type":"begun","key":1}\n',
    'null\n',
  ])('is no other file of its name: %j', async (content) => {
    await write(lock, { 'a.png': {} });
    writeFileSync(logPathOf(lock), content);
    const error = {
      code: 'usage',
      exit: 2,
      message: `${logPathOf(lock)} is no log of a lock file, and would be taken for one`,
      hint: expect.stringContaining('--lock'),
    };
    await expect(open()).rejects.toMatchObject(error);
    await expect(viewLock(lock)).rejects.toMatchObject(error);
    await expect(viewLock(part(1), { base: lock })).rejects.toMatchObject(error);
    await expect(mergeLocks(join(place, 'x.json'), [lock], machine())).rejects.toMatchObject(error);
    expect(text(logPathOf(lock))).toBe(content);
    expect(names()).toEqual([basename(lock), basename(logPathOf(lock))]);
  });

  test('is taken over at once from an earlier process with the same number', async () => {
    const before = await open(1);
    before.done('a.png', lockEntry('a.png'));
    const log = await open(1);
    expect(() => before.done('b.png', lockEntry('b.png'))).toThrow('another imggen batch works on');
    await log.close();
    expect(await keys()).toEqual(['a.png']);
  });

  test('is left to a process of another container until a minute without a heartbeat', async () => {
    const [here, there] = [1, 2].map((space) => ({ ...machine(1), name: `build-1 pid:[${space}]` }));
    await LockLog.open(lock, there!);
    for (const pid of [1, 2])
      await expect(LockLog.open(lock, { ...here!, pid })).rejects.toThrow(
        `another imggen batch works on ${lock} (process 1 on build-1)`,
      );
    const seen = Date.now() / 1000 - 61;
    utimesSync(logPathOf(lock), seen, seen);
    await (await LockLog.open(lock, here!)).close();
  });

  test('that cannot be written is an error, and nothing is left', async () => {
    await expect(open(1, join(place, 'none', 'x.lock.json'))).rejects.toMatchObject({ code: 'output', exit: 8 });
    expect(names()).toEqual([]);
  });
});

test('a view writes nothing, and works where nothing may be written', async () => {
  await write(lock, { 'a.png': {} });
  const log = await open();
  await log.begun('b.png', 'f', 'r');
  log.done('c.png', lockEntry('c.png'));
  chmodSync(place, 0o555);
  const times = () => names().map((name) => [name, statSync(join(place, name)).mtimeMs]);
  const before = times();
  expect(runWorker(worker, ['view', lock], user)).toEqual({
    exit: 0,
    said: [
      {
        entries: { 'a.png': lockEntry('a.png'), 'c.png': lockEntry('c.png') },
        pending: { 'b.png': [{ fingerprint: 'f', run: 'r' }] },
      },
    ],
  });
  expect(times()).toEqual(before);
  const message = expect.stringContaining('cannot write');
  expect(runWorker(worker, ['hold', join(place, 'x.lock.json')], user)).toMatchObject({
    exit: 8,
    said: [{ error: { code: 'output', message } }],
  });
  chmodSync(place, 0o755);
  await log.close();
});

describe('the parts of shards', () => {
  test('lie beside the lock file', () => {
    expect([lock, logPathOf(lock), part(1, 4), logPathOf(part(1, 4))].map((path) => basename(path))).toEqual([
      'images.yaml.lock.json',
      'images.yaml.lock.jsonl',
      'images.yaml.lock.1-of-4.json',
      'images.yaml.lock.1-of-4.jsonl',
    ]);
    const others = ['images.yaml.lock.x.json', 'images.yml.lock.1-of-2.json'].map((name) => join(place, name));
    for (const path of [part(2), `${part(1)}l`, `${part(2)}l`, `${lock}l`, ...others]) writeFileSync(path, '');
    expect(partsBeside(lock)).toEqual([part(1), part(2)]);
    expect(partsBeside(join(place, 'none', 'x.lock.json'))).toEqual([]);
  });

  test('are read over the main lock file and written alone', async () => {
    await write(lock, { 'a.png': { generated: later }, 'b.png': { generated: earlier } });
    await write(part(1), { 'a.png': { generated: earlier, run: 'old' }, 'b.png': { generated: later, run: 'new' } });
    const main = text();
    const shard = await openPart(1);
    expect(runs(shard.entries)).toEqual({ 'a.png': lockEntry('').run, 'b.png': 'new' });
    shard.done('c.png', lockEntry('c.png', { missing: 1, shortAnswers: 1 }));
    shard.dropped('a.png');
    expect([...shard.entries.keys()].sort()).toEqual(['b.png', 'c.png']);
    await shard.close();
    expect(text()).toBe(main);
    expect(await keys(part(1))).toEqual(['b.png', 'c.png']);
    const { entries } = await viewLock(part(1), { base: lock });
    expect([...entries.keys()].sort()).toEqual(['a.png', 'b.png', 'c.png']);
    await mergeLocks(lock, [part(1)], machine());
    expect((await readLock(lock)).get('c.png')).toMatchObject({ missing: 1, shortAnswers: 1 });
  });

  test('exist also when a shard had nothing to do', async () => {
    for (const index of [1, 2]) await (await openPart(index)).close();
    expect(names()).toEqual([basename(part(1)), basename(part(2))]);
    expect(await mergeLocks(lock, [part(1), part(2)], machine())).toBe(0);
  });

  test('are taken up by a run of the whole file: the latest entry of each job, of the same time that of the main file', async () => {
    await write(lock, { 'a.png': { run: 'main', generated: later } });
    await write(part(1), { 'a.png': { run: 'part', generated: later }, 'b.png': { run: 'one', generated: earlier } });
    await write(part(2), { 'b.png': { run: 'two', generated: later } });
    const killed = await openPart(2, 9);
    killed.done('c.png', lockEntry('c.png'));
    await killed.begun('d.png', 'f', 'r-c');
    await killed.begun('d.png', 'f', 'r-d');
    alive.clear();
    const view = await viewLock(lock);
    expect(runs(view.entries)).toEqual({ 'a.png': 'main', 'b.png': 'two', 'c.png': lockEntry('').run });
    const unfinished = ['r-c', 'r-d'].map((run) => ({ fingerprint: 'f', run }));
    expect(view.pending).toEqual(new Map([['d.png', unfinished]]));
    await (await open()).close();
    // What is pending stays where it was noted.
    expect(existsSync(logPathOf(lock))).toBe(false);
    const log = await open();
    expect([...log.pending.keys()]).toEqual(['d.png']);
    log.done('d.png', lockEntry('d.png', { run: 'r-d' }));
    await log.close();
    expect(await keys()).toEqual(['a.png', 'b.png', 'c.png', 'd.png']);
    // The part's log still has the run as begun; the entry tells that it is done.
    expect((await viewLock(lock)).pending.size).toBe(0);
  });

  test('do not bring a dropped job back', async () => {
    await write(lock, { 'a.png': {} });
    await write(part(1), { 'a.png': {}, 'b.png': {} });
    await write(part(2), { 'c.png': {} });
    const untouched = statSync(part(2)).mtimeMs;
    const log = await open();
    log.dropped('a.png');
    await log.close();
    expect([...(await viewLock(lock)).entries.keys()].sort()).toEqual(['b.png', 'c.png']);
    expect(await keys(part(1))).toEqual(['b.png']);
    expect(statSync(part(2)).mtimeMs).toBe(untouched);
  });

  test('are not worked on at the same time as the whole file', async () => {
    const shards = [await openPart(1, 1), await openPart(2, 2)];
    await expect(open(3)).rejects.toThrow(`works on ${part(1)} (process 1 on`);
    for (const shard of shards) await shard.close();
    const log = await open(3);
    await expect(openPart(1)).rejects.toThrow(`works on ${lock} (process 3 on`);
    await log.close();
    await (await openPart(1)).close();
  });

  test('are joined, with their logs, and all or none', async () => {
    await write(lock, { 'a.png': { generated: earlier } });
    await write(part(1), { 'a.png': { generated: later, run: 'new' }, 'x.png': {} });
    const killed = await openPart(2, 9);
    killed.done('b.png', lockEntry('b.png'));
    await killed.begun('c.png', 'f', 'r-c');
    const before = text();
    const join3 = () => mergeLocks(lock, [part(1), part(2), part(3)], machine());
    await expect(join3()).rejects.toMatchObject({ code: 'config', message: `there is no lock part ${part(3)}` });
    writeFileSync(part(3), '{');
    await expect(join3()).rejects.toMatchObject({ code: 'config', message: `${part(3)}:1: a broken lock file` });
    expect(text()).toBe(before);
    expect(existsSync(logPathOf(lock))).toBe(false);
    rmSync(part(3));
    expect(await mergeLocks(lock, [part(1), part(2)], machine())).toBe(3);
    expect(runs(await readLock(lock))).toEqual({
      'a.png': 'new',
      'b.png': lockEntry('').run,
      'x.png': lockEntry('').run,
    });
    const { pending } = await viewLock(lock, { parts: [] });
    expect(pending).toEqual(new Map([['c.png', [{ fingerprint: 'f', run: 'r-c' }]]]));
    const time = statSync(lock).mtimeMs;
    expect(await mergeLocks(lock, [part(2), part(1)], machine())).toBe(0);
    expect(statSync(lock).mtimeMs).toBe(time);
  });

  test('leave a run that began later than their entry unfinished', async () => {
    const log = await open();
    await log.begun('a.png', 'f', 'r9');
    await log.close();
    await write(part(1), { 'a.png': { run: 'r5' } });
    expect(await mergeLocks(lock, [part(1)], machine())).toBe(1);
    expect((await viewLock(lock, { parts: [] })).pending.get('a.png')).toEqual([{ fingerprint: 'f', run: 'r9' }]);
  });
});

describe('processes', () => {
  test('that are killed lose nothing, wherever they are', { timeout: 240_000 }, async () => {
    const [count, batch] = [300, 10];
    const begun = new Set<string>();
    const done = new Set<string>();
    for (let round = 0; round < 16; round += 1) {
      const from = String(Math.min(done.size, count));
      // Each round ends after another number of lines, at first after none.
      const { over } = startWorker(worker, ['jobs', lock, from, String(count), String(batch)], (lines, child) => {
        if (lines > (round * 7) % 23) child.kill('SIGKILL');
      });
      for (const event of await over) {
        expect(event.error).toBeUndefined();
        if (event.begun) begun.add(event.begun);
        if (event.done) done.add(event.done);
      }
      const { entries, pending } = await viewLock(lock);
      for (const key of done) expect(entries.get(key)?.originals[0]?.path).toBe(key);
      for (const key of begun) expect(entries.has(key) || pending.has(key)).toBe(true);
    }
    expect(runWorker(worker, ['jobs', lock, '0', String(count), String(count)]).said.at(-1)).toEqual({ end: true });
    await (await open()).close();
    expect(names()).toEqual([basename(lock)]);
    expect((await readLock(lock)).size).toBe(count);
  });

  test('of several at once one has the lock file, and each adds its own', { timeout: 120_000 }, async () => {
    const workers = ['a', 'b', 'c', 'd'].map((name) => startWorker(worker, ['turns', lock, name, '15']));
    for (const { over } of workers) expect(await over).toEqual([{ end: true }]);
    expect(names()).toEqual([basename(lock)]);
    expect((await readLock(lock)).size).toBe(60);
  });
});
