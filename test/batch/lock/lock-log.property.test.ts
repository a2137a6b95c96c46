import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { isNews } from '../../../src/batch/lock/entry.ts';
import { readLock, textOf } from '../../../src/batch/lock/file.ts';
import { LockLog } from '../../../src/batch/lock/log.ts';
import { mergeLocks } from '../../../src/batch/lock/merge.ts';
import { logPathOf } from '../../../src/batch/lock/paths.ts';
import type { Begun, JobLine, LockEntry, LockView } from '../../../src/batch/lock/types.ts';
import { viewLock } from '../../../src/batch/lock/view.ts';
import { processOf } from '../../support/lock.ts';
import { empty, entry, few, jobs, lockPath, plain, save, top } from '../../support/locks.ts';
import { property } from '../../support/properties.ts';

const line: fc.Arbitrary<JobLine> = fc.oneof(
  fc.record({
    type: fc.constant('begun' as const),
    key: few,
    fingerprint: fc.string(),
    run: fc.constantFrom('r1', 'r2', 'r3'),
  }),
  fc.record({ type: fc.constant('done' as const), key: few, entry }),
  fc.record({ type: fc.constant('dropped' as const), key: few }),
  fc.record({ type: fc.constant('given-up' as const), key: few }),
);

/** A simple model of the lock file. */
class Model {
  readonly entries = new Map<string, LockEntry>();
  readonly pending = new Map<string, Begun[]>();

  apply(each: JobLine): void {
    const runs = this.pending.get(each.key) ?? [];
    if (each.type === 'begun') {
      const { fingerprint, run } = each;
      this.pending.set(each.key, [...runs.filter((other) => other.run !== run), { fingerprint, run }]);
    }
    if (each.type === 'done') this.entries.set(each.key, each.entry);
    if (each.type === 'dropped') this.entries.delete(each.key);
    if (each.type === 'given-up') this.pending.set(each.key, runs.slice(0, -1));
    if (each.type === 'done' || this.pending.get(each.key)?.length === 0) this.pending.delete(each.key);
  }

  expectIn({ entries, pending }: LockView): void {
    expect(plain(entries)).toEqual(plain(this.entries));
    expect(new Map(pending)).toEqual(this.pending);
  }
}

describe('the log', () => {
  /** An end of the process: by itself, killed after a line, in the middle of one, or before the log is removed. */
  const ends = ['close', 'kill', 'cut', 'unremoved'] as const;
  /** What lies between the lines of a log: those of later versions, and broken ones. */
  const noise = ['', '{', 'null', '[1]', '{"type":"later"}', '{"type":"done","key":"0"}', '{"type":"begun","key":1}'];
  const step = fc.oneof(
    { weight: 4, arbitrary: line },
    fc.constantFrom(...ends),
    fc.constantFrom(...noise).map((text) => ({ text })),
  );
  property(
    'loses nothing, wherever its process ends',
    fc.asyncProperty(jobs, fc.array(step, { maxLength: 25 }), async (before, steps) => {
      empty();
      save(lockPath, before);
      const logPath = logPathOf(lockPath);
      const model = new Model();
      for (const [key, job] of Object.entries(before)) model.entries.set(key, job);
      const alive = new Set<number>();
      let log = await LockLog.open(lockPath, processOf(alive, 0));
      for (const [position, each] of [...steps, 'close' as const].entries()) {
        if (typeof each === 'object' && 'text' in each) {
          writeFileSync(logPath, `${each.text}\n`, { flag: 'a' });
          continue;
        }
        if (typeof each === 'object') {
          model.apply(each);
          if (each.type === 'begun') await log.begun(each.key, each.fingerprint, each.run);
          else if (each.type === 'done') log.done(each.key, each.entry);
          else if (each.type === 'dropped') log.dropped(each.key);
          else log.givenUp(each.key);
          model.expectIn(log);
          continue;
        }
        // A process that is killed leaves its files as they are at that moment.
        copyFileSync(logPath, join(top, 'log'));
        copyFileSync(lockPath, join(top, 'lock'));
        await log.close();
        if (each === 'close') expect(existsSync(logPath)).toBe(model.pending.size > 0);
        else copyFileSync(join(top, 'log'), logPath);
        if (each === 'kill' || each === 'cut') copyFileSync(join(top, 'lock'), lockPath);
        if (each === 'cut') writeFileSync(logPath, '{"type":"done","key":"a","en', { flag: 'a' });
        alive.clear();
        model.expectIn(await viewLock(lockPath));
        log = await LockLog.open(lockPath, processOf(alive, position + 1));
        model.expectIn(log);
      }
      await log.close();
      expect(plain(await readLock(lockPath))).toEqual(plain(model.entries));
    }),
    0.5,
  );
});

describe('joining the parts of shards', () => {
  let targets = 0;
  const machine = processOf(new Set(), 1);
  const path = (name: string) => join(top, `${name}.json`);
  const text = (target: string) => (existsSync(target) ? readFileSync(target, 'utf8') : '');
  const joined = async (...parts: string[]): Promise<string> => {
    const target = path(`target-${(targets += 1)}`);
    await mergeLocks(target, parts, machine);
    return target;
  };

  property(
    'gives the latest entry of each job, in any order and any groups, and a second time',
    fc.asyncProperty(jobs, jobs, jobs, fc.array(fc.tuple(few, entry), { maxLength: 3 }), async (a, b, c, logged) => {
      empty();
      for (const [name, contents] of Object.entries({ a, b, c })) save(path(name), contents);
      const lines = logged.map(([key, job]): JobLine => ({ type: 'done', key, entry: job }));
      writeFileSync(logPathOf(path('c')), lines.map((each) => `${JSON.stringify(each)}\n`).join(''));
      const [x, y, z] = [path('a'), path('b'), path('c')];
      const target = await joined(x, y, z);
      const all = text(target);
      expect(text(await joined(z, y, x))).toBe(all);
      expect(text(await joined(y, x, z, x))).toBe(all);

      const xy = await joined(x, y);
      const yz = await joined(y, z);
      if (existsSync(xy)) expect(text(await joined(xy, z))).toBe(all);
      if (existsSync(yz)) expect(text(await joined(x, yz))).toBe(all);

      expect(await mergeLocks(target, [z, x, y], machine)).toBe(0);
      expect(text(target)).toBe(all);
      const latest = new Map<string, LockEntry>();
      for (const part of [a, b, { ...c, ...Object.fromEntries(logged) }])
        for (const [key, job] of Object.entries(part)) if (isNews(job, latest.get(key))) latest.set(key, job);
      expect(all).toBe(latest.size === 0 ? '' : textOf(latest));
    }),
    0.2,
  );
});
