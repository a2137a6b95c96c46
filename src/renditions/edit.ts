import type { ConvertFormat, Dimensions, Edit, Fit } from './types.ts';
import { usageError } from '../errors.ts';

/** WebP has 14 bits for each side. */
const longestWebpSide = 16_383;

/** The settings that make up an edit. */
interface EditValues {
  /** `800x600`, `800x` or `x600`. */
  resize: string | undefined;
  fit: Fit;
  convert: ConvertFormat | undefined;
  convertQuality: number | undefined;
}

/** What the settings ask to be done to each image; null when it is saved as it comes. */
export function editOf({ resize, fit, convert, convertQuality }: EditValues): Edit | null {
  if (resize === undefined && convert === undefined) return null;
  return {
    resize: resize === undefined ? null : dimensionsOf(resize),
    fit,
    convert: convert ?? null,
    // png has none; a fingerprint must not tell apart what makes no difference.
    quality: convert === 'png' ? null : (convertQuality ?? null),
  };
}

/**
 * Throws ImggenError `usage` for a size that the result's format cannot have.
 *
 * @param format of the original, as it is expected
 */
export function checkEdit({ resize, fit, convert }: Edit, format: string): void {
  const sides = resize === null || fit === 'inside' ? [] : [resize.width ?? 0, resize.height ?? 0];
  if ((convert ?? format) !== 'webp' || Math.max(0, ...sides) <= longestWebpSide) return;
  throw usageError(
    `webp has no sides of more than ${longestWebpSide} pixels`,
    'choose a smaller size, or another format',
  );
}

/** Reads `800x600`, as the setting was checked to be. */
function dimensionsOf(size: string): Dimensions {
  const [width, height] = size.split('x').map((side) => (side === '' ? null : Number(side)));
  return { width: width ?? null, height: height ?? null };
}
