import type { RenditionSpec } from '../renditions/spec.ts';
import type { Owner, OwnerEntry } from '../files/owner.ts';
import type { Naming } from '../files/target.ts';
import type { ImageFacts } from '../images/types.ts';
import type { Json } from '../request/types.ts';
import type { Usage } from '../dialects/types.ts';

/** Where the bytes of an answered image are: behind a URL, or in a part file. */
export type JournalSource = { url: string } | { part: string };

/** What a run asks for, written before anything is sent. */
export interface Asked {
  readonly type: 'asked';
  readonly version: 1;
  readonly run: string;
  /** ISO 8601. */
  readonly at: string;
  readonly owner: Owner;
  readonly baseUrl: string;
  readonly model: string;
  readonly prompt: string;
  /** The request's other fields, under the API's names. */
  readonly params: Readonly<Record<string, Json>>;
  /** How many images it asks for. */
  readonly n: number;
  /** The format that it asks for. */
  readonly format: string;
  /** Where the files go; null for stdout. Paths are absolute. */
  readonly naming: Naming | null;
  readonly sidecar: boolean;
  /** What is made of each image; absent where they are saved as they come. */
  readonly rendition?: RenditionSpec;
  /** Whether the images stay beside their renditions; meaningless without `rendition`. */
  readonly keepOriginal?: boolean;
  /** Whether the images are placeholders, which nobody paid for. */
  readonly sandbox: boolean;
}

/** The API's answer, written before any download. That of a task replaces an earlier one. */
export interface Answered {
  readonly type: 'answered';
  /** In the order of the answer; index 1 is the first. */
  readonly sources: readonly (JournalSource | null)[];
  readonly usage: Usage | null;
  readonly expires: string | null;
  readonly taskId: string | null;
  readonly taskStatus: string | null;
  readonly requestId: string | null;
  readonly pending: boolean;
}

/** One line of a run's file. */
export type Entry =
  | Asked
  | Answered
  | OwnerEntry
  /** The bytes of an image are whole and on the disk, in a part file. */
  | { type: 'stored'; index: number; part: string; facts: ImageFacts }
  /** That part file is gone, and no file of its own name has its bytes. */
  | { type: 'unstored'; index: number }
  | { type: 'saved'; index: number; path: string; facts: ImageFacts }
  /** The result of an image is saved. `original` is where the image stays; null where it does not. */
  | { type: 'made'; index: number; path: string; facts: ImageFacts; original: string | null }
  /** No result can be made from a saved image. */
  | { type: 'unmade'; index: number; reason: string }
  /** An image is no longer available. */
  | { type: 'lost'; index: number; reason: string }
  /** The user asks to try lost and unmade images again. */
  | { type: 'retried' }
  /** The generation surely did not happen. */
  | { type: 'failed'; code: string; message: string; requestId: string | null }
  /** The generation may have happened. */
  | { type: 'unknown'; code: string; message: string; requestId: string | null }
  /** A JSON document of the API in which no image was found. */
  | { type: 'document'; text: string };

/** How a run ended: all saved; some not saved; surely not generated; perhaps generated. */
export type Outcome = 'saved' | 'incomplete' | 'failed' | 'unknown';

/** An image of a run. */
export interface RunImage {
  /** From 1. */
  readonly index: number;
  readonly source: JournalSource | null;
  readonly stored: { part: string; facts: ImageFacts } | null;
  readonly saved: { path: string; facts: ImageFacts } | null;
  /** Its result, and where the image itself stays. */
  readonly made: { path: string; facts: ImageFacts; original: string | null } | null;
  /** Why no result can be made from it. */
  readonly unmade: string | null;
  /** Why it is no longer available. */
  readonly lost: string | null;
}

/** A run as its file tells it. Only an entry changes it. */
export interface Run {
  readonly asked: Asked;
  readonly answered: Answered | null;
  readonly images: readonly RunImage[];
  /** The process that works on it, or died while it did; null once the last owner released it. */
  readonly owner: Owner | null;
  readonly problem: { state: 'failed' | 'unknown'; code: string; message: string; requestId: string | null } | null;
  /** Documents of the API in which no image was found. */
  readonly documents: readonly string[];
  /** By the entries alone, whether or not the owner still lives. */
  readonly outcome: Outcome;
}

type Open<T> = { -readonly [K in keyof T]: T[K] };

/** A run as the fold of its entries builds it; everybody else sees a `Run`. */
export interface OpenRun extends Open<Omit<Run, 'images' | 'documents'>> {
  images: Open<RunImage>[];
  documents: string[];
}
