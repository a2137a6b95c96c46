import type { Metadata, Sharp } from 'sharp';
import { ImggenError, messageOf } from '../errors.ts';
import { loadSharp } from './sharp.ts';
import type { ConvertFormat, RenditionSpec } from './spec.ts';

/** Conversions at once in this process: each holds pictures in memory that are far larger than their files. */
export const conversionsAtOnce = 2;

const white = '#ffffff';
const transparent = { r: 0, g: 0, b: 0, alpha: 0 };

/** sharp's messages about the target. They have no codes, and its messages about the image may hold a path. */
const aboutTarget =
  /^(?!input\b).*(unable to (open|write).*\b(write|to file)\b|write error|no space left|quota|read-only|permission denied)/i;

/**
 * Makes another size or format of an image file: upright as its EXIF data says, in sRGB, without metadata. White stands
 * behind the image in formats without transparency. Of an animation only the first picture is taken. At most two
 * conversions are under way in this process; others wait in the order of their calls.
 *
 * Throws ImggenError `usage` without sharp, `output` when the target cannot be written, `incomplete` when the source is
 * no image, is damaged, or has more than 268 million pixels.
 *
 * @param source a path; the file is only read
 * @param target a path; a file that is there is replaced, and may be half-written after an error
 */
export async function convertImage(source: string, spec: RenditionSpec, target: string): Promise<void> {
  const sharp = await loadSharp();
  await inTurn(async () => {
    try {
      const image = sharp(source, { failOn: 'error' });
      const format = spec.convert ?? ownFormat(await image.metadata());
      await encoded(resized(image.autoOrient(), spec, format), format, spec.quality).toFile(target);
    } catch (error) {
      const reason = messageOf(error).split('\n')[0] as string;
      if (aboutTarget.test(reason)) throw new ImggenError('output', `cannot write ${target}`, { cause: reason });
      throw new ImggenError('incomplete', 'the image cannot be converted', { cause: reason });
    }
  });
}

let free = conversionsAtOnce;
const waiting: (() => void)[] = [];

async function inTurn(work: () => Promise<void>): Promise<void> {
  if (free > 0) free -= 1;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    await work();
  } finally {
    const next = waiting.shift();
    // The turn passes on directly: no later call can step in between.
    if (next) next();
    else free += 1;
  }
}

type OutputFormat = ConvertFormat | 'gif';

const kept: readonly string[] = ['png', 'jpeg', 'webp', 'gif'];

/** The format that an image keeps when none is asked for. */
function ownFormat({ format, compression }: Metadata): OutputFormat {
  if (format === 'heif' && compression === 'av1') return 'avif';
  if (kept.includes(format)) return format as OutputFormat;
  throw new Error(`${format} is not a format that can be kept`);
}

function resized(image: Sharp, { resize, fit }: RenditionSpec, format: OutputFormat): Sharp {
  const opaque = format === 'jpeg' ? image.flatten({ background: white }) : image;
  if (resize === null) return opaque;
  return opaque.resize({
    width: resize.width ?? undefined,
    height: resize.height ?? undefined,
    fit,
    withoutEnlargement: fit === 'inside',
    background: format === 'jpeg' ? white : transparent,
  });
}

function encoded(image: Sharp, format: OutputFormat, quality: number | null): Sharp {
  // sharp takes the quality of a png for a number of colours.
  const options = quality === null || format === 'png' || format === 'gif' ? {} : { quality };
  return image.toColourspace('srgb').toFormat(format, options);
}
