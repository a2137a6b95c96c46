import { usageError } from '../errors.ts';

/** How an image is brought to a size that has other proportions. */
export type Fit = 'cover' | 'contain' | 'inside';

/** A format that an image can be converted to. */
export type ConvertFormat = 'webp' | 'avif' | 'jpeg' | 'png';

/** Width and height in pixels, from 1; null for the side that follows from the other one. At least one is given. */
interface Dimensions {
  width: number | null;
  height: number | null;
}

/** How a rendition is made from an image. */
export interface RenditionSpec {
  resize: Dimensions | null;
  /** `inside`: within the size, never enlarged. `cover`: the size exactly, cut off. `contain`: the size exactly, padded. */
  fit: Fit;
  /** Null keeps the format of the original. */
  convert: ConvertFormat | null;
  /** From 1 to 100; null for the format's own default. It has no meaning for png. */
  quality: number | null;
}

/** The settings that a rendition follows from. */
interface RenditionValues {
  /** `800x600`, `800x` or `x600`. */
  resize: string | undefined;
  fit: Fit;
  convert: ConvertFormat | undefined;
  convertQuality: number | undefined;
}

/** WebP has 14 bits for each side. */
const longestWebpSide = 16_383;

/** The rendition of each image that the settings ask for; null when the image is saved as it comes. */
export function renditionOf({ resize, fit, convert, convertQuality }: RenditionValues): RenditionSpec | null {
  if (resize === undefined && convert === undefined) return null;
  return {
    resize: resize === undefined ? null : dimensionsOf(resize),
    fit,
    convert: convert ?? null,
    // png has none; values that make no difference must have the same fingerprint.
    quality: convert === 'png' ? null : (convertQuality ?? null),
  };
}

/**
 * Throws ImggenError `usage` for a size that the rendition's format cannot have.
 *
 * @param format of the original, as it is expected
 */
export function checkRendition({ resize, fit, convert }: RenditionSpec, format: string): void {
  const sides = resize === null || fit === 'inside' ? [] : [resize.width ?? 0, resize.height ?? 0];
  if ((convert ?? format) !== 'webp' || Math.max(0, ...sides) <= longestWebpSide) return;
  const message = `webp has no sides of more than ${longestWebpSide} pixels`;
  throw usageError(message, 'choose a smaller size, or another format');
}

/** Reads `800x600`, a checked value. */
function dimensionsOf(size: string): Dimensions {
  const [width, height] = size.split('x').map((side) => (side === '' ? null : Number(side)));
  return { width: width ?? null, height: height ?? null };
}
