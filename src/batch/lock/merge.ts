import { existsSync } from 'node:fs';
import { ImggenError } from '../../errors.ts';
import type { Machine } from '../../files/owner.ts';
import { isNews } from './entry.ts';
import { LockLog } from './log.ts';
import { logPathOf } from './paths.ts';
import { viewLock } from './view.ts';

/**
 * Joins the parts of shards, with their logs where there are any, into a lock file, which need not exist yet. The latest
 * entry of each job counts; neither the order of the parts nor a second time makes a difference. Returns how many jobs
 * it changed.
 *
 * Throws ImggenError `config` when a part is missing or broken, before anything is written; `output` when a living
 * process has the lock file or it cannot be written.
 */
export async function mergeLocks(target: string, names: readonly string[], machine: Machine): Promise<number> {
  // A shell's `….lock.*` also names the log of a part; a shard that was killed may have left nothing else.
  const parts = [...new Set(names.map((path) => (path.endsWith('.jsonl') ? path.slice(0, -1) : path)))];
  const missing = parts.find((path) => !existsSync(path) && !existsSync(logPathOf(path)));
  if (missing !== undefined) {
    throw new ImggenError('config', `there is no lock part ${missing}`, {
      hint: 'name the parts that the shards wrote: <file>.lock.<i>-of-<n>.json',
    });
  }
  const log = await LockLog.open(target, machine, { parts });
  try {
    const { before, entries, pending } = await viewLock(target, { parts });
    // What is pending in a part moves to the log of the lock file; close() takes up the entries.
    for (const [key, runs] of pending) for (const { fingerprint, run } of runs) await log.begun(key, fingerprint, run);
    return [...entries].filter(([key, entry]) => isNews(entry, before.get(key))).length;
  } finally {
    await log.close();
  }
}
