import type { EventError } from '../jobs/types.ts';
import type { Batch } from '../run/types.ts';
import type { Failure, Summary } from '../run/run.ts';
import { annotate } from './github.ts';
import { count, reasonOf } from './words.ts';

/** So many jobs of one reason are named. */
const namedJobs = 3;

/** Failures that have one reason. */
interface Group {
  jobs: string[];
  error: EventError;
}

/**
 * The end of a batch that could not do everything, on stderr: how many jobs are not done, each reason once, and what to
 * do next. In GitHub Actions each failure is an annotation as well.
 */
export function showFailures(summary: Summary, { file, flags, terminal, host }: Batch): void {
  const { failures, saved, failed, interrupted, skipped, stopped, cutShort } = summary;
  for (const { job, error } of failures)
    annotate({ file, at: job.at, message: `${job.key}: ${reasonOf(error)}` }, host, terminal);
  if (flags.json || failed + interrupted + skipped === 0) return;
  const groups = groupsOf(failures);
  if (failed > 0) {
    terminal.problem(`${failed} of ${count(saved + failed + interrupted + skipped, 'job')} failed`);
    for (const { jobs, error } of groups) terminal.problem(`${named(jobs)}: ${reasonOf(error)}`, 'cause');
  }
  if (interrupted > 0) {
    terminal.problem(`${stopped}: ${count(interrupted, 'job')} under way, ${skipped} not begun`);
    terminal.problem(`what was under way may have been charged: ${named(cutShort)}`, 'cause');
  } else if (skipped > 0) {
    terminal.problem(`${count(skipped, 'job')} ${skipped === 1 ? 'was' : 'were'} not begun: ${stopped ?? ''}`);
  }
  for (const hint of hintsOf(groups, summary, file === '-' && flags.lock === undefined)) terminal.problem(hint, 'hint');
}

function groupsOf(failures: readonly Failure[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { job, error } of failures) {
    const group = groups.get(error.message);
    if (group) group.jobs.push(job.key);
    else groups.set(error.message, { jobs: [job.key], error });
  }
  return [...groups.values()];
}

function named(jobs: readonly string[]): string {
  const more = jobs.length > namedJobs ? ` and ${jobs.length - namedJobs} more` : '';
  return `${jobs.slice(0, namedJobs).join(', ')}${more}`;
}

/** What to do about each reason, and then: the same command goes on where this one ended, unless nothing remembers that. */
function hintsOf(groups: readonly Group[], { skipped, interrupted }: Summary, isForgotten: boolean): Set<string> {
  const hints = new Set<string>();
  let isOpen = skipped + interrupted > 0;
  for (const { jobs, error } of groups) {
    // Of several runs none is named.
    if (error.hint !== null) hints.add(jobs.length === 1 ? error.hint : error.hint.replace(/ \(run [^)]*\)$/, ''));
    isOpen ||= error.hint === null;
  }
  if (isOpen)
    hints.add(
      isForgotten ? 'to be able to go on, name a lock file: --lock <path>' : 'to go on, run the same command again',
    );
  return hints;
}
