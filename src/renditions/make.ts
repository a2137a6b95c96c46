import { dirname } from 'node:path';
import { ImggenError } from '../errors.ts';
import { PartFile, partPath, removePart } from '../files/part.ts';
import { inspectFile } from '../images/inspect.ts';
import type { ImageFacts, StoredPart } from '../images/types.ts';
import { convertImage } from './convert.ts';
import type { RenditionSpec } from './spec.ts';

/**
 * Makes a rendition of an original as a part file, whole and on the disk, and hands it to `use`, which gives it a name
 * or reads it. The part file is removed afterwards. To do it again after a crash at any moment is harmless.
 *
 * Throws ImggenError `usage` without sharp, `incomplete` when nothing can be made from the original, `output` when the
 * rendition cannot be written, and what `use` throws. The original stays as it is.
 *
 * @param original the path of a whole image
 * @param target the path that the rendition is meant for: the part file is made beside it, else beside the original
 * @param name of the part file, which no other of the directory has: `<run>-<what>`
 */
export async function makeRendition<T>(
  original: string,
  spec: RenditionSpec,
  target: string,
  name: string,
  use: (rendition: StoredPart) => Promise<T>,
): Promise<T> {
  const place = { directory: dirname(target), fallback: dirname(original) };
  // A part that a killed process left may be a finished rendition's second name: writing into it would destroy that.
  for (const directory of Object.values(place)) await removePart(partPath(directory, name));
  const part = await PartFile.create(place, name);
  try {
    const facts = await render(original, spec, part).catch((error: unknown) => {
      if (!(error instanceof ImggenError) || error.code !== 'output') throw error;
      throw new ImggenError('output', `cannot write ${target}`, { cause: error.reason, hint: error.hint });
    });
    return await use({ part: part.path, facts });
  } finally {
    await part.discard();
  }
}

async function render(original: string, spec: RenditionSpec, part: PartFile): Promise<ImageFacts> {
  await convertImage(original, spec, part.path);
  await part.finish();
  const facts = await inspectFile(part.path);
  if (facts) return facts;
  const cause = 'what comes out is no whole image';
  throw new ImggenError('incomplete', 'the image cannot be converted', { cause });
}
