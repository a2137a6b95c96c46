import { rm } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import pMap from 'p-map';
import type { Edit } from '../renditions/types.ts';
import { ImggenError } from '../errors.ts';
import { resultPath } from '../files/original.ts';
import type { TargetNames } from '../files/target.ts';
import { unmadeImages } from '../journal/fold.ts';
import type { RunLog } from '../journal/run-log.ts';
import type { RunImage } from '../journal/types.ts';
import type { Delivery } from './deliver.ts';
import { makeOutput } from '../renditions/make.ts';
import { type FailedImage, sidecarDocument } from './report.ts';
import { saveSidecar } from './save.ts';
import type { Services } from './services.ts';
import type { SavedImage } from '../images/types.ts';
import { inspectFile } from '../images/inspect.ts';

/** As many as are converted at once: the others would only wait. */
const concurrency = 2;

/**
 * Makes what was asked for from each saved image of a run, and puts it in the image's place in the delivery. Without an
 * edit the delivery is as it was. Each result is in the journal before its original may be removed; one that fails
 * leaves its original where it is. After an interruption no further one is begun.
 */
export async function makeResults(
  log: RunLog,
  delivery: Delivery,
  names: TargetNames | undefined,
  services: Services,
): Promise<Delivery> {
  const { edit } = log.run.asked;
  if (edit === undefined || names === undefined) return delivery;
  const { progress } = services;
  const unmade = unmadeImages(log.run);
  if (unmade.length > 0) progress.step(`converting ${unmade.length === 1 ? 'an image' : `${unmade.length} images`}`);
  const outcomes = await pMap(
    unmade,
    (image) => tryMake(image, edit, log, shownPath(image, delivery), names, services),
    { concurrency },
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
  edit: Edit,
  log: RunLog,
  original: string,
  names: TargetNames,
  services: Services,
): Promise<SavedImage | FailedImage> {
  try {
    services.signal.throwIfAborted();
    return await make(index, edit, log, original, names, services);
  } catch (error) {
    if (!(error instanceof ImggenError)) throw error;
    const reason = [error.message, error.reason, error.hint].filter(Boolean).join(': ');
    if (error.code === 'incomplete') log.add({ type: 'unmade', index, reason });
    return { index, reason: `${reason}; the original is ${original}`, original, output: error.code === 'output' };
  }
}

async function make(
  index: number,
  edit: Edit,
  log: RunLog,
  original: string,
  names: TargetNames,
  { onWarning }: Services,
): Promise<SavedImage> {
  const { asked, answered, images } = log.run;
  const { target, collision } = targetOf(index, original, names);
  const name = `${asked.run}-${index}-result`;
  const { path, ...facts } = await makeOutput(original, edit, target, collision, name);
  const kept = asked.keepOriginal === false ? null : original;
  const saved = images[index - 1]?.saved;
  if (asked.sidecar && answered && saved) {
    const document = {
      ...sidecarDocument(asked, answered, index, facts),
      edit,
      original: { file: kept && basename(kept), ...saved.facts },
    };
    const written = await saveSidecar(
      path,
      document,
      `${asked.run}-${index}-sidecar`,
      names.mayReplace(`${path}.json`),
    );
    if (!written) onWarning(`${path}.json exists and stays as it is`);
  }
  log.add({ type: 'made', index, path: resolve(path), facts, original: kept && resolve(kept) });
  return { ...facts, path, original: kept };
}

/** A result stands beside its original; only a planned name replaces a file, and only with --overwrite. */
function targetOf(
  index: number,
  original: string,
  names: TargetNames,
): { target: string; collision: 'overwrite' | 'number' } {
  const { naming } = names;
  const extension = naming.results?.extension ?? null;
  const planned = naming.targets[index - 1]?.path;
  const isPlanned = planned !== undefined && (extension !== null || extname(planned) === extname(original));
  const target = isPlanned ? resultPath(planned, extension) : undefined;
  if (target !== undefined && names.mayReplace(target)) return { target, collision: 'overwrite' };
  return { target: resultPath(original, extension), collision: 'number' };
}

/** Removes the originals that shall not stay, once what was made from them is noted; also after a crash in between. */
async function removeOriginals({ run: { asked, images } }: RunLog): Promise<void> {
  if (asked.keepOriginal !== false) return;
  for (const { saved, made } of images) {
    if (saved === null || made === null || saved.path === made.path) continue;
    // Another file may have the name by now.
    if ((await inspectFile(saved.path))?.sha256 === saved.facts.sha256)
      await rm(saved.path, { force: true }).catch(() => {});
  }
}
