import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { foldRun, parseEntries } from './fold.ts';
import type { Run } from './types.ts';

export function runsDirectory(state: string): string {
  return join(state, 'runs');
}

export function runPath(state: string, run: string): string {
  return join(runsDirectory(state), `${run}.jsonl`);
}

/** A run; undefined when its file is gone, cannot be read or tells no run. */
export function readRun(state: string, id: string): Run | undefined {
  let text: string;
  try {
    text = readFileSync(runPath(state, id), 'utf8');
  } catch {
    return undefined;
  }
  return foldRun(parseEntries(text));
}
