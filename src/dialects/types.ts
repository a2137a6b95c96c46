import type { StoredPart } from '../images/types.ts';

/** Stands in a document where the text of an image stood: its bytes came before the document. */
export class InlineImage {
  /** The image, whole and stored; or why it is none. */
  readonly outcome: { stored: StoredPart } | { reason: string };
  constructor(outcome: InlineImage['outcome']) {
    this.outcome = outcome;
  }
}

/** A decoded JSON value. */
export type Document = string | number | boolean | null | InlineImage | Document[] | { [key: string]: Document };

/** Where an image of a reply is: behind a URL, in the answer itself, or nowhere. */
export type ImageSource =
  | { kind: 'url'; url: string }
  /** `url`: fallback if the inline bytes are not an image. */
  | { kind: 'inline'; image: InlineImage; url?: string }
  /** The answer has something else in the place of an image. */
  | { kind: 'none'; reason: string };

/** The numbers of the `usage` object, as the API names them. */
export type Usage = Readonly<Record<string, number>>;

/** What an answer of any shape says. */
export interface Reply {
  images: ImageSource[];
  /** Images that are not final. */
  previews: InlineImage[];
  /** What is odd about the answer. */
  warnings: string[];
  usage: Usage | null;
  /** When the URLs stop working: ISO 8601, or as the server wrote it when that is not understood. */
  expires: string | null;
  taskId: string | null;
  taskStatus: string | null;
  requestId: string | null;
  /** True when there are no images yet, but the task is not over. */
  pending: boolean;
}
