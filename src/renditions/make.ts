import { dirname, extname } from 'node:path';
import { convertImage } from './convert.ts';
import type { Edit } from './types.ts';
import { ImggenError } from '../errors.ts';
import { claim, PartFile, partPath, removePart, replace } from '../files/part.ts';
import type { SavedImage, StoredPart } from '../images/types.ts';
import { inspectFile } from '../images/inspect.ts';

/**
 * Makes a file from an original, whole or not at all: a part file beside the target, then its name. To do it again
 * after a crash at any moment is harmless.
 *
 * Throws ImggenError `usage` without sharp, `incomplete` when nothing can be made from the original, `output` when the
 * result cannot be written. The original stays as it is.
 *
 * @param original the path of a whole image
 * @param target the path of the result; directories are made
 * @param collision what happens when a file has that name: it is replaced, or the result gets `-2`, `-3` … at its end
 * @param name of the part file, which no other of the directory has: `<run>-<what>`
 */
export async function makeOutput(
  original: string,
  edit: Edit,
  target: string,
  collision: 'overwrite' | 'number',
  name: string,
): Promise<SavedImage> {
  const { part, facts } = await makePart(original, edit, target, name);
  try {
    const path = collision === 'overwrite' ? await replace(part, target) : await claimNext(part, facts.sha256, target);
    return { ...facts, path };
  } finally {
    await removePart(part);
  }
}

/** The same as a part file, which is the caller's to remove. Throws like makeOutput. */
export async function makePart(original: string, edit: Edit, target: string, name: string): Promise<StoredPart> {
  const place = { directory: dirname(target), fallback: dirname(original) };
  // One that a killed process left may be a result already, under its second name: writing into it would destroy that.
  for (const directory of Object.values(place)) await removePart(partPath(directory, name));
  const part = await PartFile.create(place, name);
  try {
    await convertImage(original, edit, part.path);
    await part.finish();
    const facts = await inspectFile(part.path);
    if (!facts)
      throw new ImggenError('incomplete', 'the image cannot be converted', {
        cause: 'what comes out is no whole image',
      });
    return { part: part.path, facts };
  } catch (error) {
    await part.discard();
    if (!(error instanceof ImggenError) || error.code !== 'output') throw error;
    throw new ImggenError('output', `cannot write ${target}`, { cause: error.reason, hint: error.hint });
  }
}

/** Gives a part file the name, or the next one that is free. */
async function claimNext(part: string, sha256: string, target: string): Promise<string> {
  const extension = extname(target);
  for (let i = 1; ; i += 1) {
    const path = i === 1 ? target : `${target.slice(0, -extension.length)}-${i}${extension}`;
    if ((await claim(part, [path])) !== undefined) return path;
    // The same bytes: they were made before a crash, which came before the journal had them.
    if ((await inspectFile(path))?.sha256 === sha256) return path;
  }
}
