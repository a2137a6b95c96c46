import { existsSync } from 'node:fs';
import { ImggenError } from '../../errors.ts';
import type { Machine } from '../../files/owner.ts';
import { isNews } from './entry.ts';
import { LockLog } from './log.ts';
import { logPathOf } from './paths.ts';
import { changed, isAfter, joined, readOne } from './view.ts';

/**
 * Joins the parts of shards, with their logs where there are any, into a lock file, which need not exist yet. The latest
 * entry of each job counts; neither the order of the parts nor a second time makes a difference. Returns how many jobs
 * it changed.
 *
 * Throws ImggenError `config` when a part is missing or broken, before anything is written; `output` when a living
 * process has the lock file or it cannot be written.
 */
export async function mergeLocks(target: string, parts: readonly string[], machine: Machine): Promise<number> {
  // A shell's `….lock.*` also names the log of a part; a shard that was killed may have left nothing else.
  const paths = new Set(parts.map((path) => (path.endsWith('.jsonl') ? path.slice(0, -1) : path)));
  const found = [];
  for (const path of paths) {
    if (!existsSync(path) && !existsSync(logPathOf(path))) {
      throw new ImggenError('config', `there is no lock part ${path}`, {
        hint: 'name the parts that the shards wrote: <file>.lock.<i>-of-<n>.json',
      });
    }
    found.push(await readOne(path));
  }
  const lock = await LockLog.open(target, machine, { alone: true });
  const news = new Set<string>();
  // done() ends all runs of a job, also one that began after the entry of a part.
  const begun = [...lock.pending, ...found.flatMap(({ log }) => [...log.begun])];
  try {
    for (const [key, entry] of found.flatMap((part) => [...changed(part.lock, part.log)])) {
      if (!isNews(entry, lock.entries.get(key))) continue;
      lock.done(key, entry);
      news.add(key);
    }
    for (const [key, runs] of begun) {
      const open = runs.filter((begun) => isAfter(begun, lock.entries.get(key)));
      const known = lock.pending.get(key);
      const isKnown = open.every(({ run }) => known?.some((begun) => begun.run === run));
      if (!isKnown) for (const { fingerprint, run } of joined(known, open)) await lock.begun(key, fingerprint, run);
    }
  } finally {
    await lock.close();
  }
  return news.size;
}
