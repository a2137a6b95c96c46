import type { Machine } from '../files/owner.ts';
import type { Secret } from '../options/secret.ts';
import type { Progress } from '../terminal/types.ts';
import type { Http } from '../http/http.ts';
import type { Document } from '../dialects/types.ts';

/** What a run needs of the world. */
export interface Services {
  http: Http;
  progress: Progress;
  /** Throws ImggenError `no_api_key`. Asked for only where it is needed: a download never gets it. */
  apiKey: () => Promise<Secret>;
  /** The state directory: the journal, and bytes that have no other place. */
  state: string;
  machine: Machine;
  /** Takes secrets out of a text of the server. */
  redact: (text: string) => string;
  /** Writes to stdout; false when nobody reads it any more. */
  emit: (bytes: Uint8Array) => Promise<boolean>;
  /** Called with each JSON document of an answer, for --verbose. */
  onDocument: (document: Document) => void;
  onWarning: (text: string) => void;
  /** Called before a generation is sent again: why, and after how many milliseconds. */
  onRetry: (reason: string, waitMs: number) => void;
  /** Shared by the generations of a batch. */
  pace?: Pace | undefined;
  /** Whether a file name is kept for something else, though no file has it yet. */
  isTaken?: (path: string) => boolean;
  /** Aborted when the user interrupts. */
  signal: AbortSignal;
}

/** What the generations of one process share, so that an overloaded server gets fewer from all of them. */
export interface Pace {
  /** Awaited before each try of a generation, and before its timeout begins. What it throws ends the generation. */
  turn: () => Promise<void>;
  /** Called after each 429 and 503 with the wait of the retry rule, in milliseconds, also when no try is left. */
  hold: (waitMs: number) => void;
}
