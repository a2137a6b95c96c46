import { existsSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import type { Run, RunImage } from '../../journal/types.ts';
import type { Begun, LockedFile, LockEntry, LockView } from '../lock/types.ts';
import { lockedFile, stateOf } from './files.ts';
import { pathsOf, relativePath } from './paths.ts';
import type { BatchJob } from './types.ts';

/** What the lock file and the journal know of a job. */
export interface Known {
  entry: LockEntry | undefined;
  /** The runs that were begun for the job and not noted as over, the oldest first. */
  begun: readonly Begun[];
  /** A run, if its journal is there. */
  run: (id: string) => Run | undefined;
}

/** So many answers in a row may have fewer images than were asked for; then only --force asks again. */
export const shortAnswerLimit = 2;

/** The runs that were begun for a job and not noted as over, the oldest first. */
export function begunOf(lock: LockView | undefined, key: string): readonly Begun[] {
  return lock?.pending.get(key) ?? [];
}

/** The images that an entry has, unaltered, by their position in the job; what does not fit is not there. */
export function imagesOf({ originals: planned }: BatchJob, { originals }: LockEntry, directory: string) {
  const images = new Map<number, LockedFile>();
  const isSame = (file: LockedFile) => stateOf(file, directory) === 'same';
  const positions = positionsOf(
    planned.map((path) => relativePath(path, directory)),
    originals.map(({ path }) => path),
  );
  for (const [k, file] of originals.entries()) {
    const position = positions[k];
    if (position !== undefined && isSame(file)) images.set(position, file);
  }
  return images;
}

/** The position of each path among the planned ones: by its name without the extension, else the first that is free. */
function positionsOf(planned: readonly string[], paths: readonly string[]): (number | undefined)[] {
  const stems = planned.map(stemOf);
  const exact = paths.map((path) => stems.indexOf(stemOf(path)));
  const free = stems.flatMap((_stem, position) => (exact.includes(position) ? [] : [position]));
  return exact.map((position) => (position >= 0 ? position : free.shift()));
}

function stemOf(path: string): string {
  return path.slice(0, path.length - extname(path).length);
}

/** The position in the job of an image of a run, from 0; undefined for one that nobody asked for. */
export function positionOf({ asked: { naming } }: Run, { index }: RunImage): number | undefined {
  const target = naming?.targets[index - 1];
  return target && target.i - 1;
}

/** Whether an image of a run may still be had without a new generation. */
export function isObtainable({ saved, lost }: RunImage): boolean {
  return saved === null && lost === null;
}

/** Whether a run is over, and its answer had fewer images than were asked for. */
export function isShort({ answered, asked, images }: Run): boolean {
  if (answered === null || answered.pending || images.some(isObtainable)) return false;
  return images.filter(({ saved }) => saved !== null).length < asked.n;
}

/** The files of a run's images that are there: as they came, and what the run made of them. */
export function filesOf(image: RunImage, directory: string): { original?: LockedFile; made?: LockedFile } {
  const { saved, made } = image;
  const file = (each: typeof saved) =>
    each && existsSync(each.path) && lockedFile({ path: each.path, ...each.facts }, directory);
  return {
    ...(file(saved) && { original: file(saved) as LockedFile }),
    ...(file(made) && { made: file(made) as LockedFile }),
  };
}

/** What runs that were begun for a job have made by now, and were about to make when they ended: absolute paths. */
export function ownFiles(job: BatchJob, { begun, entry, run: readRun }: Known): ReadonlySet<string> {
  const own = new Set<string>();
  for (const { run: id } of begun) {
    // A run that the entry has is no generation: what is made of its images was being made anew.
    if (id === entry?.run) for (const path of pathsOf(job)) own.add(resolve(path));
    const run = id === entry?.run ? undefined : readRun(id);
    for (const image of run?.images ?? []) {
      const { index, stored, saved, made } = image;
      const named = saved?.path ?? run?.asked.naming?.targets[index - 1]?.path;
      // A kill may come after the rename and before the journal's line for it.
      const isRenamed =
        stored !== null && named !== undefined && stateOf({ path: named, ...stored.facts }, '') === 'same';
      if (named === undefined || (saved === null && !isRenamed)) continue;
      const position = positionOf(run as Run, image);
      const outputs = job.outputs.filter(({ from }) => from === position).map(({ path }) => resolve(path));
      for (const path of [named, ...outputs, ...(made ? [made.path] : [])]) own.add(path);
    }
  }
  return own;
}
