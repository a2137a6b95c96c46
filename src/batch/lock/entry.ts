import { isObject } from '../../json.ts';
import type { LockEntry, LockedFile } from './types.ts';

/** An entry as one line of JSON, its members always in the same order. */
export function compactEntry(entry: LockEntry): string {
  const { fingerprint, processing, originals, outputs, run, model, request_id, task_id, usage, generated, sandbox } =
    entry;
  return JSON.stringify({
    fingerprint,
    processing,
    originals: originals.map(compactFile),
    outputs: outputs.map(compactFile),
    run,
    model,
    request_id,
    task_id,
    usage: usage === null ? null : Object.fromEntries(Object.entries(usage).sort(([a], [b]) => (a < b ? -1 : 1))),
    generated,
    ...(sandbox && { sandbox }),
  });
}

/** The entry of a text that compactEntry made. */
export function entryOf(text: string): LockEntry {
  return JSON.parse(text) as LockEntry;
}

/**
 * Of two texts of one job's entry that of the later images; of two of one time always the same, whichever is first.
 */
export function laterOf(a: string, b: string): string {
  if (a === b) return a;
  const [before, after] = [entryOf(a).generated, entryOf(b).generated];
  if (before === after) return a > b ? a : b;
  return before > after ? a : b;
}

/** Whether a value is a whole entry; what a later version adds is no harm. */
export function isEntry(value: unknown): value is LockEntry {
  if (!isObject(value)) return false;
  const texts = [value.fingerprint, value.run, value.model, value.generated];
  const textsOrNull = [value.processing, value.request_id, value.task_id];
  return (
    texts.every((text) => typeof text === 'string') &&
    textsOrNull.every((text) => text === null || typeof text === 'string') &&
    (value.usage === null ||
      (isObject(value.usage) && Object.values(value.usage).every((count) => typeof count === 'number'))) &&
    [value.originals, value.outputs].every((files) => Array.isArray(files) && files.every(isFile))
  );
}

function isFile(value: unknown): value is LockedFile {
  return (
    isObject(value) &&
    typeof value.path === 'string' &&
    typeof value.sha256 === 'string' &&
    typeof value.bytes === 'number'
  );
}

function compactFile({ path, sha256, bytes }: LockedFile): LockedFile {
  return { path, sha256, bytes };
}
