/** A format that imggen knows by its bytes. An API can be asked for the first three. */
export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'gif' | 'avif';

/** What the bytes of one image say about it. */
export interface ImageFacts {
  format: ImageFormat;
  /** In pixels; null when the bytes do not say. */
  width: number | null;
  height: number | null;
  bytes: number;
  /** Of the whole file, in hexadecimal. */
  sha256: string;
}

/** A whole image on the disk that has no final name yet. */
export interface StoredPart {
  part: string;
  facts: ImageFacts;
}

/** One image that is saved; `path` is `-` for stdout. */
export interface SavedImage extends ImageFacts {
  path: string;
  /** Of a rendition: the path of its original; null when that is not kept. */
  original?: string | null;
}
