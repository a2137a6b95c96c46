import { createReadStream } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import pMap from 'p-map';
import { exitOfCode, ImggenError } from '../errors.ts';
import { PartFile, type PartPlace, removePart } from '../files/part.ts';
import type { TargetNames } from '../files/target.ts';
import { missingImages } from '../journal/fold.ts';
import type { RunLog } from '../journal/run-log.ts';
import type { Run, RunImage } from '../journal/types.ts';
import type { Values } from '../options/settings.ts';
import { formatBytes } from '../terminal/format.ts';
import { isPrivateUrl } from '../http/address.ts';
import { type DownloadOptions, ImageUnavailable } from '../http/download.ts';
import { fetchImage } from './fetch.ts';
import { makeRendition } from '../renditions/make.ts';
import { type FailedImage, reasonOf, sidecarDocument } from './report.ts';
import { saveImage, saveSidecar } from './save.ts';
import type { Services } from './services.ts';
import type { SavedImage, StoredPart } from '../images/types.ts';

/** Parallel downloads of one run. */
const concurrency = 4;

export interface Delivery {
  images: SavedImage[];
  failed: FailedImage[];
}

/** What delivering needs besides the run itself. */
export interface DeliveryOptions {
  /** Undefined for stdout. */
  names: TargetNames | undefined;
  place: PartPlace;
  downloads: DownloadOptions;
}

/** Where the part files of a run belong: beside its first target, so that a rename is all that saving takes. */
export function partPlace(names: TargetNames | undefined, state: string): PartPlace {
  const fallback = join(state, 'parts');
  const first = names?.naming.targets[0];
  return { directory: first ? resolve(dirname(first.path)) : fallback, fallback };
}

/** A public API has no reason to send anybody into their own network; one that is there itself has. */
export async function downloadOptions(
  baseUrl: string,
  { retries, allowPrivateDownloads }: Values,
): Promise<DownloadOptions> {
  return { retries, publicOnly: !allowPrivateDownloads && !(await isPrivateUrl(baseUrl)) };
}

/**
 * Takes every missing image of an answered run to where it belongs: downloads it, or finds it stored already, then
 * gives it its name. Each step is in the journal before the next begins. An image that cannot be had does not stop
 * the others; after an interruption only what is on the disk already is still named.
 */
export async function deliver(log: RunLog, options: DeliveryOptions, services: Services): Promise<Delivery> {
  const missing = missingImages(log.run);
  const lost = log.run.images.filter((image) => image.lost !== null && image.saved === null);
  const progress = new TransferProgress(missing, services);
  const outcomes = await pMap(missing, (image) => deliverOne(image, log, options, progress, services), { concurrency });
  const images = outcomes.filter((outcome): outcome is SavedImage => 'path' in outcome);
  const failed = outcomes.filter((outcome): outcome is FailedImage => 'reason' in outcome);
  return { images, failed: [...lost.map(({ index, lost: reason }) => ({ index, reason: reason ?? '' })), ...failed] };
}

async function deliverOne(
  image: RunImage,
  log: RunLog,
  options: DeliveryOptions,
  progress: TransferProgress,
  services: Services,
): Promise<SavedImage | FailedImage> {
  const { index } = image;
  try {
    const stored = image.stored ?? (await obtain(image, log, options, progress, services));
    progress.file();
    if (!options.names && index > 1) throw new ImggenError('incomplete', 'stdout takes one image');
    return await place(stored, index, log, options, services);
  } catch (error) {
    if (!(error instanceof ImggenError)) throw error;
    if (error instanceof ImageUnavailable || (error.exit === exitOfCode('network') && isExpired(log.run))) {
      log.add({ type: 'lost', index, reason: error.message });
    }
    const reason = reasonOf(error);
    const kept = log.run.images[index - 1]?.stored;
    if (error.code !== 'output') return { index, reason };
    return { index, reason: kept ? `${reason}; it is kept in ${kept.part}` : reason, output: true };
  }
}

async function obtain(
  { index, source }: RunImage,
  log: RunLog,
  { place: where, downloads }: DeliveryOptions,
  progress: TransferProgress,
  { http, signal }: Services,
): Promise<StoredPart> {
  signal.throwIfAborted();
  if (source === null || !('url' in source)) {
    throw new ImageUnavailable('download_failed', 'its bytes are gone');
  }
  const part = await PartFile.create(where, `${log.run.asked.run}-${index}`);
  const stored = await fetchImage(source.url, part, http, downloads, progress.bytes);
  log.add({ type: 'stored', index, ...stored });
  return stored;
}

/** Gives an image that is on the disk its place: a name of its own, or stdout. */
async function place(
  stored: StoredPart,
  index: number,
  log: RunLog,
  { names }: DeliveryOptions,
  services: Services,
): Promise<SavedImage> {
  const { path, ...facts } = names
    ? await nameIt(stored, index, log, names, services)
    : await emitIt(stored, index, log, services);
  log.add({ type: 'saved', index, path: names ? resolve(path) : path, facts });
  await removePart(stored.part);
  return { ...facts, path };
}

async function nameIt(
  stored: StoredPart,
  index: number,
  log: RunLog,
  names: TargetNames,
  { onWarning }: Services,
): Promise<SavedImage> {
  const { asked, answered } = log.run;
  const { facts } = stored;
  const path = await saveImage(stored, names, index);
  const planned = names.naming.targets[index - 1]?.path;
  if (
    names.naming.collision === 'overwrite' &&
    planned !== undefined &&
    path !== planned &&
    extname(path) === extname(planned)
  ) {
    onWarning(`${planned} was changed meanwhile, and stays; the image is ${path}`);
  }
  if (facts.format !== asked.format && !asked.rendition?.convert)
    onWarning(`asked for ${asked.format}, the image is ${facts.format}: ${path}`);
  // With a rendition the sidecar stands beside that.
  if (asked.sidecar && answered && !asked.rendition) {
    await saveSidecar(path, sidecarDocument(asked, answered, index, facts), names, onWarning);
  }
  return { ...facts, path };
}

async function emitIt(
  stored: StoredPart,
  index: number,
  { run: { asked } }: RunLog,
  { emit }: Services,
): Promise<SavedImage> {
  const write = async ({ part, facts }: StoredPart): Promise<SavedImage> => {
    for await (const chunk of createReadStream(part)) {
      if (!(await emit(chunk as Buffer)))
        throw new ImggenError('incomplete', 'the reader of stdout has gone; the image is kept');
    }
    return { ...facts, path: '-' };
  };
  if (!asked.rendition) return await write(stored);
  return await makeRendition(stored.part, asked.rendition, stored.part, `${asked.run}-${index}-result`, write);
}

/**
 * Whether a URL has long stopped working: a day after its time, since a clock may be wrong, and an hour is what the
 * document gives where an answer does not say. A time before the run is one that was not understood.
 */
function isExpired({ asked, answered }: Run): boolean {
  const began = Date.parse(asked.at);
  const said = Date.parse(answered?.expires ?? '');
  return (said > began ? said : began + 3_600_000) + 86_400_000 < Date.now();
}

/** `2 of 4 files, 1.3 MB` beside the step. */
class TransferProgress {
  readonly #total: number;
  readonly #services: Services;
  #files = 0;
  #bytes = 0;

  constructor(images: readonly RunImage[], services: Services) {
    this.#total = images.length;
    this.#services = services;
    if (images.some(({ stored }) => stored === null)) services.progress.step('downloading');
  }

  readonly bytes = (count: number): void => {
    this.#bytes += count;
    this.#show();
  };

  file(): void {
    this.#files += 1;
    this.#show();
  }

  #show(): void {
    this.#services.progress.detail(`${this.#files} of ${this.#total} files, ${formatBytes(this.#bytes)}`);
  }
}
