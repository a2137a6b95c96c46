import type { Naming } from '../files/target.ts';
import type { Asked, Entry } from './types.ts';

// The first line of a run's file keeps the names that it had before renditions were called so: runs on users' disks have
// them, and an older version can still resume a run of this one.

type StoredNaming = Omit<Naming, 'renditions'> & { results?: Naming['renditions'] };
type StoredAsked = Omit<Asked, 'rendition' | 'naming'> & { edit?: Asked['rendition']; naming: StoredNaming | null };

/** An entry under the names of the file. */
export type StoredEntry = Exclude<Entry, Asked> | StoredAsked;

export function toStored(entry: Entry): StoredEntry {
  if (entry.type !== 'asked') return entry;
  const { rendition: edit, naming, ...asked } = entry;
  if (!naming) return { ...asked, edit, naming };
  const { renditions: results, ...others } = naming;
  return { ...asked, edit, naming: { ...others, results } };
}

export function fromStored(entry: StoredEntry): Entry {
  if (entry.type !== 'asked') return entry;
  const { edit, naming, ...asked } = entry;
  if (!naming) return { ...asked, ...(edit && { rendition: edit }), naming };
  const { results, ...others } = naming;
  return { ...asked, ...(edit && { rendition: edit }), naming: { ...others, ...(results && { renditions: results }) } };
}
