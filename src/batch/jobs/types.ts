import type { RenditionSpec } from '../../renditions/spec.ts';
import type { Position } from '../file/types.ts';
import type { Resolved } from '../../options/resolve.ts';
import type { Plan } from '../../generate/plan.ts';

/** What is made of one original. */
export interface Output {
  /** Which original, from 0. */
  from: number;
  edit: RenditionSpec;
  /** As a process opens it. */
  path: string;
}

/** A declared job, checked: everything that doing it needs. Paths are as a process opens them. */
export interface BatchJob {
  /** Names the job in the lock file: its first output, relative to the batch file, with `/`. */
  key: string;
  at: Position;
  /** What a generation asks for; its id is good for one run. */
  plan: Plan;
  resolved: Resolved;
  /** How many images it asks for. */
  count: number;
  /** Where the images go as they come. */
  originals: readonly string[];
  outputs: readonly Output[];
  keepOriginal: boolean;
  /** Whether the outputs take the place of the originals: then these are kept under another name, and not told of. */
  hidesOriginal: boolean;
  /** Of the normalised request and its dialect: SHA-256, hexadecimal. */
  fingerprint: string;
  /** Of what is made of the originals; null when nothing is. */
  processing: string | null;
}

/** What has to be done for a job that is not up to date. */
type Work =
  /** A run that another process began may have what is missing. */
  | 'resume'
  | 'generate'
  /** The originals are there: nothing is sent. */
  | 'convert'
  /** The API has sent too few images often enough: the job fails, and nothing is sent. */
  | 'fail';

export interface Due {
  work: Work;
  why: string;
  /** The positions of the images that are to be generated, from 0; empty when nothing is to be paid for. */
  missing: readonly number[];
}

/** A job that is not up to date. */
export interface DueJob {
  job: BatchJob;
  due: Due;
}

/** Why a job that is not due is passed over. */
export const upToDate = 'up to date';

/** What becomes of a job, as `--json` tells it. */
export type BatchEvent =
  | { type: 'planned'; jobs: number; due: number; up_to_date: number; images: number }
  | { type: 'started'; job: string; why: string }
  | { type: 'retry'; job: string; reason: string; wait_ms: number }
  | {
      type: 'saved';
      job: string;
      paths: readonly string[];
      images: number;
      run: string;
      usage: Readonly<Record<string, number>> | null;
      elapsed_ms: number;
    }
  /** `paths` and `images`: what the job brought all the same. */
  | {
      type: 'failed';
      job: string;
      line: number;
      error: EventError;
      paths: readonly string[];
      images: number;
      elapsed_ms: number;
    }
  /** The user interrupted while the job was under way. */
  | { type: 'interrupted'; job: string; elapsed_ms: number }
  | { type: 'skipped'; job: string; why: string }
  | {
      type: 'summary';
      jobs: number;
      saved: number;
      failed: number;
      interrupted: number;
      skipped: number;
      images: number;
      usage: Readonly<Record<string, number>>;
      exit: number;
      elapsed_ms: number;
    };

/** The same fields as in the document of an error. */
export interface EventError {
  code: string;
  exit: number;
  message: string;
  cause: string | null;
  hint: string | null;
  request_id: string | null;
}
