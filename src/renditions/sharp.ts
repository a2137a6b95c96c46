import type Sharp from 'sharp';
import { ImggenError, messageOf } from '../errors.ts';
import type { ConvertFormat } from './spec.ts';

/** Threads that one conversion may use. A second one helps AVIF alone, and doubles its memory. */
const threads = 1;
const reinstall = 'npm install -g sharp, or reinstall imggen without --omit=optional';

let loaded: Promise<typeof Sharp> | undefined;

/** Loads sharp, once. Throws ImggenError `usage` when it is not installed or does not run here. */
export function loadSharp(): Promise<typeof Sharp> {
  return (loaded ??= load());
}

/**
 * Shows that images can be converted here, before they are paid for.
 * Throws ImggenError `usage` when sharp is missing, does not run, or was built without a format.
 *
 * @param formats of the renditions; null, for that of the original, needs no more than sharp
 */
export async function ensureConverter(formats: Iterable<ConvertFormat | null> = []): Promise<void> {
  const sharp = await loadSharp();
  for (const format of formats) {
    if (format === null || sharp.format[format === 'avif' ? 'heif' : format]?.output.file) continue;
    throw new ImggenError('usage', `this build of sharp cannot write ${format}`, { hint: reinstall });
  }
}

async function load(): Promise<typeof Sharp> {
  try {
    const { default: sharp } = await import('sharp');
    // Each image is converted once: a cache would only take memory.
    sharp.cache(false);
    sharp.concurrency(threads);
    return sharp;
  } catch (error) {
    const message = 'images are resized and converted with sharp, which is not installed or does not run here';
    throw new ImggenError('usage', message, { cause: messageOf(error).split('\n')[0], hint: reinstall });
  }
}
