/** A format that imggen knows by its bytes; the first three are those that can be asked for. */
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
  /** Of what was made from another image: where that one stays; null when it does not. */
  original?: string | null;
}
