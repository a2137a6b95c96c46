import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateOf } from '../jobs/files.ts';
import { remove } from './outputs.ts';
import type { Survey } from '../jobs/survey.ts';
import { ImggenError } from '../../errors.ts';
import type { LockLog } from '../lock/log.ts';
import type { LockedFile } from '../lock/types.ts';
import { isBelow } from '../jobs/paths.ts';
import { isObject, parsed } from '../../json.ts';
import { askYesNo } from '../../terminal/ask.ts';
import { oneLine } from '../../terminal/sanitize.ts';
import type { Batch } from './types.ts';

/** Asks before the files of jobs that are gone are removed; not with --yes. Throws ImggenError `interrupted` for a no. */
export async function confirmPrune(gone: readonly string[], { flags, terminal, host }: Batch): Promise<void> {
  if (gone.length === 0 || flags.yes) return;
  for (const key of gone) terminal.info(`  ${oneLine(key)}`);
  const question = `Remove the files of ${gone.length === 1 ? 'this job, which is' : `these ${gone.length} jobs, which are`} gone? [y/N] `;
  if (!(await askYesNo(question, host))) throw new ImggenError('interrupted', 'nothing was done');
}

/**
 * Removes the files of jobs that are gone, with their sidecars, and their entries in the lock. A file stays when another
 * job declares it, when it is not as it was made, or when it is not below the batch file's directory: somebody may have
 * edited the lock file. Throws ImggenError `output` when one cannot be removed.
 */
export async function prune(
  gone: readonly string[],
  { isDeclared }: Survey,
  log: LockLog,
  { directory, terminal }: Batch,
): Promise<void> {
  for (const key of gone) {
    const entry = log.entries.get(key);
    for (const file of entry ? [...entry.originals, ...entry.outputs, ...(entry.surplus ?? [])] : []) {
      const path = join(directory, file.path);
      if (isDeclared(path)) continue;
      const state = stateOf(file, directory);
      if (state === 'missing') continue;
      if (!isBelow(path, directory))
        terminal.warn(`${oneLine(file.path)} is not below the directory of the batch file, and stays`);
      else if (state === 'altered') terminal.warn(`${oneLine(file.path)} was altered, and stays`);
      else {
        for (const each of [path, ...sidecarOf(path, file)]) {
          await remove(each);
          terminal.info(`removed ${oneLine(each)}`);
        }
      }
    }
    log.dropped(key);
  }
}

/** The sidecar of an image: the file beside it that has its hash. */
function sidecarOf(image: string, { sha256 }: LockedFile): string[] {
  const path = `${image}.json`;
  try {
    const document = parsed(readFileSync(path, 'utf8'));
    return isObject(document) && document.sha256 === sha256 ? [path] : [];
  } catch {
    return [];
  }
}
