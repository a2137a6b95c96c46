import { ownerAfter } from '../files/owner.ts';
import type { Asked, Entry, Outcome, Run, RunImage } from './types.ts';

/** The entries of a run's file. A line that was cut off by a crash is passed over; so is what a later version adds. */
export function parseEntries(text: string): Entry[] {
  const entries: Entry[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    try {
      const entry = JSON.parse(line) as Entry;
      if (typeof entry === 'object' && entry !== null && typeof entry.type === 'string') entries.push(entry);
    } catch {
      // Only the last line of a process that died can be incomplete, and what it would have said did not happen yet.
    }
  }
  return entries;
}

/** A run from its entries; undefined when the first line, what was asked, is not there or not as it must be. */
export function foldRun(entries: readonly Entry[]): Run | undefined {
  const [asked] = entries;
  if (asked?.type !== 'asked' || asked.version !== 1) return undefined;
  const texts = [asked.run, asked.at, asked.baseUrl, asked.model, asked.prompt, asked.owner?.token];
  if (texts.some((text) => typeof text !== 'string')) return undefined;
  const run = newRun(asked);
  for (const entry of entries) apply(run, entry);
  return run;
}

/** A run of which no more is known than what was asked. */
export function newRun(asked: Asked): Run {
  return { asked, answered: null, images: [], documents: [], owner: asked.owner, problem: null, outcome: 'unknown' };
}

/** Changes a run by what an entry says. */
export function apply(run: Run, entry: Entry): void {
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

function imageOf(run: Run, index: number): RunImage {
  for (let next = run.images.length + 1; next <= index; next += 1) run.images.push(newImage(next));
  return run.images[index - 1] as RunImage;
}

function newImage(index: number): RunImage {
  return { index, source: null, stored: null, saved: null, made: null, unmade: null, lost: null };
}

function outcomeOf({ answered, images, asked, problem }: Run): Outcome {
  if (answered === null) return problem?.state ?? 'unknown';
  const saved = images.filter((image) => image.saved !== null && !lacksResult(image, asked)).length;
  return !answered.pending && saved >= asked.n && saved === images.length ? 'saved' : 'incomplete';
}

/** The images of a run that may still be had. */
export function missingImages({ images }: Run): RunImage[] {
  return images.filter(({ saved, lost }) => saved === null && lost === null);
}

/** The images of a run that are saved, and from which what was asked for can still be made. */
export function unmadeImages({ images, asked }: Run): RunImage[] {
  return images.filter((image) => image.saved !== null && image.unmade === null && lacksResult(image, asked));
}

/** To stdout goes the result at once. */
function lacksResult({ saved, made }: RunImage, { edit }: Asked): boolean {
  return edit !== undefined && made === null && saved?.path !== '-';
}
