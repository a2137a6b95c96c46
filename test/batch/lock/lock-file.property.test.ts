import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { compactEntry } from '../../../src/batch/lock/entry.ts';
import { readLock, writeLock } from '../../../src/batch/lock/file.ts';
import { parseLock } from '../../../src/batch/lock/parse.ts';
import { LockTexts } from '../../../src/batch/lock/texts.ts';
import type { LockEntry } from '../../../src/batch/lock/types.ts';
import { entry, foundBy, jobs, lockPath, save } from '../../support/locks.ts';
import { anyText, property } from '../../support/properties.ts';

function parsed(path: string): Map<string, LockEntry> {
  const found = new Map<string, LockEntry>();
  parseLock(path, (key, job) => found.set(key, job));
  return found;
}

describe('a lock file', () => {
  property(
    'is read as it was written, and the same again is the same bytes',
    fc.property(fc.array(fc.tuple(anyText, entry), { maxLength: 6 }), (contents) => {
      const lock = new LockTexts();
      for (const [key, job] of contents) lock.set(key, compactEntry(job));
      writeLock(lockPath, lock, `${lockPath}.tmp`);
      const text = readFileSync(lockPath, 'utf8');
      const again = readLock(lockPath);
      expect(foundBy(() => again)).toEqual(foundBy(() => lock));
      expect([...again.keys()]).toEqual([...lock.keys()].sort());
      writeLock(lockPath, again, `${lockPath}.tmp`);
      expect(readFileSync(lockPath, 'utf8')).toBe(text);
      expect(foundBy(() => parsed(lockPath))).toEqual(foundBy(() => lock));
    }),
  );

  const change = fc.oneof(
    fc.record({ how: fc.constantFrom('drop', 'twice', 'swap'), at: fc.nat(), text: fc.constant('') }),
    fc.record({
      how: fc.constantFrom('insert', 'replace'),
      at: fc.nat(),
      text: fc.constantFrom(
        '',
        ',',
        '    },',
        '    }',
        '  }',
        '}',
        '    "x": {',
        '{',
        '  "version": 1,',
        '  "jobs": {',
        '  "more": 1,',
        '=======',
        '      "outputs": [],',
      ),
    }),
  );
  property(
    'that somebody changed is read as JSON.parse reads it, or refused',
    fc.property(jobs, fc.array(change, { minLength: 1, maxLength: 3 }), (contents, changes) => {
      save(lockPath, contents);
      const lines = readFileSync(lockPath, 'utf8').split('\n');
      for (const { how, at, text } of changes) {
        const k = at % lines.length;
        const line = lines[k] ?? '';
        if (how === 'drop') lines.splice(k, 1);
        if (how === 'twice') lines.splice(k, 0, line);
        if (how === 'swap') lines.splice(k, 2, ...lines.slice(k, k + 2).reverse());
        if (how === 'insert') lines.splice(k, 0, text);
        if (how === 'replace') lines.splice(k, 1, text);
      }
      writeFileSync(lockPath, lines.join('\n'));
      expect(foundBy(() => readLock(lockPath))).toEqual(foundBy(() => parsed(lockPath)));
    }),
  );

  property(
    'that was cut off is refused',
    fc.property(jobs, fc.nat(), (contents, cut) => {
      save(lockPath, contents);
      const bytes = readFileSync(lockPath);
      writeFileSync(lockPath, bytes.subarray(0, cut % (bytes.length - 1)));
      expect(foundBy(() => readLock(lockPath))).toBeUndefined();
    }),
  );
});
