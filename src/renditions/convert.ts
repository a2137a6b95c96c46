import type { Metadata, Sharp } from 'sharp';
import { ImggenError, messageOf } from '../errors.ts';
import { loadSharp } from './sharp.ts';
import { takeTurn } from './turn.ts';
import type { ConvertFormat, Edit } from './types.ts';

const white = '#ffffff';
const transparent = { r: 0, g: 0, b: 0, alpha: 0 };

/** What sharp says of the place, not of the image. It has no codes for that, and what it says of the image may hold a path. */
const aboutPlace =
  /^(?!input\b).*(unable to (open|write).*\b(write|to file)\b|write error|no space left|quota|read-only|permission denied)/i;

/**
 * Makes another size or format of an image file: turned as its EXIF data says, in sRGB, without metadata. Where the
 * result has no transparency, white stands behind the image. Of an animation only the first picture is taken.
 * Few conversions are under way at once, whoever asks, so that memory stays small.
 *
 * Throws ImggenError `usage` without sharp, `output` when the target cannot be written, `incomplete` when the image
 * cannot be read: it is none, it is damaged, or it has more than 268 million pixels.
 *
 * @param source a path; the file is only read
 * @param target a path; what is there is replaced, and may be half-written after an error
 */
export async function convertImage(source: string, edit: Edit, target: string): Promise<void> {
  const sharp = await loadSharp();
  await takeTurn(async () => {
    try {
      const image = sharp(source, { failOn: 'error' });
      const format = edit.convert ?? ownFormat(await image.metadata());
      await encoded(resized(image.autoOrient(), edit, format), format, edit.quality).toFile(target);
    } catch (error) {
      const reason = messageOf(error).split('\n')[0] as string;
      if (aboutPlace.test(reason)) throw new ImggenError('output', `cannot write ${target}`, { cause: reason });
      throw new ImggenError('incomplete', 'the image cannot be converted', { cause: reason });
    }
  });
}

type OutputFormat = ConvertFormat | 'gif';

const kept: readonly string[] = ['png', 'jpeg', 'webp', 'gif'];

/** The format that an image keeps when none is asked for. */
function ownFormat({ format, compression }: Metadata): OutputFormat {
  if (format === 'heif' && compression === 'av1') return 'avif';
  if (kept.includes(format)) return format as OutputFormat;
  throw new Error(`${format} is not a format that can be kept`);
}

function resized(image: Sharp, { resize, fit }: Edit, format: OutputFormat): Sharp {
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
  const inSrgb = image.toColourspace('srgb');
  const options = quality === null ? {} : { quality };
  switch (format) {
    case 'png':
      return inSrgb.png();
    case 'gif':
      return inSrgb.gif();
    case 'jpeg':
      return inSrgb.jpeg(options);
    case 'webp':
      return inSrgb.webp(options);
    case 'avif':
      return inSrgb.avif(options);
  }
}
