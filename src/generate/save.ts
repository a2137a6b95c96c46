import { dirname, extname } from 'node:path';
import { claim, nameOf, replace } from '../files/claim.ts';
import { PartFile } from '../files/part.ts';
import type { TargetNames } from '../files/target.ts';
import { inspectFile } from '../images/inspect.ts';
import type { StoredPart } from '../images/types.ts';
import type { SidecarDocument } from './report.ts';

/**
 * Gives image number `index` its final name and returns it. Only a planned name replaces a file, only with --overwrite,
 * and only the file that was there when it was planned. Throws ImggenError `output`; the part file then still has the bytes.
 */
export async function saveImage({ part, facts }: StoredPart, names: TargetNames, index: number): Promise<string> {
  const { targets } = names.naming;
  const target = targets[index - 1];
  const isPlanned = target !== undefined && names.candidates(target, facts.format).next().value === target.path;
  if (isPlanned && names.mayReplace(target.path)) return await replace(part, target.path);
  const directories = targets.map(({ path }) => dirname(path));
  const given = await nameOf(part, directories);
  return given ?? ((await claim(part, names.candidates(target, facts.format))) as string);
}

/**
 * Gives a rendition its final name and returns it: `target`, or `-2`, `-3` … at its end where that is taken. A file with
 * the same bytes is the rendition itself, made before a crash. Throws ImggenError `output`.
 */
export async function saveRendition({ part, facts }: StoredPart, target: string): Promise<string> {
  const extension = extname(target);
  for (let i = 1; ; i += 1) {
    const path = i === 1 ? target : `${target.slice(0, -extension.length)}-${i}${extension}`;
    if ((await claim(part, [path])) !== undefined) return path;
    if ((await inspectFile(path))?.sha256 === facts.sha256) return path;
  }
}

/**
 * Writes `<image>.json`, whole or not at all. A file of that name stays, with a warning, unless it may be replaced.
 * Throws ImggenError `output`.
 */
export async function saveSidecar(
  image: string,
  document: SidecarDocument,
  names: TargetNames,
  onWarning: (text: string) => void,
): Promise<void> {
  const path = `${image}.json`;
  const directory = dirname(path);
  const part = await PartFile.create({ directory, fallback: directory }, `${document.run}-${document.index}-sidecar`);
  try {
    await part.write(Buffer.from(`${JSON.stringify(document, null, 2)}\n`));
    await part.finish();
    const written = names.mayReplace(path) ? await replace(part.path, path) : await claim(part.path, [path]);
    if (written === undefined) onWarning(`${path} exists and stays as it is`);
  } finally {
    await part.discard();
  }
}
