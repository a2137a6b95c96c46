import { eachLine } from '../../files/lines.ts';
import { isObject, parsed } from '../../json.ts';
import { isEntry } from './entry.ts';
import type { LockEntry } from './types.ts';

/** What stands before the jobs and after them, without white space. */
const head = '{"version":1,"jobs":{';
const tail = '}}';

/**
 * Reads a lock file as imggen writes it, job by job, so that one of any size needs little memory. Returns false when
 * something is not as imggen writes it: a file that somebody formatted anew, or a broken one. What was found by then
 * stands. Throws what the file system throws.
 */
export function readOwnFormat(path: string, keep: (key: string, entry: LockEntry) => void): boolean {
  let isOwn = true;
  /** Everything but the jobs. */
  let around = '';
  let block: string[] | undefined;
  /** Whether another job may follow: at first, and after a comma. */
  let isOpen = true;
  let count = 0;
  eachLine(path, (line) => {
    if (!isOwn) return;
    if (block === undefined && line.startsWith('    "')) {
      isOwn = isOpen && around === head;
      block = [];
    }
    if (block === undefined) {
      around += line.replace(/\s+/g, '');
      isOwn = around.length <= head.length + tail.length;
      return;
    }
    const text = line.trimEnd();
    if (text !== '    }' && text !== '    },') {
      block.push(text);
      return;
    }
    isOpen = text.endsWith(',');
    isOwn &&= keepBlock(`{${block.join('')}}}`, keep);
    block = undefined;
    count += 1;
  });
  return isOwn && block === undefined && (count === 0 || !isOpen) && around === head + tail;
}

function keepBlock(text: string, keep: (key: string, entry: LockEntry) => void): boolean {
  const value = parsed(text);
  const [job, ...others] = isObject(value) ? Object.entries(value) : [];
  if (job === undefined || others.length > 0 || !isEntry(job[1])) return false;
  keep(job[0], job[1]);
  return true;
}
