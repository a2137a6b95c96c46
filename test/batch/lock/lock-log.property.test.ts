import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { compactEntry } from '../../../src/batch/lock/entry.ts';
import { readLock } from '../../../src/batch/lock/file.ts';
import { applyLine, newFold } from '../../../src/batch/lock/fold.ts';
import { LockLog } from '../../../src/batch/lock/log.ts';
import { logPathOf } from '../../../src/batch/lock/paths.ts';
import type { LockEntry, LockLine } from '../../../src/batch/lock/types.ts';
import { mergeLocks } from '../../../src/batch/lock/merge.ts';
import { processOf } from '../../support/lock.ts';
import { empty, entry, few, foundBy, jobs, lockPath, save, top } from '../../support/locks.ts';
import { property } from '../../support/properties.ts';

const line = (key: fc.Arbitrary<string>): fc.Arbitrary<LockLine> =>
  fc.oneof(
    fc.record({
      type: fc.constant('begun' as const),
      key,
      fingerprint: fc.string(),
      run: fc.constantFrom('r1', 'r2', 'r3'),
    }),
    fc.record({ type: fc.constant('done' as const), key, entry }),
    fc.record({ type: fc.constant('dropped' as const), key }),
    fc.record({ type: fc.constant('given-up' as const), key }),
  );

/** The jobs as a plain reading of the lines has them. */
class Model {
  readonly entries = new Map<string, LockEntry>();
  readonly pending = new Map<string, { fingerprint: string; run: string }>();

  apply(entry: LockLine): void {
    if (entry.type === 'begun') this.pending.set(entry.key, { fingerprint: entry.fingerprint, run: entry.run });
    if (entry.type === 'done') this.entries.set(entry.key, entry.entry);
    if (entry.type === 'dropped') this.entries.delete(entry.key);
    if (entry.type === 'done' || entry.type === 'given-up') this.pending.delete(entry.key);
  }

  expectIn({ entries, pending }: Pick<LockLog, 'entries' | 'pending'>): void {
    expect(foundBy(() => entries)).toEqual(foundBy(() => this.entries));
    expect(new Map(pending)).toEqual(this.pending);
  }
}

describe('the log', () => {
  property(
    'tells the same of each job, however the lines of others and broken ones come between',
    fc.property(
      fc.array(fc.array(line(fc.constant('')), { maxLength: 6 }), { maxLength: 4 }),
      fc.infiniteStream(fc.nat()),
      fc.infiniteStream(
        fc.option(
          fc.constantFrom(
            '',
            '{',
            'null',
            '{"type":"later"}',
            '{"type":"done","key":"0"}',
            '[1]',
            '{"type":"begun","key":1}',
          ),
        ),
      ),
      (sequences, choices, noise) => {
        const mixed = newFold();
        const left = sequences.map((lines, key) => lines.map((each) => ({ ...each, key: String(key) })));
        const models = left.map((lines) => {
          const model = new Model();
          for (const each of lines) model.apply(each);
          return model;
        });
        for (;;) {
          const open = left.filter((lines) => lines.length > 0);
          if (open.length === 0) break;
          const text = noise.next().value;
          if (typeof text === 'string') applyLine(mixed, text);
          const next = open[(choices.next().value ?? 0) % open.length]?.shift();
          applyLine(mixed, JSON.stringify(next));
        }
        for (const [key, model] of models.entries()) {
          const text = mixed.changes.get(String(key));
          const known = model.entries.get(String(key));
          expect(text ?? undefined).toBe(known && compactEntry(known));
          expect(mixed.begun.get(String(key))).toEqual(model.pending.get(String(key)));
        }
      },
    ),
  );

  /** Whether the process ends, and how: by itself, or killed after a line, in the middle of one, or before the log is removed. */
  const step = fc.oneof(
    { weight: 4, arbitrary: line(few) },
    fc.constantFrom('close' as const, 'kill' as const, 'cut' as const, 'unremoved' as const),
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
      let log = LockLog.open(lockPath, processOf(alive, 0));
      for (const [position, each] of [...steps, 'close' as const].entries()) {
        if (typeof each === 'object') {
          model.apply(each);
          if (each.type === 'begun') await log.begun(each.key, each.fingerprint, each.run);
          else if (each.type === 'done') log.done(each.key, each.entry);
          else if (each.type === 'dropped') log.dropped(each.key);
          else if (each.type === 'given-up') log.givenUp(each.key);
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
        model.expectIn(LockLog.view(lockPath));
        log = LockLog.open(lockPath, processOf(alive, position + 1));
        model.expectIn(log);
      }
      await log.close();
      expect(foundBy(() => readLock(lockPath))).toEqual(foundBy(() => model.entries));
    }),
    0.5,
  );
});

describe('joining the parts of shards', () => {
  let targets = 0;
  const machine = processOf(new Set(), 1);
  const path = (name: string) => join(top, `${name}.json`);
  const fresh = () => path(`target-${(targets += 1)}`);
  const joined = async (...parts: string[]): Promise<string> => {
    const target = fresh();
    await mergeLocks(target, parts, machine);
    return target;
  };
  const text = (target: string) => (existsSync(target) ? readFileSync(target, 'utf8') : '');

  property(
    'gives the same in any order and any groups, and a second time',
    fc.asyncProperty(jobs, jobs, jobs, fc.array(fc.tuple(few, entry), { maxLength: 3 }), async (a, b, c, logged) => {
      empty();
      for (const [name, contents] of Object.entries({ a, b, c })) save(path(name), contents);
      const lines = logged.map(([key, job]): LockLine => ({ type: 'done', key, entry: job }));
      writeFileSync(logPathOf(path('c')), lines.map((each) => `${JSON.stringify(each)}\n`).join(''));
      const [x, y, z] = [path('a'), path('b'), path('c')];
      const target = await joined(x, y, z);
      const all = text(target);
      for (const parts of [
        [z, y, x],
        [y, x, z, x],
      ])
        expect(text(await joined(...parts))).toBe(all);

      const xy = await joined(x, y);
      const yz = await joined(y, z);
      if (existsSync(xy)) expect(text(await joined(xy, z))).toBe(all);
      if (existsSync(yz)) expect(text(await joined(x, yz))).toBe(all);

      expect(await mergeLocks(target, [z, x, y], machine)).toBe(0);
      expect(text(target)).toBe(all);
      expect(foundBy(() => readLock(target))).toEqual(
        foundBy(() => latest([a, b, { ...c, ...Object.fromEntries(logged) }])),
      );
    }),
    0.2,
  );

  /** What the parts say, the latest of each job. */
  function latest(parts: readonly Record<string, LockEntry>[]): Map<string, LockEntry> {
    const found = new Map<string, LockEntry>();
    for (const [key, job] of parts.flatMap((part) => Object.entries(part))) {
      const known = found.get(key);
      const isLater =
        !known ||
        job.generated > known.generated ||
        (job.generated === known.generated && compactEntry(job) > compactEntry(known));
      if (isLater) found.set(key, job);
    }
    return found;
  }
});
