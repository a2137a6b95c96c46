import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { foldRun } from './fold.ts';
import type { OpenRun, Run } from './types.ts';

export function runsDirectory(state: string): string {
  return join(state, 'runs');
}

export function runPath(state: string, run: string): string {
  return join(runsDirectory(state), `${run}.jsonl`);
}

/** A run; undefined when its file is missing, unreadable or not a run's. */
export const readRun: (state: string, id: string) => Run | undefined = openRun;

/** The same for the one that adds entries to it. */
export function openRun(state: string, id: string): OpenRun | undefined {
  let text: string;
  try {
    text = readFileSync(runPath(state, id), 'utf8');
  } catch {
    return undefined;
  }
  return foldRun(text);
}
