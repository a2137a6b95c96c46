import { dirname } from 'node:path';
import { claim, nameOf, PartFile, removePart, replace } from '../files/part.ts';
import type { TargetNames } from '../files/target.ts';
import type { StoredPart } from '../images/types.ts';

/**
 * Gives image number `index` its final name and returns it. Only a planned name replaces a file, only with --overwrite,
 * and only the file that was there when it was planned. Throws ImggenError `output`; the part file then still has the bytes.
 */
export async function saveImage({ part, facts }: StoredPart, names: TargetNames, index: number): Promise<string> {
  const { targets } = names.naming;
  const target = targets[index - 1];
  const isPlanned = target !== undefined && names.candidates(target, facts.format).next().value === target.path;
  if (isPlanned && names.mayReplace(target.path)) return await replace(part, target.path);
  const given = await nameOf(
    part,
    targets.map(({ path }) => dirname(path)),
  );
  return given ?? ((await claim(part, names.candidates(target, facts.format))) as string);
}

/**
 * Writes `<image>.json`, whole or not at all. Only --overwrite replaces a file of that name; otherwise the result is
 * false and the file stays. Throws ImggenError `output`.
 *
 * @param name of the part file, which no other of the directory has
 */
export async function saveSidecar(
  image: string,
  document: unknown,
  name: string,
  overwrite: boolean,
): Promise<boolean> {
  const path = `${image}.json`;
  const directory = dirname(path);
  const part = await PartFile.create({ directory, fallback: directory }, name);
  try {
    await part.write(Buffer.from(`${JSON.stringify(document, null, 2)}\n`));
    await part.finish();
    return (await (overwrite ? replace(part.path, path) : claim(part.path, [path]))) !== undefined;
  } finally {
    await removePart(part.path);
  }
}
