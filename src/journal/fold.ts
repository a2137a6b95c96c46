import { valuesOf } from '../files/disk.ts';
import { ownerAfter } from '../files/owner.ts';
import { isObject } from '../json.ts';
import { fromStored, type StoredEntry } from './stored.ts';
import type { Asked, Entry, OpenRun, Outcome, Run, RunImage } from './types.ts';

type OpenImage = OpenRun['images'][number];

/** A run from the text of its file; undefined when the first line is not a valid `asked`. */
export function foldRun(text: string): OpenRun | undefined {
  // What a later version adds has another type, and apply() passes over it.
  const entries = valuesOf(text)
    .filter((value): value is StoredEntry => isObject(value) && typeof value.type === 'string')
    .map(fromStored);
  const [asked] = entries;
  if (asked?.type !== 'asked' || asked.version !== 1) return undefined;
  const texts = [asked.run, asked.at, asked.baseUrl, asked.model, asked.prompt, asked.owner?.token];
  if (texts.some((each) => typeof each !== 'string')) return undefined;
  const run = newRun(asked);
  for (const entry of entries) apply(run, entry);
  return run;
}

/** A run of which only the request is known. */
export function newRun(asked: Asked): OpenRun {
  return { asked, answered: null, images: [], documents: [], owner: asked.owner, problem: null, outcome: 'unknown' };
}

/** Applies one entry to a run. */
export function apply(run: OpenRun, entry: Entry): void {
  switch (entry.type) {
    case 'asked':
      break;
    case 'answered':
      run.answered = entry;
      run.images = entry.sources.map((source, k) => ({ ...newImage(k + 1), ...run.images[k], source }));
      break;
    case 'claimed':
    case 'released':
      run.owner = ownerAfter(run.owner, entry);
      break;
    case 'stored':
      imageOf(run, entry.index).stored = { part: entry.part, facts: entry.facts };
      break;
    case 'unstored':
      imageOf(run, entry.index).stored = null;
      break;
    case 'saved':
      imageOf(run, entry.index).saved = { path: entry.path, facts: entry.facts };
      break;
    case 'made':
      imageOf(run, entry.index).made = { path: entry.path, facts: entry.facts, original: entry.original };
      break;
    case 'unmade':
      imageOf(run, entry.index).unmade = entry.reason;
      break;
    case 'lost':
      imageOf(run, entry.index).lost = entry.reason;
      break;
    case 'retried':
      for (const image of run.images) image.lost = image.unmade = null;
      break;
    case 'document':
      run.documents.push(entry.text);
      break;
    case 'failed':
    case 'unknown':
      run.problem = { state: entry.type, code: entry.code, message: entry.message, requestId: entry.requestId };
      break;
  }
  run.outcome = outcomeOf(run);
}

function imageOf(run: OpenRun, index: number): OpenImage {
  for (let next = run.images.length + 1; next <= index; next += 1) run.images.push(newImage(next));
  return run.images[index - 1] as OpenImage;
}

function newImage(index: number): OpenImage {
  return { index, source: null, stored: null, saved: null, made: null, unmade: null, lost: null };
}

function outcomeOf(run: Run): Outcome {
  const { answered, images, asked, problem } = run;
  if (answered === null) return problem?.state ?? 'unknown';
  const saved = images.filter((image) => image.saved !== null && !lacksResult(image, asked)).length;
  return !answered.pending && shortBy(run) === 0 && saved === images.length ? 'saved' : 'incomplete';
}

/**
 * How many of the images that were asked for the answer does not have, from 0. It is 0 as long as there is no answer
 * and while a task is pending: then nobody can tell.
 */
export function shortBy({ asked, answered, images }: Run): number {
  return answered === null || answered.pending ? 0 : Math.max(0, asked.n - images.length);
}

/** The images of a run that are not saved and may still be had. */
export function missingImages({ images }: Run): RunImage[] {
  return images.filter(({ saved, lost }) => saved === null && lost === null);
}

/** The saved images of a run whose result can still be made. */
export function unmadeImages({ images, asked }: Run): RunImage[] {
  return images.filter((image) => image.saved !== null && image.unmade === null && lacksResult(image, asked));
}

/** To stdout goes the result at once. */
function lacksResult({ saved, made }: RunImage, { rendition }: Run['asked']): boolean {
  return rendition !== undefined && made === null && saved?.path !== '-';
}
