import type { Machine } from '../files/owner.ts';

/** A secret that can stand in for itself in what is shown. */
export interface Redactable {
  reveal(): string;
  toString(): string;
}

/** stdout or stderr. */
export interface Output {
  readonly isTTY: boolean;
  /** Undefined where it is no terminal. */
  readonly columns: number | undefined;
  /** Node's stream for it, for packages that want one. */
  readonly stream: NodeJS.WriteStream;
  /** `done` hears of an error, nobody else. */
  write(chunk: string | Uint8Array, done?: (error?: Error | null) => void): void;
}

/** The world around the program, passed in so that a test can be it. Nothing else touches `process`. */
export interface Host {
  env: Readonly<Record<string, string | undefined>>;
  platform: string;
  home: string;
  machine: Machine;
  /** What must not be shown, as far as it is known by now. */
  secrets: Redactable[];
  stdin: NodeJS.ReadStream;
  stdout: Output;
  stderr: Output;
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
