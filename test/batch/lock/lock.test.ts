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
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ImggenError } from '../../../src/errors.ts';
import { readLock } from '../../../src/batch/lock/file.ts';
import { LockLog } from '../../../src/batch/lock/log.ts';
import { lockPathOf, logPathOf, partPathOf, partsBeside } from '../../../src/batch/lock/paths.ts';
import type { LockEntry } from '../../../src/batch/lock/types.ts';
import { mergeLocks } from '../../../src/batch/lock/merge.ts';
import { bundleWorker, directory, lockEntry, processOf, runWorker, startWorker } from '../../support/lock.ts';
import { until } from '../../support/puppet.ts';
import type { Machine } from '../../../src/files/owner.ts';

/** Not root, for whom no permission is refused. */
const somebody = process.getuid?.() === 0 ? 65_534 : undefined;
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
  place = directory();
  lock = lockPathOf(join(place, 'images.yaml'));
});

/** A process of its own, which lives until `alive` loses its number. */
const machine = (pid = 1) => processOf(alive, pid);

/** Writes a lock file as a run does, with a log of its own. */
async function write(path: string, jobs: Record<string, Partial<LockEntry>>): Promise<void> {
  const log = LockLog.open(path, machine(), { alone: true });
  for (const [key, changes] of Object.entries(jobs)) log.done(key, lockEntry(key, changes));
  await log.close();
}

function refused(act: () => unknown): ImggenError {
  try {
    act();
  } catch (error) {
    if (error instanceof ImggenError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

const logLines = (path = lock) =>
  readFileSync(logPathOf(path), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string });
const names = () => readdirSync(place).sort();

describe('the lock file', () => {
  test('has a job a block, in the order of their keys, and ends with a line', async () => {
    await write(lock, {
      'b.png': { usage: { total_tokens: 7, input_tokens: 3 }, processing: 'p' },
      'a/Z.png': { originals: [], usage: null, request_id: null },
      'a/é.png': {},
    });
    expect(readFileSync(lock, 'utf8')).toMatchInlineSnapshot(`
      "{
        "version": 1,
        "jobs": {
          "a/Z.png": {
            "fingerprint": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "processing": null,
            "originals": [],
            "outputs": [],
            "run": "20260101T120000-aaaaaaaa",
            "model": "gpt-image-1",
            "request_id": null,
            "task_id": null,
            "usage": null,
            "generated": "2026-01-01T12:00:00.000Z"
          },
          "a/é.png": {
            "fingerprint": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "processing": null,
            "originals": [
              {
                "path": "a/é.png",
                "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "bytes": 1234
              }
            ],
            "outputs": [],
            "run": "20260101T120000-aaaaaaaa",
            "model": "gpt-image-1",
            "request_id": "req_1",
            "task_id": null,
            "usage": {
              "total_tokens": 7
            },
            "generated": "2026-01-01T12:00:00.000Z"
          },
          "b.png": {
            "fingerprint": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "processing": "p",
            "originals": [
              {
                "path": "b.png",
                "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "bytes": 1234
              }
            ],
            "outputs": [],
            "run": "20260101T120000-aaaaaaaa",
            "model": "gpt-image-1",
            "request_id": "req_1",
            "task_id": null,
            "usage": {
              "input_tokens": 3,
              "total_tokens": 7
            },
            "generated": "2026-01-01T12:00:00.000Z"
          }
        }
      }
      "
    `);
    expect(names()).toEqual([basename(lock)]);
  });

  test('that is not there has no jobs, and none is made for nothing', async () => {
    expect(readLock(lock).size).toBe(0);
    await LockLog.open(lock, machine()).close();
    expect(names()).toEqual([]);
  });

  test.each([
    ['by another program', (text: string) => JSON.stringify(JSON.parse(text), null, 4)],
    ['in one line', (text: string) => JSON.stringify(JSON.parse(text))],
    ['with tabs', (text: string) => JSON.stringify(JSON.parse(text), null, '\t')],
    ['with the line ends of Windows', (text: string) => `\uFEFF${text.replaceAll('\n', '\r\n')}`],
    [
      'in another order',
      (text: string) => JSON.stringify({ jobs: (JSON.parse(text) as { jobs: unknown }).jobs, version: 1 }, null, 2),
    ],
  ])('is read when it was formatted %s, and left as it is', async (_how, format) => {
    await write(lock, { __proto__: {}, 'b.png': {}, '7': {}, 'a "b" \\ \n\ud800.png': {} });
    const before = Object.fromEntries(readLock(lock));
    writeFileSync(lock, format(readFileSync(lock, 'utf8')));
    expect(Object.fromEntries(readLock(lock))).toEqual(before);
    const text = readFileSync(lock, 'utf8');
    await LockLog.open(lock, machine()).close();
    expect(readFileSync(lock, 'utf8')).toBe(text);
  });

  test('keeps its bytes and its time when nothing changed', async () => {
    await write(lock, { 'a.png': {}, 'b.png': {} });
    utimesSync(lock, 1e9, 1e9);
    const before = statSync(lock, { bigint: true });
    const log = LockLog.open(lock, machine());
    await log.begun('a.png', 'f', 'r');
    log.done('a.png', lockEntry('a.png'));
    await log.close();
    expect(statSync(lock, { bigint: true })).toMatchObject({ ino: before.ino, mtimeNs: before.mtimeNs });
    expect(names()).toEqual([basename(lock)]);
  });

  test('that another program wrote during a run is joined with what the run did', async () => {
    await write(lock, { 'a.png': {}, 'b.png': {} });
    const log = LockLog.open(lock, machine());
    log.done('c.png', lockEntry('c.png'));
    log.dropped('b.png');
    const pulled = JSON.parse(readFileSync(lock, 'utf8')) as { jobs: Record<string, LockEntry> };
    pulled.jobs['d.png'] = lockEntry('d.png');
    writeFileSync(lock, JSON.stringify(pulled));
    await log.close();
    expect([...readLock(lock).keys()]).toEqual(['a.png', 'c.png', 'd.png']);

    const next = LockLog.open(lock, machine());
    next.done('e.png', lockEntry('e.png'));
    const text = readFileSync(lock, 'utf8');
    writeFileSync(lock, '<<<<<<< HEAD\n');
    await expect(next.close()).rejects.toMatchObject({
      code: 'config',
      message: `${lock}:1: an unresolved merge conflict`,
    });
    writeFileSync(lock, text);
    await LockLog.open(lock, machine()).close();
    expect([...readLock(lock).keys()]).toEqual(['a.png', 'c.png', 'd.png', 'e.png']);
  });

  test('whose last job was dropped is still a lock file', async () => {
    await write(lock, { 'a.png': {} });
    const log = LockLog.open(lock, machine());
    log.dropped('a.png');
    await log.close();
    expect(readFileSync(lock, 'utf8')).toBe('{\n  "version": 1,\n  "jobs": {}\n}\n');
  });

  test.each<[string, (text: string) => string, string, string?]>([
    [
      'a merge that nobody resolved',
      (text) => text.replace('    "b.png"', '<<<<<<< HEAD\n=======\n>>>>>>> other\n    "b.png"'),
      ':24: an unresolved merge conflict',
    ],
    ['a missing comma', (text) => text.replace('},\n    "b', '}\n    "b'), ':24: a broken lock file', 'Expected'],
    ['a comma too many', (text) => text.replace(/\}\n {2}\}\n\}\n$/, '},\n  }\n}\n'), ':44: a broken lock file'],
    [
      'a word that is none',
      (text) => text.replace('"processing": null', '"processing": nul'),
      ':6: a broken lock file',
    ],
    ['no end', (text) => text.slice(0, 700), ':25: a broken lock file'],
    ['nothing', () => '', ':1: a broken lock file'],
    ['zeros', () => '\0\0\0', ':1: a broken lock file'],
    ['another kind of file', () => '[]', ': a broken lock file', 'it has no "jobs"'],
    [
      'a job that is none',
      (text) => text.replace('"run":', '"ran":'),
      ': a broken lock file',
      'what it says of "a.png" is not a job\'s entry',
    ],
    [
      'a later version',
      (text) => text.replace('"version": 1', '"version": 2'),
      ' is of version 2, and this imggen knows only 1',
    ],
  ])('with %s is refused', async (_what, damage, message, cause = '') => {
    await write(lock, { 'a.png': {}, 'b.png': {} });
    const damaged = damage(readFileSync(lock, 'utf8'));
    writeFileSync(lock, damaged);
    for (const act of [() => readLock(lock), () => LockLog.view(lock), () => LockLog.open(lock, machine())]) {
      const error = refused(act);
      expect(error.message).toBe(`${lock}${message}`);
      expect(error).toMatchObject({ code: 'config', exit: 2, hint: expect.any(String) });
      expect(error.reason ?? '').toContain(cause);
    }
    expect(readFileSync(lock, 'utf8')).toBe(damaged);
    expect(names()).toEqual([basename(lock)]);
  });

  test('takes less than a kilobyte of memory a job', async () => {
    const log = LockLog.open(lock, machine());
    for (let k = 0; k < 10_000; k += 1) {
      const path = `assets/some-directory/image-${k}.png`;
      log.done(
        path,
        lockEntry(path, {
          processing: 'p'.repeat(64),
          outputs: [{ path: `${path}.webp`, sha256: 'b'.repeat(64), bytes: 999 }],
        }),
      );
    }
    await log.close();
    const { said } = runWorker(worker, ['memory', lock], { flags: ['--expose-gc'] });
    expect(said[0]).toMatchObject({ size: 10_000 });
    expect(said[0]!.bytes).toBeLessThan(1000);
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
  const letters = (text: string) =>
    Object.fromEntries([...text].map((letter) => [`${letter}.png`, { run: `run-${letter}` }]));

  test('merges what two branches add, change and drop in different places', async () => {
    git('init', '-qb', 'main');
    await commit(letters('bdfhjlnprtvx'));
    git('checkout', '-qb', 'other');
    const log = LockLog.open(lock, machine());
    log.dropped('n.png');
    await log.close();
    await commit({ ...letters('aei'), 'r.png': { run: 'new' } });
    git('checkout', '-q', 'main');
    await commit({ ...letters('cgz'), 'l.png': { run: 'new' } });
    git('merge', '-q', 'other', '-m', 'x');
    const merged = readLock(lock);
    expect([...merged.keys()].join('').replaceAll('.png', '')).toBe('abcdefghijlprtvxz');
    expect([merged.get('r.png')?.run, merged.get('l.png')?.run]).toEqual(['new', 'new']);
    const text = readFileSync(lock, 'utf8');
    rmSync(lock);
    await write(lock, Object.fromEntries(merged));
    expect(readFileSync(lock, 'utf8')).toBe(text);
  });

  test('leaves a conflict where both add in one place, and that is told', async () => {
    git('init', '-qb', 'main');
    await commit(letters('az'));
    git('checkout', '-qb', 'other');
    await commit(letters('m'));
    git('checkout', '-q', 'main');
    await commit(letters('n'));
    expect(() => git('merge', '-q', 'other', '-m', 'x')).toThrow();
    expect(refused(() => readLock(lock))).toMatchObject({
      message: expect.stringMatching(/:\d+: an unresolved merge conflict$/),
    });
  });
});

describe('the log', () => {
  test('has a line for each thing that happens, and is gone at the end', async () => {
    const log = LockLog.open(lock, machine());
    await log.begun('a.png', 'f1', 'r1');
    expect(log.pending).toEqual(new Map([['a.png', { fingerprint: 'f1', run: 'r1' }]]));
    log.done('a.png', lockEntry('a.png'));
    await log.begun('b.png', 'f2', 'r2');
    log.givenUp('b.png');
    log.dropped('a.png');
    log.done('c.png', lockEntry('c.png'));
    expect(logLines().map(({ type }) => type)).toEqual([
      'claimed',
      'begun',
      'done',
      'begun',
      'given-up',
      'dropped',
      'done',
    ]);
    expect(log.pending.size).toBe(0);
    expect([...log.entries]).toEqual([['c.png', lockEntry('c.png')]]);
    expect(existsSync(lock)).toBe(false);
    await log.close();
    expect(names()).toEqual([basename(lock)]);
    expect([...readLock(lock).keys()]).toEqual(['c.png']);
    await log.close();
  });

  test('keeps what is pending, and only that, for whoever comes next', async () => {
    const log = LockLog.open(lock, machine());
    await Promise.all(['a.png', 'b.png', 'c.png'].map((key) => log.begun(key, `f of ${key}`, 'r1')));
    log.done('a.png', lockEntry('a.png'));
    await log.close();
    expect(logLines()).toEqual(
      ['b.png', 'c.png'].map((key) => ({ type: 'begun', key, fingerprint: `f of ${key}`, run: 'r1' })),
    );

    const next = LockLog.open(lock, machine(2));
    expect([...next.pending.keys()]).toEqual(['b.png', 'c.png']);
    expect([...next.entries.keys()]).toEqual(['a.png']);
    next.done('b.png', lockEntry('b.png', { run: 'r1' }));
    next.givenUp('c.png');
    await next.close();
    expect(names()).toEqual([basename(lock)]);
  });

  test('is for one process at a time', async () => {
    const log = LockLog.open(lock, machine(1));
    const error = refused(() => LockLog.open(lock, machine(2)));
    expect(error).toMatchObject({ code: 'output', exit: 8, hint: expect.stringContaining('--shard') });
    expect(error.message).toMatch(/^another imggen batch works on .*images\.yaml\.lock\.json \(process 1 on .+\)$/);
    log.done('a.png', lockEntry('a.png'));
    await log.close();
    await LockLog.open(lock, machine(2)).close();
  });

  test('is taken over from a process that is gone, without its leavings', async () => {
    const { child, over } = startWorker(worker, ['hold', lock]);
    await until(() => existsSync(logPathOf(lock)) && logLines().length === 2);
    expect(
      refused(() => LockLog.open(lock, { ...machine(), isRunning: (pid) => pid === child.pid })).message,
    ).toContain(`process ${child.pid} on`);
    const { owner } = logLines()[0] as unknown as { owner: { token: string } };
    for (const path of [lock, logPathOf(lock)])
      writeFileSync(join(place, `.${basename(path)}.${owner.token}.tmp`), 'half');
    child.kill('SIGKILL');
    await over;
    const log = LockLog.open(lock, machine());
    expect(log.pending).toEqual(new Map([['held.png', { fingerprint: 'f', run: 'run-held' }]]));
    expect(names()).toEqual([basename(logPathOf(lock))]);
    log.givenUp('held.png');
    await log.close();
    expect(names()).toEqual([]);
  });

  test('that was taken over during a long sleep is left alone', async () => {
    const sleeper = LockLog.open(lock, machine(1));
    sleeper.done('a.png', lockEntry('a.png'));
    utimesSync(logPathOf(lock), new Date(), new Date(Date.now() - 61_000));
    const other = LockLog.open(lock, machine(2));
    await expect(sleeper.begun('b.png', 'f', 'r')).rejects.toThrow(/^another imggen batch works on .*process 2 on/);
    other.done('b.png', lockEntry('b.png'));
    await other.close();
    expect(refused(() => sleeper.done('c.png', lockEntry('c.png')))).toMatchObject({
      code: 'output',
      message: expect.stringContaining('was removed'),
    });
    await expect(sleeper.close()).rejects.toThrow('was removed');
    expect([...readLock(lock).keys()]).toEqual(['a.png', 'b.png']);
    expect(names()).toEqual([basename(lock)]);
  });

  test('goes on after a line of another process, or a piece of a line', async () => {
    const log = LockLog.open(lock, machine());
    log.done('a.png', lockEntry('a.png'));
    appendFileSync(
      logPathOf(lock),
      `${JSON.stringify({ type: 'claimed', owner: { host: 'h', pid: 3, token: 'x' }, from: 'nobody' })}\n{"type":"do`,
    );
    log.done('b.png', lockEntry('b.png'));
    expect(log.entries.get('b.png')).toEqual(lockEntry('b.png'));
    await log.close();
    expect([...readLock(lock).keys()]).toEqual(['a.png', 'b.png']);
  });

  test('is read when its last line is cut off', async () => {
    const log = LockLog.open(lock, machine(1));
    log.done('a.png', lockEntry('a.png'));
    log.done('b.png', lockEntry('b.png'));
    const text = readFileSync(logPathOf(lock));
    alive.delete(1);
    const start = text.lastIndexOf('{"type":"done"');
    for (let end = start; end < text.length; end += 40) {
      writeFileSync(logPathOf(lock), text.subarray(0, end));
      const next = LockLog.open(lock, machine(2));
      expect([...next.entries.keys()]).toEqual(['a.png']);
      next.done('c.png', lockEntry('c.png'));
      await next.close();
      expect([...readLock(lock).keys()]).toEqual(['a.png', 'c.png']);
      rmSync(lock);
    }
  });

  test('may begin with a line that is cut off', async () => {
    await LockLog.open(lock, machine(1)).begun('a.png', 'f', 'r');
    const [first = ''] = readFileSync(logPathOf(lock), 'utf8').split('\n');
    alive.delete(1);
    for (const cut of [...Array.from(first, (_, end) => first.slice(0, end)), '\0'.repeat(512)]) {
      writeFileSync(logPathOf(lock), cut);
      const killed = LockLog.open(lock, machine(2));
      killed.done('a.png', lockEntry('a.png'));
      alive.delete(2);
      expect([...LockLog.view(lock).entries.keys()]).toEqual(['a.png']);
      await LockLog.open(lock, machine(3)).close();
      expect([...readLock(lock).keys()]).toEqual(['a.png']);
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
  ])('is no file of somebody else: %j', async (text) => {
    await write(lock, { 'a.png': {} });
    writeFileSync(logPathOf(lock), text);
    for (const act of [
      () => LockLog.open(lock, machine()),
      () => LockLog.view(lock),
      () => LockLog.view(partPathOf(lock, { index: 1, count: 2 }), { base: lock }),
    ]) {
      expect(refused(act)).toMatchObject({
        code: 'usage',
        exit: 2,
        message: `${logPathOf(lock)} is no log of a lock file, and would be taken for one`,
        hint: expect.stringContaining('--lock'),
      });
    }
    await expect(mergeLocks(join(place, 'x.json'), [lock], machine())).rejects.toMatchObject({ code: 'usage' });
    expect(readFileSync(logPathOf(lock), 'utf8')).toBe(text);
    expect(names()).toEqual([basename(lock), basename(logPathOf(lock))]);
  });

  test('is taken over at once from a process of before that had the same number', async () => {
    const before = LockLog.open(lock, machine(1));
    before.done('a.png', lockEntry('a.png'));
    const log = LockLog.open(lock, machine(1));
    expect(() => before.done('b.png', lockEntry('b.png'))).toThrow('another imggen batch works on');
    await log.close();
    expect([...readLock(lock).keys()]).toEqual(['a.png']);
  });

  test('is left to a process of another container, until it shows nothing for a minute', async () => {
    const [here, there] = ['pid:[1]', 'pid:[2]'].map((space) => ({ ...machine(1), name: `build-1 ${space}` })) as [
      Machine,
      Machine,
    ];
    LockLog.open(lock, there);
    for (const pid of [1, 2])
      expect(refused(() => LockLog.open(lock, { ...here, pid })).message).toBe(
        `another imggen batch works on ${lock} (process 1 on build-1)`,
      );
    const seen = Date.now() / 1000 - 61;
    utimesSync(logPathOf(lock), seen, seen);
    await LockLog.open(lock, here).close();
  });

  test('that cannot be written is an error, and nothing is left', () => {
    expect(refused(() => LockLog.open(join(place, 'none', 'x.lock.json'), machine()))).toMatchObject({
      code: 'output',
      exit: 8,
    });
    expect(names()).toEqual([]);
  });

  test('of a million lines is read in a few seconds', { timeout: 120_000 }, () => {
    const lines = [];
    for (let k = 0; k < 1_000_000; k += 1) {
      const key = `image-${k % 5000}.png`;
      if (k % 10 === 0)
        lines.push(JSON.stringify({ type: 'done', key, entry: lockEntry(key, { request_id: `req_${k}` }) }));
      else lines.push(`{"type":"begun","key":"other-${k % 100}.png","fingerprint":"f","run":"run-${k}"}`);
    }
    writeFileSync(logPathOf(lock), lines.join('\n'));
    const start = performance.now();
    const { entries, pending } = LockLog.view(lock);
    expect(performance.now() - start).toBeLessThan(20_000);
    expect([entries.size, pending.size]).toEqual([500, 90]);
    expect(entries.get('image-4990.png')?.request_id).toBe('req_999990');
  });
});

describe('a view', () => {
  test('writes nothing, and works where nothing may be written', async () => {
    await write(lock, { 'a.png': {} });
    const log = LockLog.open(lock, machine());
    await log.begun('b.png', 'f', 'r');
    log.done('c.png', lockEntry('c.png'));
    chmodSync(place, 0o555);
    const before = names().map((name) => [name, statSync(join(place, name)).mtimeMs]);
    const { exit, said } = runWorker(worker, ['view', lock], somebody === undefined ? {} : { uid: somebody });
    expect([exit, said]).toEqual([
      0,
      [
        {
          entries: { 'a.png': lockEntry('a.png'), 'c.png': lockEntry('c.png') },
          pending: { 'b.png': { fingerprint: 'f', run: 'r' } },
        },
      ],
    ]);
    expect(names().map((name) => [name, statSync(join(place, name)).mtimeMs])).toEqual(before);
    const refusedWorker = runWorker(
      worker,
      ['hold', join(place, 'x.lock.json')],
      somebody === undefined ? {} : { uid: somebody },
    );
    expect(refusedWorker).toMatchObject({
      exit: 8,
      said: [{ error: { code: 'output', message: expect.stringContaining('cannot write') } }],
    });
    chmodSync(place, 0o755);
    await log.close();
  });
});

describe('the parts of shards', () => {
  const part = (index: number, count = 2) => partPathOf(lock, { index, count });

  test('lie beside the lock file', async () => {
    expect([lock, logPathOf(lock), part(1, 4), logPathOf(part(1, 4))].map((path) => basename(path))).toEqual([
      'images.yaml.lock.json',
      'images.yaml.lock.jsonl',
      'images.yaml.lock.1-of-4.json',
      'images.yaml.lock.1-of-4.jsonl',
    ]);
    for (const name of [
      part(2),
      `${part(1)}l`,
      `${part(2)}l`,
      `${lock}l`,
      join(place, 'images.yaml.lock.x.json'),
      join(place, 'images.yml.lock.1-of-2.json'),
    ])
      writeFileSync(name, '');
    expect(partsBeside(lock)).toEqual([part(1), part(2)]);
    expect(partsBeside(join(place, 'none', 'x.lock.json'))).toEqual([]);
  });

  test('are read over the main lock file and written alone', async () => {
    await write(lock, { 'a.png': { generated: later }, 'b.png': { generated: earlier } });
    await write(part(1), { 'a.png': { generated: earlier, run: 'old' }, 'b.png': { generated: later, run: 'new' } });
    const main = readFileSync(lock, 'utf8');
    const shard = LockLog.open(part(1), machine(), { base: lock });
    expect(shard.entries.size).toBe(2);
    expect(shard.entries.get('a.png')).toMatchObject({ generated: later, run: lockEntry('').run });
    expect(shard.entries.get('b.png')).toMatchObject({ generated: later, run: 'new' });
    shard.done('c.png', lockEntry('c.png'));
    shard.dropped('a.png');
    expect([...shard.entries.keys()].sort()).toEqual(['b.png', 'c.png']);
    await shard.close();
    expect(readFileSync(lock, 'utf8')).toBe(main);
    expect([...readLock(part(1)).keys()]).toEqual(['b.png', 'c.png']);
    expect([...LockLog.view(part(1), { base: lock }).entries.keys()].sort()).toEqual(['a.png', 'b.png', 'c.png']);
  });

  test('exist also when a shard had nothing to do', async () => {
    await LockLog.open(part(1), machine(), { base: lock }).close();
    await LockLog.open(part(2), machine(), { base: lock }).close();
    expect(names()).toEqual([basename(part(1)), basename(part(2))]);
    expect(await mergeLocks(lock, [part(1), part(2)], machine())).toBe(0);
  });

  test('are taken up by a run of the whole file, the latest of each job', async () => {
    await write(lock, { 'a.png': { run: 'main', generated: later } });
    await write(part(1), { 'a.png': { run: 'part', generated: earlier }, 'b.png': { run: 'one', generated: earlier } });
    await write(part(2), { 'b.png': { run: 'two', generated: later } });
    alive.clear();
    const killed = LockLog.open(part(2), machine(9), { base: lock });
    killed.done('c.png', lockEntry('c.png'));
    await killed.begun('d.png', 'f', 'r-d');
    alive.clear();
    const expected = { 'a.png': 'main', 'b.png': 'two', 'c.png': lockEntry('').run };
    const view = LockLog.view(lock);
    expect(Object.fromEntries([...view.entries].map(([key, { run }]) => [key, run]))).toEqual(expected);
    expect(view.pending).toEqual(new Map([['d.png', { fingerprint: 'f', run: 'r-d' }]]));
    await LockLog.open(lock, machine()).close();
    // What is pending stays where it was noted.
    expect(existsSync(logPathOf(lock))).toBe(false);
    const log = LockLog.open(lock, machine());
    expect([...log.pending.keys()]).toEqual(['d.png']);
    log.done('d.png', lockEntry('d.png', { run: 'r-d' }));
    await log.close();
    expect([...readLock(lock).keys()]).toEqual(['a.png', 'b.png', 'c.png', 'd.png']);
    // The part's log still has the run as begun; the entry tells that it is done.
    expect(LockLog.view(lock).pending.size).toBe(0);
  });

  test('do not bring a dropped job back', async () => {
    await write(lock, { 'a.png': {} });
    await write(part(1), { 'a.png': {}, 'b.png': {} });
    await write(part(2), { 'c.png': {} });
    const untouched = statSync(part(2)).mtimeMs;
    const log = LockLog.open(lock, machine());
    log.dropped('a.png');
    await log.close();
    expect([...LockLog.view(lock).entries.keys()].sort()).toEqual(['b.png', 'c.png']);
    expect([...readLock(part(1)).keys()]).toEqual(['b.png']);
    expect(statSync(part(2)).mtimeMs).toBe(untouched);
  });

  test('are not worked on at the same time as the whole file', async () => {
    const shard = LockLog.open(part(1), machine(1), { base: lock });
    const second = LockLog.open(part(2), machine(2), { base: lock });
    expect(refused(() => LockLog.open(lock, machine(3))).message).toContain(`works on ${part(1)} (process 1 on`);
    await shard.close();
    await second.close();
    const log = LockLog.open(lock, machine(3));
    expect(refused(() => LockLog.open(part(1), machine(1), { base: lock })).message).toContain(
      `works on ${lock} (process 3 on`,
    );
    await log.close();
    await LockLog.open(part(1), machine(1), { base: lock }).close();
  });

  test('are joined, with their logs, and all or none', async () => {
    await write(lock, { 'a.png': { generated: earlier } });
    await write(part(1), { 'a.png': { generated: later, run: 'new' }, 'x.png': {} });
    const killed = LockLog.open(part(2), machine(9), { base: lock });
    killed.done('b.png', lockEntry('b.png'));
    await killed.begun('c.png', 'f', 'r-c');
    const before = readFileSync(lock, 'utf8');
    await expect(mergeLocks(lock, [part(1), part(2), part(3)], machine())).rejects.toMatchObject({
      code: 'config',
      exit: 2,
      message: `there is no lock part ${part(3)}`,
    });
    writeFileSync(part(3), '{');
    await expect(mergeLocks(lock, [part(1), part(2), part(3)], machine())).rejects.toMatchObject({
      code: 'config',
      message: `${part(3)}:1: a broken lock file`,
    });
    expect(readFileSync(lock, 'utf8')).toBe(before);
    expect(existsSync(logPathOf(lock))).toBe(false);
    rmSync(part(3));
    expect(await mergeLocks(lock, [part(1), part(2)], machine())).toBe(3);
    expect([...readLock(lock)].map(([key, { run }]) => [key, run === 'new'])).toEqual([
      ['a.png', true],
      ['b.png', false],
      ['x.png', false],
    ]);
    expect(LockLog.view(lock, { alone: true }).pending).toEqual(new Map([['c.png', { fingerprint: 'f', run: 'r-c' }]]));
    const time = statSync(lock).mtimeMs;
    expect(await mergeLocks(lock, [part(2), part(1)], machine())).toBe(0);
    expect(statSync(lock).mtimeMs).toBe(time);
  });
});

describe('processes', () => {
  test('that are killed at any time lose nothing', { timeout: 240_000 }, async () => {
    const [count, batch] = [600, 10];
    const begun = new Set<string>();
    const done = new Set<string>();
    for (let round = 0; round < 40; round += 1) {
      const from = String(Math.min(done.size, count));
      const { child, over, speaks } = startWorker(worker, ['jobs', lock, from, String(count), String(batch)]);
      // Some while they start, most at work.
      if (round % 4 > 0) await speaks;
      await setTimeout(Math.random() * 50);
      child.kill('SIGKILL');
      for (const event of await over) {
        expect(event.error).toBeUndefined();
        if (event.begun) begun.add(event.begun);
        if (event.done) done.add(event.done);
      }
      const { entries, pending } = LockLog.view(lock);
      for (const key of done) expect(entries.get(key)?.originals[0]?.path).toBe(key);
      for (const key of begun) expect(entries.has(key) || pending.has(key)).toBe(true);
    }
    expect(runWorker(worker, ['jobs', lock, '0', String(count), String(count)]).said.at(-1)).toEqual({ end: true });
    await LockLog.open(lock, machine()).close();
    expect(names()).toEqual([basename(lock)]);
    expect(readLock(lock).size).toBe(count);
  });

  test('of several at once one has the lock file, and each adds its own', { timeout: 120_000 }, async () => {
    const workers = ['a', 'b', 'c', 'd'].map((name) => startWorker(worker, ['turns', lock, name, '15']));
    for (const { over } of workers) expect(await over).toEqual([{ end: true }]);
    expect(names()).toEqual([basename(lock)]);
    expect(readLock(lock).size).toBe(60);
  });
});
