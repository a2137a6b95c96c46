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
