import { join } from 'node:path';
import { stateOf } from '../../batch/jobs/due.ts';
import { remove } from '../../batch/run/outputs.ts';
import type { Survey } from '../../batch/jobs/survey.ts';
import { ImggenError } from '../../errors.ts';
import type { LockLog } from '../../batch/lock/log.ts';
import { askYesNo } from '../../terminal/ask.ts';
import { oneLine } from '../../terminal/sanitize.ts';
import type { Batch } from './context.ts';

/** Asks before the files of jobs that are gone are removed, unless --yes has said it. Throws ImggenError `interrupted` for a no. */
export async function confirmPrune(gone: readonly string[], { flags, terminal, host }: Batch): Promise<void> {
  if (gone.length === 0 || flags.yes) return;
  for (const key of gone) terminal.info(`  ${oneLine(key)}`);
  const question = `Remove the files of ${gone.length === 1 ? 'this job, which is' : `these ${gone.length} jobs, which are`} gone? [y/N] `;
  if (!(await askYesNo(question, host))) throw new ImggenError('interrupted', 'nothing was done');
}

/**
 * Removes the files of jobs that are gone, and their entries. A file that another job declares, or that is not as it
 * was made, stays. Throws ImggenError `output` when one cannot be removed.
 */
export async function prune(
  gone: readonly string[],
  { isDeclared }: Survey,
  log: LockLog,
  { directory, terminal }: Batch,
): Promise<void> {
  for (const key of gone) {
    const entry = log.entries.get(key);
    for (const file of entry ? [...entry.originals, ...entry.outputs] : []) {
      const path = join(directory, file.path);
      if (isDeclared(path)) continue;
      const state = stateOf(file, directory);
      if (state === 'altered') terminal.warn(`${file.path} was altered, and stays`);
      if (state !== 'same') continue;
      await remove(path);
      terminal.info(`removed ${oneLine(path)}`);
    }
    log.dropped(key);
  }
}
