import { readFileSync } from 'node:fs';
import { ImggenError, messageOf } from '../../errors.ts';
import { isObject } from '../../json.ts';
import { isEntry } from './entry.ts';
import type { LockEntry } from './types.ts';

/** What git, Mercurial and others put around the two sides of a conflict. */
const conflict = /^(?:<{7}|>{7}|\|{7}) |^={7}$/;

/**
 * Reads any JSON text of a lock file. Throws ImggenError `config` when it is none, with the line when it can be told,
 * and what the file system throws.
 */
export function parseLock(path: string, keep: (key: string, entry: LockEntry) => void): void {
  const text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  const marked = text.split('\n').findIndex((line) => conflict.test(line.trimEnd()));
  if (marked >= 0) {
    throw new ImggenError('config', `${path}:${marked + 1}: an unresolved merge conflict`, {
      hint: 'keep the jobs of both sides, each once, with a comma between them; a job that is left out is generated again',
    });
  }
  const value = parse(path, text);
  if (!isObject(value) || !isObject(value.jobs)) throw broken(path, 'it has no "jobs"');
  if (value.version !== 1) {
    throw new ImggenError(
      'config',
      `${path} is of version ${JSON.stringify(value.version) ?? 'unknown'}, and this imggen knows only 1`,
      {
        hint: 'use the imggen that wrote it, or a newer one',
      },
    );
  }
  for (const [key, entry] of Object.entries(value.jobs)) {
    if (!isEntry(entry)) throw broken(path, `what it says of ${JSON.stringify(key)} is not a job's entry`);
    keep(key, entry);
  }
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw broken(`${path}:${brokenLine(text)}`, messageOf(error));
  }
}

/** The line, from 1, of the first mistake: the least number of lines that nothing can complete. */
function brokenLine(text: string): number {
  const lines = text.trimEnd().split('\n');
  let [complete, wrong] = [0, lines.length];
  while (wrong - complete > 1) {
    const middle = (complete + wrong) >> 1;
    if (isStart(lines.slice(0, middle).join('\n'))) complete = middle;
    else wrong = middle;
  }
  return wrong;
}

/** Whether a text that is no JSON is only too short. V8 names the position of a mistake, or that the text has ended, or quotes. */
function isStart(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const reason = messageOf(error);
    return reason.includes('end of JSON') || Number(/at position (\d+)/.exec(reason)?.[1]) === text.length;
  }
}

function broken(place: string, cause: string): ImggenError {
  return new ImggenError('config', `${place}: a broken lock file`, {
    cause,
    hint: 'restore it from version control; jobs without an entry are generated again',
  });
}
