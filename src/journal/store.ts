import { readdirSync, rmSync } from 'node:fs';
import { ImggenError, messageOf, usageError } from '../errors.ts';
import { missingImages, unmadeImages } from './fold.ts';
import { isAlive, type Machine } from '../files/owner.ts';
import { readRun, runPath, runsDirectory } from './read.ts';
import type { Run } from './types.ts';

const extension = '.jsonl';
const dayMs = 86_400_000;

/** The ids of all runs, newest first: an id begins with its time. */
export function listRuns(state: string): string[] {
  let names: string[];
  try {
    names = readdirSync(runsDirectory(state));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new ImggenError('config', `cannot read ${runsDirectory(state)}`, { cause: messageOf(error) });
  }
  return names
    .filter((name) => name.endsWith(extension))
    .map((name) => name.slice(0, -extension.length))
    .sort()
    .reverse();
}

/** The run of an id, or of the start of exactly one id. Throws ImggenError `usage` when there is none or are several. */
export function findRun(state: string, id: string): Run {
  const ids = listRuns(state);
  const matches = ids.includes(id) ? [id] : ids.filter((known) => known.startsWith(id));
  if (matches.length > 1) throw usageError(`${matches.length} runs begin with ${id}`, matches.slice(0, 5).join(', '));
  const run = matches[0] === undefined ? undefined : readRun(state, matches[0]);
  if (!run) throw usageError(`there is no run ${id}`, 'see: imggen history');
  return run;
}

/** Whether a living process works on a run. */
export function isRunning(state: string, { owner, asked }: Run, machine: Machine): boolean {
  return isAlive(owner, runPath(state, asked.run), machine);
}

/** Whether `imggen resume` may find something to do: an owner that died, a pending task, missing images or results. */
export function isUnfinished(run: Run): boolean {
  return (
    run.owner !== null ||
    run.answered?.pending === true ||
    missingImages(run).length > 0 ||
    unmadeImages(run).length > 0
  );
}

/**
 * Removes runs older than `days` days, and of the others the oldest finished ones beyond `keep`. A run that a living
 * process works on stays. Returns how many were removed. Throws ImggenError `output` when one cannot be removed.
 */
export function pruneRuns(
  state: string,
  { days, keep }: { days: number; keep: number },
  machine: Machine,
  now: Date,
): number {
  const oldest = idTime(new Date(now.getTime() - days * dayMs));
  let removed = 0;
  for (const [position, id] of listRuns(state).entries()) {
    const isOld = id < oldest;
    if (!isOld && position < keep) continue;
    const run = readRun(state, id);
    if (run && (isRunning(state, run, machine) || (!isOld && isUnfinished(run)))) continue;
    const path = runPath(state, id);
    try {
      rmSync(path, { force: true });
    } catch (error) {
      throw new ImggenError('output', `cannot remove ${path}`, { cause: messageOf(error) });
    }
    removed += 1;
  }
  return removed;
}

/** Whether pruneRuns may find something to remove, by the names alone. */
export function isPruneDue(state: string, { days, keep }: { days: number; keep: number }, now: Date): boolean {
  const ids = listRuns(state);
  const last = ids.at(-1);
  return ids.length > keep || (last !== undefined && last < idTime(new Date(now.getTime() - days * dayMs)));
}

/** The start of the id of a run that begins at a time. */
export function idTime(at: Date): string {
  return at.toISOString().slice(0, 23).replace(/[-:.]/g, '');
}
