import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from '../../journal/types.ts';
import type { Begun, LockedFile, LockEntry } from '../lock/types.ts';
import type { BatchJob, Due } from './types.ts';

/** What is known of a job before it is looked at. */
export interface Known {
  entry: LockEntry | undefined;
  /** Its unfinished runs, the oldest first. */
  pending: readonly Begun[] | undefined;
  /** Those of them that are in the journal. */
  runs: () => readonly Run[];
}

export interface DueOptions {
  /** Of the batch file: what the lock's paths are relative to. */
  directory: string;
  /** Generate in any case. */
  force: boolean;
  /** Whether images of the sandbox will do. */
  sandbox: boolean;
}

/** What most jobs have, where there are many: one for all of them. */
const forced: Due = { work: 'generate', why: 'forced' };
const unknown: Due = { work: 'generate', why: 'new' };

/** Why a job is to be done, and what; undefined when it is up to date. Reads its files. */
export function dueOf(
  job: BatchJob,
  { entry, pending }: Pick<Known, 'entry' | 'pending'>,
  { directory, force, sandbox }: DueOptions,
): Due | undefined {
  if (force) return forced;
  // One of the same run as the entry is no generation: what is made of its images was being made anew.
  const latest = pending?.at(-1);
  if (latest?.fingerprint === job.fingerprint && latest.run !== entry?.run)
    return { work: 'resume', why: 'its run was not finished' };
  if (!entry) return unknown;
  if (entry.sandbox && !sandbox) return { work: 'generate', why: 'made by the sandbox' };
  if (entry.fingerprint !== job.fingerprint) return { work: 'generate', why: 'its request changed' };
  const original = firstDifference(entry.originals, directory);
  const why =
    entry.processing === job.processing ? firstDifference(entry.outputs, directory) : 'what is made of it changed';
  if (!why && !job.keepOriginal)
    return entry.originals.length === 0 ? undefined : { work: 'convert', why: 'its original was to be removed' };
  if (original) return { work: 'generate', why: original };
  if (!why) return undefined;
  return entry.originals.length > 0
    ? { work: 'convert', why }
    : { work: 'generate', why: `${why}, and its original was not kept` };
}

/** What is the matter with the first of a job's files that is not as the lock has it. */
export function firstDifference(files: readonly LockedFile[], directory: string): string | undefined {
  for (const file of files) {
    const state = stateOf(file, directory);
    if (state !== 'same') return state === 'missing' ? `${file.path} is missing` : `${file.path} was altered`;
  }
  return undefined;
}

/** Whether a file is as the lock has it. */
export function stateOf({ path, bytes, sha256 }: LockedFile, directory: string): 'same' | 'missing' | 'altered' {
  const full = join(directory, path);
  try {
    const size = statSync(full, { throwIfNoEntry: false })?.size;
    if (size === undefined) return 'missing';
    return size === bytes && hashOf(full) === sha256 ? 'same' : 'altered';
  } catch {
    // A directory, a link to itself, or what nobody may read.
    return 'altered';
  }
}

const chunk = Buffer.allocUnsafe(256 * 1024);

/** SHA-256 of a file, in hexadecimal. One after another: a disk is not faster with many. Throws what the file system throws. */
function hashOf(path: string): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    for (let length = 1; length > 0;) {
      length = readSync(file, chunk);
      hash.update(chunk.subarray(0, length));
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}
