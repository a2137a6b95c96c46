import { copyFile, rm } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { ImggenError, messageOf } from '../../errors.ts';
import type { LockedFile, LockEntry } from '../lock/types.ts';
import type { LockLog } from '../lock/log.ts';
import { replace } from '../../files/claim.ts';
import { makeRendition } from '../../renditions/make.ts';
import { firstDifference, lockedFile, stateOf } from '../jobs/files.ts';
import { isBelow, pathsOf, relativePath } from '../jobs/paths.ts';
import type { BatchJob, Output } from '../jobs/types.ts';
import { timeAfter } from './gathered.ts';

/**
 * Makes a job's outputs anew from the originals that were kept; sends nothing. Returns the entry that the lock should
 * have then. Throws ImggenError.
 *
 * @param log undefined without a lock file
 * @param directory what the lock's paths are relative to
 */
export async function convertAgain(
  job: BatchJob,
  before: LockEntry,
  log: LockLog | undefined,
  directory: string,
): Promise<LockEntry> {
  // Then only the originals are left to be removed.
  if (before.processing === job.processing && !firstDifference(before.outputs, directory)) return before;
  // After a kill, the files that are there are still known as the job's.
  const begin = async () => await log?.begun(job.key, job.fingerprint, before.run);
  await begin();
  const originals = await moveOriginals(job, before, directory);
  const left = before.originals.filter((original) => !originals.some(({ path }) => path === original.path));
  const moved = {
    ...before,
    originals,
    outputs: [...before.outputs, ...left],
    processing: null,
    generated: timeAfter(before.generated),
  };
  // An output may take the name that an original had: from here on the original is looked for under its new one.
  if (job.outputs.length > 0) {
    log?.done(job.key, moved);
    await begin();
  }
  const outputs = await makeOutputs(job.outputs, originals, before.run, directory);
  // Where an original lay before nobody would look for it again, unless an output has taken the place.
  for (const original of left) {
    if (!outputs.some(({ path }) => path === original.path)) await removeOriginal(original, job, directory);
  }
  return { ...moved, processing: job.processing, outputs };
}

/** Copies originals to where the job has them now: `fox.png` is `fox.original.png` once something takes its name. */
async function moveOriginals(job: BatchJob, { originals }: LockEntry, directory: string): Promise<LockedFile[]> {
  const moved: LockedFile[] = [];
  for (const [index, original] of originals.entries()) {
    const planned = job.originals[index];
    // The extension follows the bytes, not the request.
    const path =
      planned === undefined ? original.path : withExtension(relativePath(planned, directory), extname(original.path));
    if (path !== original.path) await copy(join(directory, original.path), join(directory, path));
    moved.push({ ...original, path });
  }
  return moved;
}

async function copy(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch((error: unknown) => {
    throw new ImggenError('output', `cannot copy ${from} to ${to}`, { cause: messageOf(error) });
  });
}

/**
 * Removes an original that is as it was made. One that lies neither below the batch file's directory nor beside a file
 * that the job declares stays: somebody may have edited the lock file. Throws ImggenError `output`.
 */
export async function removeOriginal(original: LockedFile, job: BatchJob, directory: string): Promise<void> {
  const path = join(directory, original.path);
  const isBeside = pathsOf(job).some((declared) => dirname(resolve(declared)) === dirname(resolve(path)));
  if ((isBeside || isBelow(path, directory)) && stateOf(original, directory) === 'same') await remove(path);
}

/** Removes a file, if it is there. Throws ImggenError `output`. */
export async function remove(path: string): Promise<void> {
  await rm(path, { force: true }).catch((error: unknown) => {
    throw new ImggenError('output', `cannot remove ${path}`, { cause: messageOf(error) });
  });
}

function withExtension(path: string, extension: string): string {
  return `${path.slice(0, path.length - extname(path).length)}${extension}`;
}

/** Makes outputs from originals, in the order of `outputs`. `run` names the part files. Throws ImggenError. */
export async function makeOutputs(
  outputs: readonly Output[],
  originals: readonly LockedFile[],
  run: string,
  directory: string,
): Promise<LockedFile[]> {
  const made: LockedFile[] = [];
  for (const [position, { from, edit, path }] of outputs.entries()) {
    const original = originals[from];
    if (!original) throw new ImggenError('incomplete', `there is no image ${from + 1} to make ${path} from`);
    // What is not converted has the format of the original, which need not be the one that was asked for.
    const to = edit.convert === null ? withExtension(path, extname(original.path)) : path;
    const name = `${run}-v${position + 1}`;
    const file = await makeRendition(join(directory, original.path), edit, to, name, async ({ part, facts }) => ({
      ...facts,
      path: await replace(part, to),
    }));
    made.push(lockedFile(file, directory));
  }
  return made;
}
