import { extname } from 'node:path';

/** Stands before the extension of an image that a result is made from. */
export const originalMark = '.original';

/**
 * The name of what is made from an original: `cat.original.png` becomes `cat.webp`.
 *
 * @param extension without a dot; null for that of the original
 */
export function resultPath(original: string, extension: string | null): string {
  const own = extname(original);
  const stem = original.slice(0, -own.length);
  const bare = stem.endsWith(originalMark) ? stem.slice(0, -originalMark.length) : stem;
  return `${bare}${extension === null ? own : `.${extension}`}`;
}
