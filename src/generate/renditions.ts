import { rm } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import pMap from 'p-map';
import { ImggenError } from '../errors.ts';
import { replace } from '../files/claim.ts';
import { renditionPath } from '../files/extensions.ts';
import type { TargetNames } from '../files/target.ts';
import { inspectFile } from '../images/inspect.ts';
import type { SavedImage } from '../images/types.ts';
import { unmadeImages } from '../journal/fold.ts';
import type { RunLog } from '../journal/run-log.ts';
import type { RunImage } from '../journal/types.ts';
import { conversionsAtOnce } from '../renditions/convert.ts';
import { makeRendition } from '../renditions/make.ts';
import type { RenditionSpec } from '../renditions/spec.ts';
import type { Delivery } from './deliver.ts';
import { type FailedImage, reasonOf, sidecarDocument } from './report.ts';
import { saveRendition, saveSidecar } from './save.ts';
import type { Services } from './services.ts';

/**
 * Makes the rendition of each saved image of a run, and puts it in the image's place in the delivery. A run without
 * renditions keeps its delivery. Each rendition is in the journal before its original may be removed; one that fails
 * leaves its original where it is. After an interruption no further one is begun.
 */
export async function makeRenditions(
  log: RunLog,
  delivery: Delivery,
  names: TargetNames | undefined,
  services: Services,
): Promise<Delivery> {
  const { rendition } = log.run.asked;
  if (rendition === undefined || names === undefined) return delivery;
  const { progress } = services;
  const unmade = unmadeImages(log.run);
  if (unmade.length > 0) progress.step(`converting ${unmade.length === 1 ? 'an image' : `${unmade.length} images`}`);
  const outcomes = await pMap(
    unmade,
    (image) => tryMake(image, rendition, log, shownPath(image, delivery), names, services),
    { concurrency: conversionsAtOnce },
  );
  await removeOriginals(log);
  return {
    images: outcomes.filter((outcome): outcome is SavedImage => 'path' in outcome),
    failed: [...delivery.failed, ...outcomes.filter((outcome): outcome is FailedImage => 'reason' in outcome)],
  };
}

/** The path of an image as the user gave it; the journal has absolute ones. */
function shownPath({ saved }: RunImage, { images }: Delivery): string {
  const path = saved?.path ?? '';
  return images.find((image) => resolve(image.path) === path)?.path ?? path;
}

async function tryMake(
  { index }: RunImage,
  spec: RenditionSpec,
  log: RunLog,
  original: string,
  names: TargetNames,
  services: Services,
): Promise<SavedImage | FailedImage> {
  try {
    services.signal.throwIfAborted();
    return await make(index, spec, log, original, names, services);
  } catch (error) {
    if (!(error instanceof ImggenError)) throw error;
    const reason = reasonOf(error);
    if (error.code === 'incomplete') log.add({ type: 'unmade', index, reason });
    return { index, reason: `${reason}; the original is ${original}`, original, output: error.code === 'output' };
  }
}

async function make(
  index: number,
  spec: RenditionSpec,
  log: RunLog,
  original: string,
  names: TargetNames,
  { onWarning }: Services,
): Promise<SavedImage> {
  const { asked, answered, images } = log.run;
  const replaced = replaceableName(index, original, names);
  const target = replaced ?? renditionPath(original, names.naming.renditions?.extension ?? null);
  const { path, ...facts } = await makeRendition(
    original,
    spec,
    target,
    `${asked.run}-${index}-result`,
    async ({ part, facts }) => ({
      ...facts,
      path: replaced === undefined ? await saveRendition({ part, facts }, target) : await replace(part, replaced),
    }),
  );
  const kept = asked.keepOriginal === false ? null : original;
  const saved = images[index - 1]?.saved;
  if (asked.sidecar && answered && saved) {
    const document = {
      ...sidecarDocument(asked, answered, index, facts),
      edit: spec,
      original: { file: kept && basename(kept), ...saved.facts },
    };
    await saveSidecar(path, document, names, onWarning);
  }
  log.add({ type: 'made', index, path: resolve(path), facts, original: kept && resolve(kept) });
  return { ...facts, path, original: kept };
}

/** The planned name of a rendition, when a file of that name may be replaced; else it stands beside its original. */
function replaceableName(index: number, original: string, names: TargetNames): string | undefined {
  const { renditions, targets } = names.naming;
  const extension = renditions?.extension ?? null;
  const planned = targets[index - 1]?.path;
  if (planned === undefined || (extension === null && extname(planned) !== extname(original))) return undefined;
  const path = renditionPath(planned, extension);
  return names.mayReplace(path) ? path : undefined;
}

/** Removes the originals that are not kept, once their renditions are in the journal; also after a crash in between. */
async function removeOriginals({ run: { asked, images } }: RunLog): Promise<void> {
  if (asked.keepOriginal !== false) return;
  for (const { saved, made } of images) {
    if (saved === null || made === null || saved.path === made.path) continue;
    // Another file may have the name by now.
    if ((await inspectFile(saved.path))?.sha256 === saved.facts.sha256)
      await rm(saved.path, { force: true }).catch(() => {});
  }
}
