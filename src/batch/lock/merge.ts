import { existsSync } from 'node:fs';
import { ImggenError } from '../../errors.ts';
import { compactEntry, entryOf, laterOf } from './entry.ts';
import { LockLog } from './log.ts';
import { logPathOf } from './paths.ts';
import type { LockEntry } from './types.ts';
import { change, isLaterRun, readOne } from './view.ts';
import type { Machine } from '../../files/owner.ts';

/**
 * Joins the parts of shards, with their logs where there are any, into a lock file, which need not exist yet. Of what
 * several say of a job the latest counts; neither the order of the parts nor a second time makes a difference.
 * Returns how many jobs it changed.
 *
 * Throws ImggenError `config` when a part is missing or broken, before anything is written; `output` when a living
 * process has the lock file or it cannot be written.
 */
export async function mergeLocks(target: string, parts: readonly string[], machine: Machine): Promise<number> {
  // A shell's `….lock.*` names a part's log too; of a shard that was killed it may be all there is.
  const paths = new Set(parts.map((path) => (path.endsWith('.jsonl') ? path.slice(0, -1) : path)));
  const found = [...paths].map(readPart);
  const log = LockLog.open(target, machine, { alone: true });
  const changed = new Set<string>();
  try {
    for (const { lock } of found) {
      for (const [key, text] of lock.texts()) {
        if (!isNews(log.entries.get(key), text)) continue;
        log.done(key, entryOf(text));
        changed.add(key);
      }
    }
    const begun = found.flatMap(({ fold }) => [...fold.begun]);
    const writes = [];
    for (const [key, job] of begun) {
      if (isLaterRun(job, log.entries.get(key)) && isLaterRun(job, log.pending.get(key)))
        writes.push(log.begun(key, job.fingerprint, job.run));
    }
    await Promise.all(writes);
  } finally {
    await log.close();
  }
  return changed.size;
}

function isNews(known: LockEntry | undefined, text: string): boolean {
  if (known === undefined) return true;
  const knownText = compactEntry(known);
  return laterOf(knownText, text) !== knownText;
}

function readPart(path: string) {
  if (!existsSync(path) && !existsSync(logPathOf(path))) {
    throw new ImggenError('config', `there is no lock part ${path}`, {
      hint: 'name the parts that the shards wrote: <file>.lock.<i>-of-<n>.json',
    });
  }
  const part = readOne(path);
  change(part.lock, part.fold);
  return part;
}
