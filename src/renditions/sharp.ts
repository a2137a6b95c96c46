import type Sharp from 'sharp';
import { ImggenError, messageOf } from '../errors.ts';
import type { ConvertFormat } from './spec.ts';

const missing = 'images are resized and converted with sharp, which is not installed or does not run here';
const reinstall = 'npm install -g sharp, or reinstall imggen without --omit=optional';

/** Loads sharp. Throws ImggenError `usage` with this message when it is not installed or does not run here. */
export async function importSharp(message: string, hint: string): Promise<typeof Sharp> {
  try {
    const { default: sharp } = await import('sharp');
    // Each image is made once: a cache would only take memory. A second thread helps AVIF alone, and doubles its memory.
    sharp.cache(false);
    sharp.concurrency(1);
    return sharp;
  } catch (error) {
    throw new ImggenError('usage', message, { cause: messageOf(error).split('\n')[0], hint });
  }
}

/** sharp for conversions. Throws like importSharp(). */
export async function loadSharp(): Promise<typeof Sharp> {
  return await importSharp(missing, reinstall);
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
