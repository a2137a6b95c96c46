import type { Edit } from '../renditions/types.ts';
import type { Owner, OwnerEntry } from '../files/owner.ts';
import type { Naming } from '../files/types.ts';
import type { ImageFacts } from '../images/types.ts';
import type { Json } from '../request/types.ts';
import type { Usage } from '../dialects/types.ts';

/** Where an image of an answer is: behind a URL, or in a part file. */
export type JournalSource = { url: string } | { part: string };

/** What a run was asked for, written before anything is sent. */
export interface Asked {
  type: 'asked';
  version: 1;
  run: string;
  /** ISO 8601. */
  at: string;
  owner: Owner;
  baseUrl: string;
  model: string;
  prompt: string;
  /** The request's other fields, under the API's names. */
  params: Record<string, Json>;
  /** How many images were asked for. */
  n: number;
  /** The format that was asked for. */
  format: string;
  /** Where the files go; null for stdout. Paths are absolute. */
  naming: Naming | null;
  sidecar: boolean;
  /** What is made from each image; absent when they are saved as they come. */
  edit?: Edit;
  /** Whether the images stay beside what is made from them; without `edit` it says nothing. */
  keepOriginal?: boolean;
  /** Whether the images are placeholders, which nobody paid for. */
  sandbox: boolean;
}

/** What the API answered, written before any download. A later one, of a task, replaces an earlier one. */
export interface Answered {
  type: 'answered';
  /** In the order of the answer; index 1 is the first. */
  sources: (JournalSource | null)[];
  usage: Usage | null;
  expires: string | null;
  taskId: string | null;
  taskStatus: string | null;
  requestId: string | null;
  pending: boolean;
}

/** One line of a run's file. */
export type Entry =
  | Asked
  | Answered
  | OwnerEntry
  /** The bytes of an image are whole and on the disk, under a part file's name. */
  | { type: 'stored'; index: number; part: string; facts: ImageFacts }
  | { type: 'saved'; index: number; path: string; facts: ImageFacts }
  /** What was asked to be made from an image is saved. `original` is where the image stays; null when it does not. */
  | { type: 'made'; index: number; path: string; facts: ImageFacts; original: string | null }
  /** Nothing can be made from an image, which is saved. */
  | { type: 'unmade'; index: number; reason: string }
  /** An image cannot be had any more. */
  | { type: 'lost'; index: number; reason: string }
  /** The generation surely did not happen. */
  | { type: 'failed'; code: string; message: string; requestId: string | null }
  /** Nobody can say whether the generation happened. */
  | { type: 'unknown'; code: string; message: string; requestId: string | null }
  /** A JSON document of the API in which no image was found. */
  | { type: 'document'; text: string };

/** What became of a run: all saved; some of it not; surely not generated; perhaps generated. */
export type Outcome = 'saved' | 'incomplete' | 'failed' | 'unknown';

export interface RunImage {
  /** From 1. */
  index: number;
  source: JournalSource | null;
  stored: { part: string; facts: ImageFacts } | null;
  saved: { path: string; facts: ImageFacts } | null;
  /** What was made from it, and where the image itself stays. */
  made: { path: string; facts: ImageFacts; original: string | null } | null;
  /** Why nothing can be made from it. */
  unmade: string | null;
  /** Why it cannot be had any more. */
  lost: string | null;
}

/** A run as its file tells it. */
export interface Run {
  asked: Asked;
  answered: Answered | null;
  images: RunImage[];
  /** Who works on it, or worked on it when it died; null when the last owner released it. */
  owner: Owner | null;
  problem: { state: 'failed' | 'unknown'; code: string; message: string; requestId: string | null } | null;
  /** What the API said, where no image was found in it. */
  documents: string[];
  /** What the entries say, whether or not the owner still lives. */
  outcome: Outcome;
}
