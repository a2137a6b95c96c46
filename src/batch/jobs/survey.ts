import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RenditionSpec } from '../../renditions/spec.ts';
import type { BatchFile, Mistake } from '../file/types.ts';
import { type DueOptions, dueOf } from './due.ts';
import { type Known, ownFiles } from './holdings.ts';
import type { JobReader } from './job.ts';
import { Names, pathsOf, relativePath } from './paths.ts';
import type { Selection } from './select.ts';
import type { BatchJob, Due, DueJob } from './types.ts';

/** What is known of a batch before anything is sent. */
export interface Survey {
  /** The keys of `SurveyOptions.locked` that no job of the file has. */
  gone: readonly string[];
  /** Of the selected jobs, the keys of those that are up to date. */
  fresh: readonly string[];
  /** The other selected jobs, in the order of the file. */
  due: readonly DueJob[];
  /** How many images are to be generated. */
  images: number;
  /** The formats that sharp has to write. */
  formats: ReadonlySet<RenditionSpec['convert']>;
  /** Whether a file, by its path, is one that a job declares. */
  isDeclared: (path: string) => boolean;
  mistakes: readonly Mistake[];
  /** Files that exist and that the lock does not know: they could be anybody's. */
  taken: readonly Mistake[];
}

export interface SurveyOptions extends DueOptions {
  selection: Selection;
  /** Whether files that the lock does not know may be replaced. */
  overwrite: boolean;
  known: (key: string) => Known;
  /** The files of the batch itself, and what each is: no job may have their names. */
  own: ReadonlyMap<string, string>;
  /** The keys to look for in the file. */
  locked: Iterable<string>;
}

/** Makes the jobs of a file: every mistake in it, and which jobs are due. Sends and writes nothing. */
export function survey(file: BatchFile, reader: JobReader, options: SurveyOptions): Survey {
  const names = new Names(options.own);
  const gone = new Set(options.locked);
  const due: DueJob[] = [];
  const mistakes: Mistake[] = [...file.mistakes, ...reader.mistakes];
  const taken: Mistake[] = [];
  const formats = new Set<RenditionSpec['convert']>();
  const fresh: string[] = [];
  let images = 0;
  for (const entry of file.entries) {
    const read = reader.read(entry);
    if (Array.isArray(read)) {
      mistakes.push(...read);
      continue;
    }
    mistakes.push(...names.add(read));
    gone.delete(read.key);
    if (!options.selection.has(read.key)) continue;
    if (mistakes.length > 0) continue;
    const known = options.known(read.key);
    const what = dueOf(read, known, options);
    if (!what) {
      fresh.push(read.key);
      continue;
    }
    due.push({ job: read, due: what });
    images += what.missing.length;
    for (const { edit } of read.outputs) formats.add(edit.convert);
    if (!options.overwrite) taken.push(...strangers(read, what, known, options));
  }
  return { gone: [...gone], isDeclared: names.has, fresh, due, images, formats, mistakes: unique(mistakes), taken };
}

/** The files that a job would replace and that were not made for it, as far as the lock and the journal know. */
function strangers(job: BatchJob, { work }: Due, known: Known, { sandbox, directory }: DueOptions): Mistake[] {
  const { entry } = known;
  const isReal = entry !== undefined && !entry.sandbox;
  const own = ownFiles(job, known);
  const found: Mistake[] = [];
  const { sidecar } = job.resolved.values;
  for (const image of pathsOf(job)) {
    const path = (sidecar ? [image, `${image}.json`] : [image]).find((each) => existsSync(each));
    if (path === undefined) continue;
    const relative = relativePath(image, directory);
    const isOwned =
      entry !== undefined && [...entry.originals, ...entry.outputs].some((file) => file.path === relative);
    if (!isOwned && !own.has(resolve(image)))
      found.push({
        at: job.at,
        message: `${path} exists`,
        hint: 'the lock file does not know it; --overwrite replaces it',
      });
    else if (isOwned && sandbox && isReal && work !== 'convert')
      found.push({
        at: job.at,
        message: `${path} was paid for`,
        hint: 'the sandbox would replace it; --overwrite lets it',
      });
  }
  return found;
}

/** The defaults are read with each job: what is wrong with them is told once. */
function unique(mistakes: readonly Mistake[]): Mistake[] {
  const seen = new Map(
    mistakes.map((mistake) => [`${mistake.at.line}:${mistake.at.column}:${mistake.message}`, mistake]),
  );
  return [...seen.values()].sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
}
