import type { Machine } from '../files/owner.ts';
import type { Redactor } from './redactor.ts';

/** The world around the program, passed in so that a test can be it. Nothing else touches `process`. */
export interface Host {
  env: Readonly<Record<string, string | undefined>>;
  platform: string;
  /** An absolute path; empty where there is none. */
  home: string;
  machine: Machine;
  /** The secrets of this process. */
  redactor: Redactor;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** Aborted by SIGINT and SIGTERM; its reason is the ImggenError that the run ends with. */
  signal: AbortSignal;
}

/** What is shown while a run is under way. */
export interface Progress {
  /** A step has begun: `waiting for gpt-image-1.5`. Its elapsed time is shown beside it. */
  step(text: string): void;
  /** How far the step is: `2 of 4 files, 1.3 MB`. */
  detail(text: string): void;
  /** No more steps; the line is gone. */
  stop(): void;
}
