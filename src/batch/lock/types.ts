import type { Usage } from '../../dialects/types.ts';
import type { OwnerEntry } from '../../files/owner.ts';

/** A file that a job made, as it was when it was made. */
export interface LockedFile {
  /** Relative to the directory of the batch file, with `/`. */
  path: string;
  /** Of its bytes, in hex. */
  sha256: string;
  bytes: number;
}

/** What is known of a job that is done. */
export interface LockEntry {
  /** sha256 (hex) of what determines the images. */
  fingerprint: string;
  /** sha256 (hex) of what was made of them; null when nothing was. */
  processing: string | null;
  /** The images as they came; those that were not kept are not listed. */
  originals: LockedFile[];
  outputs: LockedFile[];
  run: string;
  model: string;
  request_id: string | null;
  task_id: string | null;
  usage: Usage | null;
  /** ISO 8601, as toISOString() has it: of two entries of a job the later counts. */
  generated: string;
  /** Present where the images are placeholders of the sandbox, which nobody paid for. */
  sandbox?: true;
}

/** The jobs of a lock file, by their keys. */
export interface LockDocument extends Iterable<[key: string, entry: LockEntry]> {
  readonly size: number;
  has(key: string): boolean;
  get(key: string): LockEntry | undefined;
  keys(): IterableIterator<string>;
}

/** A job that was sent, and of which nobody noted that it is done. */
export interface Begun {
  fingerprint: string;
  run: string;
}

/** What a lock file, its log and those that are read with it tell together. */
export interface LockView {
  readonly entries: LockDocument;
  /** By key. */
  readonly pending: ReadonlyMap<string, Begun>;
}

/** One of several machines that share the jobs of a file. */
export interface Shard {
  /** From 1 to count. */
  index: number;
  count: number;
}

/** One line of a lock file's log. */
export type LockLine =
  | OwnerEntry
  /** A job is about to be sent. */
  | ({ type: 'begun'; key: string } & Begun)
  | { type: 'done'; key: string; entry: LockEntry }
  /** The job is gone from the batch file, and so are its files. */
  | { type: 'dropped'; key: string }
  /** There is nothing left to finish in the run that was begun. */
  | { type: 'given-up'; key: string };
