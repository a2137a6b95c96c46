import type { Usage } from '../../dialects/types.ts';
import type { OwnerEntry } from '../../files/owner.ts';

/** An image file of a job, as it was made. */
export interface LockedFile {
  /** Relative to the directory of the batch file, with `/`. */
  path: string;
  /** Of its bytes, in hexadecimal. */
  sha256: string;
  bytes: number;
}

/** The images of a job. */
export interface LockEntry {
  /** SHA-256, in hexadecimal, of what determines the images. */
  fingerprint: string;
  /** SHA-256, in hexadecimal, of what is made from them; null when nothing is. */
  processing: string | null;
  /** The images as they came; those that are not kept are not listed. */
  originals: LockedFile[];
  outputs: LockedFile[];
  /** Images beyond those that the job declares, and their renditions: paid for, and not needed. */
  surplus?: LockedFile[];
  run: string;
  model: string;
  request_id: string | null;
  task_id: string | null;
  usage: Usage | null;
  /** ISO 8601, as toISOString() has it: of two entries of a job the later counts. */
  generated: string;
  /** How many of the images that the job asks for are not there, from 1; absent when all are. */
  missing?: number;
  /** How many answers in a row had fewer images than the job asked for, from 1; absent when the last one had all. */
  shortAnswers?: number;
  /** Present where the images are placeholders of the sandbox. */
  sandbox?: true;
}

/** A run that was begun for a job, and that no entry or `given-up` has ended. */
export interface Begun {
  fingerprint: string;
  run: string;
}

/** What a lock file, its log and the files that are read with it hold together. Both maps are by key. */
export interface LockView {
  readonly entries: ReadonlyMap<string, LockEntry>;
  /** The unfinished runs of each job, the oldest first, never empty. */
  readonly pending: ReadonlyMap<string, readonly Begun[]>;
}

/** One of several machines that share the jobs of a file. */
export interface Shard {
  /** From 1 to count. */
  index: number;
  count: number;
}

/** A line of a lock file's log that is about a job. */
export type JobLine =
  /** A run of the job is about to be sent. Earlier ones stay pending: what they saved is still the job's. */
  | ({ type: 'begun'; key: string } & Begun)
  | { type: 'done'; key: string; entry: LockEntry }
  /** The job is no longer in the batch file, and its files are removed. */
  | { type: 'dropped'; key: string }
  /** The latest run that was begun has nothing left to finish. */
  | { type: 'given-up'; key: string };

/** A line of a lock file's log. */
export type LockLine = OwnerEntry | JobLine;
