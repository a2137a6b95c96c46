/** How an image is brought to a size that has other proportions. */
export type Fit = 'cover' | 'contain' | 'inside';

/** A format that an image can be converted to. */
export type ConvertFormat = 'webp' | 'avif' | 'jpeg' | 'png';

/** Width and height in pixels, from 1; null for the side that follows from the other one. At least one is given. */
export interface Dimensions {
  width: number | null;
  height: number | null;
}

/** What is done to an original: one result. */
export interface Edit {
  resize: Dimensions | null;
  /** `inside`: within the size, never enlarged. `cover`: the size exactly, cut off. `contain`: the size exactly, padded. */
  fit: Fit;
  /** Null keeps the format of the original. */
  convert: ConvertFormat | null;
  /** From 1 to 100; null for the format's own default. It has no meaning for png. */
  quality: number | null;
}
