import { isObject } from '../../json.ts';
import type { LockEntry, LockedFile } from './types.ts';

/** The extensions of image files: those that imggen gives, and other spellings that it keeps. */
const imageName = /\.(png|jpe?g|webp|gif|avif)$/i;

/** An entry with its members in the order in which a lock file has them. */
export function ordered(entry: LockEntry): LockEntry {
  const { fingerprint, processing, originals, outputs, run, model, request_id, task_id, usage, generated } = entry;
  const { surplus, missing, shortAnswers, sandbox } = entry;
  return {
    fingerprint,
    processing,
    originals: originals.map(orderedFile),
    outputs: outputs.map(orderedFile),
    ...(surplus?.length && { surplus: surplus.map(orderedFile) }),
    run,
    model,
    request_id,
    task_id,
    usage: usage === null ? null : Object.fromEntries(Object.entries(usage).sort(([a], [b]) => (a < b ? -1 : 1))),
    generated,
    ...(missing && { missing }),
    ...(shortAnswers && { shortAnswers }),
    ...(sandbox && { sandbox }),
  };
}

/** Whether an entry replaces the known one: it is later; of the same time, always the same one of two wins. */
export function isNews(entry: LockEntry, known: LockEntry | undefined): boolean {
  if (known === undefined || entry.generated > known.generated) return true;
  return entry.generated === known.generated && JSON.stringify(ordered(entry)) > JSON.stringify(ordered(known));
}

/**
 * Whether a value is a whole entry. Additions of a later version do no harm. A file that is no image is refused: a lock
 * file that somebody edited must not make imggen remove or replace anything but images.
 */
export function isEntry(value: unknown): value is LockEntry {
  if (!isObject(value)) return false;
  const texts = [value.fingerprint, value.run, value.model, value.generated];
  const textsOrNull = [value.processing, value.request_id, value.task_id];
  return (
    texts.every((text) => typeof text === 'string') &&
    textsOrNull.every((text) => text === null || typeof text === 'string') &&
    (value.usage === null ||
      (isObject(value.usage) && Object.values(value.usage).every((count) => typeof count === 'number'))) &&
    [value.missing, value.shortAnswers].every((count) => count === undefined || isCount(count)) &&
    [value.originals, value.outputs, value.surplus ?? []].every((files) => Array.isArray(files) && files.every(isFile))
  );
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function isFile(value: unknown): value is LockedFile {
  return (
    isObject(value) &&
    typeof value.path === 'string' &&
    imageName.test(value.path) &&
    typeof value.sha256 === 'string' &&
    typeof value.bytes === 'number'
  );
}

function orderedFile({ path, sha256, bytes }: LockedFile): LockedFile {
  return { path, sha256, bytes };
}
