import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import type { ImageFormat } from '../images/types.ts';

/** The format of each extension; the first extension of a format is the one that its files get. */
const formats: Readonly<Record<string, ImageFormat>> = {
  png: 'png',
  jpg: 'jpeg',
  jpeg: 'jpeg',
  webp: 'webp',
  gif: 'gif',
  avif: 'avif',
};

/** Stands before the extension of an image that a rendition is made from: `cat.original.png`. */
export const originalMark = '.original';

/** The format that an extension without its dot stands for, in any case of letters. */
export function formatOfExtension(extension: string): ImageFormat | undefined {
  return formats[extension.toLowerCase()];
}

/** The extension, without a dot, of files of an image format. */
export function extensionOf(format: string): string {
  return Object.keys(formats).find((extension) => formats[extension] === format) as string;
}

/**
 * The name of the rendition of an original: `cat.original.png` becomes `cat.webp`.
 *
 * @param extension without a dot; null for that of the original
 */
export function renditionPath(original: string, extension: string | null): string {
  const own = extname(original);
  const stem = original.slice(0, -own.length);
  const bare = stem.endsWith(originalMark) ? stem.slice(0, -originalMark.length) : stem;
  return `${bare}${extension === null ? own : `.${extension}`}`;
}

/**
 * The file of this name that exists, whatever its image extension: the API may have sent another format than the one
 * that was asked for, and must not be paid again and again for the same image.
 */
export function inSomeFormat(path: string): string | undefined {
  const stem = path.slice(0, -extname(path).length);
  return [path, ...Object.keys(formats).map((extension) => `${stem}.${extension}`)].find((each) => existsSync(each));
}
