import { setMaxListeners } from 'node:events';
import { Budget } from '../../batch/run/budget.ts';
import { SharedPace } from '../../batch/run/pace.ts';
import { performJob } from '../../batch/run/perform.ts';
import { runJobs, type Summary } from '../../batch/run/run.ts';
import type { Survey } from '../../batch/jobs/survey.ts';
import { upToDate } from '../../batch/jobs/types.ts';
import type { ExitCode } from '../../errors.ts';
import type { LockLog } from '../../batch/lock/log.ts';
import type { Batch } from './context.ts';
import { createReporter, reasonOf } from '../../batch/report/reporter.ts';
import { addStepSummary, annotate } from '../../batch/report/github.ts';
import { withServices } from '../services.ts';
import { stepSummary } from '../../batch/report/step-summary.ts';

const nothingDone: Summary = {
  saved: 0,
  failed: 0,
  skipped: 0,
  images: 0,
  usage: {},
  exit: 0,
  stopped: undefined,
  failures: [],
};

/** Does the jobs that are due. Returns the exit code of all of them together. */
export async function execute(surveyed: Survey, log: LockLog | undefined, batch: Batch): Promise<ExitCode> {
  const { flags, settings, terminal, host, directory, file } = batch;
  const startedAt = performance.now();
  const stop = new AbortController();
  // Each job in flight listens to both: from eleven on Node would take them for a leak.
  setMaxListeners(0, host.signal, stop.signal);
  const pace = new SharedPace(flags.rate, stop);
  const budget = new Budget(flags.maxImages);
  const reporter = createReporter(flags.json === true, file, host, terminal);
  const run = async (): Promise<Summary> => {
    const { due, fresh, images } = surveyed;
    await reporter.emit({
      type: 'planned',
      jobs: fresh.length + due.size,
      due: due.size,
      up_to_date: fresh.length,
      images,
    });
    for (const job of fresh) await reporter.emit({ type: 'skipped', job, why: upToDate });
    if (due.size === 0) return nothingDone;
    return await withServices(settings, { needsKey: images > 0, pace }, host, terminal, (services, sandboxUrl) =>
      runJobs(
        due,
        { concurrency: flags.concurrency, failFast: flags.failFast === true },
        {
          stop,
          signal: host.signal,
          emit: (event) => reporter.emit(event),
          perform: (job, what) =>
            performJob(job, what, {
              directory,
              log,
              budget,
              sandboxUrl,
              services: { ...services, ...reporter.ofJob(job.key) },
            }),
        },
      ),
    );
  };
  try {
    const summary = await run();
    const { saved, failed, skipped, images, usage, exit, failures } = summary;
    const elapsedMs = Math.round(performance.now() - startedAt);
    await reporter.emit({
      type: 'summary',
      jobs: surveyed.fresh.length + surveyed.due.size,
      saved,
      failed,
      skipped,
      images,
      usage,
      exit,
      elapsed_ms: elapsedMs,
    });
    if (!flags.json) listFailures(summary, batch);
    for (const { job, error } of failures)
      annotate({ file, at: job.at, message: `${job.key}: ${reasonOf(error)}` }, host, terminal);
    addStepSummary(stepSummary(file, surveyed, summary, elapsedMs), host, terminal);
    return exit;
  } finally {
    reporter.stop();
  }
}

/** What went wrong, where it is still seen when everything else has scrolled away. */
function listFailures({ failures, failed, skipped, stopped }: Summary, { file, terminal }: Batch): void {
  if (failed > 0) terminal.problem(`${failed} ${failed === 1 ? 'job' : 'jobs'} failed`);
  for (const { job, error } of failures) {
    terminal.problem(`${job.key} (${file}:${job.at.line}): ${reasonOf(error)}`, 'cause');
  }
  if (skipped > 0)
    terminal.problem(`${skipped} ${skipped === 1 ? 'job was' : 'jobs were'} not begun: ${stopped ?? ''}`);
  const hint = failures.find(({ error }) => error.hint !== null)?.error.hint;
  const wayOut = hint ?? (file === '-' ? undefined : `to go on: imggen batch ${file}`);
  if (failed + skipped > 0 && wayOut !== undefined) terminal.problem(wayOut, 'hint');
}
