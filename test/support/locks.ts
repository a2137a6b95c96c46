import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { ordered } from '../../src/batch/lock/entry.ts';
import { textOf } from '../../src/batch/lock/file.ts';
import type { LockEntry } from '../../src/batch/lock/types.ts';
import { anyText } from './properties.ts';

/** A directory of this process. */
export const top = mkdtempSync(join(tmpdir(), 'imggen-locks-'));
// Test files of one process share this module, so that no one of them may remove the directory.
process.once('exit', () => rmSync(top, { recursive: true, force: true }));

export const lockPath = join(top, 'x.lock.json');

/** Makes the directory empty again. */
export function empty(): void {
  for (const name of readdirSync(top)) rmSync(join(top, name));
}

const file = fc.record({ path: anyText.map((name) => `${name}.png`), sha256: fc.string(), bytes: fc.nat() });
const count = fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined });
export const entry = fc.record({
  fingerprint: fc.string(),
  processing: fc.option(fc.string()),
  originals: fc.array(file, { maxLength: 2 }),
  outputs: fc.array(file, { maxLength: 2 }),
  run: fc.constantFrom('r1', 'r2', 'r3'),
  model: anyText,
  request_id: fc.option(anyText),
  task_id: fc.option(fc.string()),
  usage: fc.option(fc.dictionary(fc.string(), fc.nat(), { maxKeys: 3 })),
  generated: fc.constantFrom('2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.001Z', '2026-02-01T00:00:00.000Z'),
  missing: count,
  shortAnswers: count,
}) as fc.Arbitrary<LockEntry>;
export const few = fc.constantFrom('a', 'b', 'c', 'd', 'e');
export const jobs = fc.dictionary(few, entry, { maxKeys: 5 });

export function save(path: string, contents: Record<string, LockEntry>): void {
  writeFileSync(path, textOf(new Map(Object.entries(contents))));
}

/** Jobs as a test compares them. */
export function plain(jobs: Iterable<[string, LockEntry]>): Map<string, LockEntry> {
  return new Map([...jobs].map(([key, job]) => [key, ordered(job)]));
}
