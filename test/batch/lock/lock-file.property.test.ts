import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { readLock, textOf } from '../../../src/batch/lock/file.ts';
import { entry, jobs, lockPath, plain, save } from '../../support/locks.ts';
import { anyText, property } from '../../support/properties.ts';

describe('a lock file', () => {
  property(
    'is read as it was written, and written again has the same bytes',
    fc.asyncProperty(fc.array(fc.tuple(anyText, entry), { maxLength: 6 }), async (contents) => {
      const lock = new Map(contents);
      const text = textOf(lock);
      writeFileSync(lockPath, text);
      const again = await readLock(lockPath);
      expect(plain(again)).toEqual(plain(lock));
      expect(textOf(again)).toBe(text);
    }),
  );

  property(
    'that was cut off is refused',
    fc.asyncProperty(jobs, fc.nat(), async (contents, cut) => {
      save(lockPath, contents);
      const bytes = readFileSync(lockPath);
      writeFileSync(lockPath, bytes.subarray(0, cut % (bytes.length - 1)));
      await expect(readLock(lockPath)).rejects.toMatchObject({ code: 'config' });
    }),
  );
});
