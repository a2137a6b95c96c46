import type { RequestBody } from '../http/exchange.ts';
import type { ImageRequest, Json } from '../request/types.ts';

/** Stands in a decoded document where a long image text stood; its bytes came before the document. */
export class BlobRef {
  /** Counts the blobs of one answer from 0, in the order of their arrival. */
  readonly blob: number;
  constructor(blob: number) {
    this.blob = blob;
  }
}

/** A decoded JSON value in which image texts are BlobRefs. */
export type Document = string | number | boolean | null | BlobRef | Document[] | { [key: string]: Document };

/** Where an image of a reply is: behind a URL, or in the answer itself. */
export type ImageSource =
  | { kind: 'url'; url: string }
  /** `url`: where it is too, should the bytes in the answer be none. */
  | { kind: 'inline'; blob: number; url?: string };

/** The numbers of the `usage` object, as the API names them. */
export type Usage = Readonly<Record<string, number>>;

/** What an answer says, whatever its shape was. */
export interface Reply {
  images: ImageSource[];
  usage: Usage | null;
  /** When the URLs stop working: ISO 8601, or as the server wrote it when that is not understood. */
  expires: string | null;
  taskId: string | null;
  taskStatus: string | null;
  requestId: string | null;
  /** True when there are no images yet, but the task is not over. */
  pending: boolean;
}

/** A request as an API wants it, without the key. */
export interface EncodedRequest {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: RequestBody;
}

/** How one API is spoken. */
export interface Dialect {
  name: string;
  /** What the request says, under the API's own field names: for dry run, journal and fingerprint. */
  fields(request: ImageRequest): Record<string, Json>;
  /** @param baseUrl without a slash at its end */
  encode(request: ImageRequest, baseUrl: string): EncodedRequest;
}
