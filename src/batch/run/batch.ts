import { setMaxListeners } from 'node:events';
import { type ExitCode, usageError } from '../../errors.ts';
import type { Services } from '../../generate/services.ts';
import { readRun } from '../../journal/read.ts';
import { ensureConverter } from '../../renditions/sharp.ts';
import { input } from '../../terminal/ask.ts';
import { readBatchFile } from '../file/read.ts';
import type { BatchFile } from '../file/types.ts';
import { begunOf } from '../jobs/holdings.ts';
import { JobReader } from '../jobs/job.ts';
import { Selection } from '../jobs/select.ts';
import { type Survey, survey } from '../jobs/survey.ts';
import { upToDate } from '../jobs/types.ts';
import { LockLog } from '../lock/log.ts';
import { viewLock } from '../lock/view.ts';
import { mergeLocks } from '../lock/merge.ts';
import { lockPathOf, logPathOf, partPathOf } from '../lock/paths.ts';
import type { LockView } from '../lock/types.ts';
import { showFailures } from '../report/failures.ts';
import { addStepSummary, stepSummary } from '../report/github.ts';
import { showCheck, showDryRun, showMistakes } from '../report/plan.ts';
import { createReporter } from '../report/reporter.ts';
import { Budget, SharedPace } from './limits.ts';
import { performJob } from './perform.ts';
import { confirmPrune, prune } from './prune.ts';
import { nothingDone, runJobs, type Summary } from './run.ts';
import type { Batch } from './types.ts';

export { batchSchema } from '../jobs/schema.ts';

/** Does what the flags say with a batch file. Returns the exit code; throws ImggenError for what ends all of it. */
export async function runBatch(batch: Batch): Promise<ExitCode> {
  const { file, flags, terminal, host } = batch;
  const main = flags.lock ?? (file === '-' ? undefined : lockPathOf(file));
  if (flags.mergeLocks) {
    if (main === undefined) throw usageError('--merge-locks needs a batch file, or --lock');
    const changed = await mergeLocks(main, flags.mergeLocks, host.machine);
    terminal.info(`${main}: ${changed} ${changed === 1 ? 'job' : 'jobs'} taken over`);
    return 0;
  }
  const content = await readBatchFile(file === '-' ? input(host) : file);
  if (main === undefined) return await withLock(undefined, undefined, content, batch);
  const path = flags.shard ? partPathOf(main, flags.shard) : main;
  const beside = { base: flags.shard && main };
  if (flags.check || flags.dryRun) return await withLock(await viewLock(path, beside), undefined, content, batch);
  const log = await LockLog.open(path, host.machine, beside);
  try {
    return await withLock(log, log, content, batch);
  } finally {
    await log.close();
  }
}

/** The files of the batch itself, and what each is. */
function ownFiles({ file, flags: { lock, shard } }: Batch): Map<string, string> {
  const isStdin = file === '-';
  const main = lock ?? (isStdin ? undefined : lockPathOf(file));
  const locks = main === undefined ? [] : [main, ...(shard ? [partPathOf(main, shard)] : [])];
  return new Map([
    ...(isStdin ? [] : [[file, 'the batch file'] as const]),
    ...locks.flatMap((path) => [path, logPathOf(path)].map((each) => [each, 'the lock file'] as const)),
  ]);
}

/** @param log undefined where nothing is done, or there is no lock file */
async function withLock(
  lock: LockView | undefined,
  log: LockLog | undefined,
  content: BatchFile,
  batch: Batch,
): Promise<ExitCode> {
  const { flags } = batch;
  const selection = new Selection(flags.only ?? [], flags.shard);
  const surveyed = look(content, lock, selection, batch);
  if (surveyed.mistakes.length > 0) return await showMistakes(surveyed.mistakes, 'usage', batch);
  const [idle] = selection.idle;
  if (idle !== undefined)
    throw usageError(
      `--only ${idle} matches no job`,
      'it is compared with the first file of each: imggen batch <file> --dry-run --force',
    );
  if (flags.check) return await showCheck(surveyed, batch);
  if (surveyed.taken.length > 0) return await showMistakes(surveyed.taken, 'output', batch);
  if (surveyed.formats.size > 0) await ensureConverter(surveyed.formats);
  if (flags.dryRun) return await showDryRun(surveyed, batch);
  await confirmPrune(surveyed.gone, batch);
  const exit = await execute(surveyed, log, batch);
  // A job whose new name could not be filled keeps what it had under the old one.
  if (log && exit === 0) await prune(surveyed.gone, surveyed, log, batch);
  return exit;
}

function look(content: BatchFile, lock: LockView | undefined, selection: Selection, batch: Batch): Survey {
  const { flags, given, settings, directory } = batch;
  const reader = new JobReader({
    directory,
    defaults: content.defaults,
    flags: given,
    extra: flags.param ?? {},
    origin: new URL(settings.values.baseUrl).origin,
    layers: settings.layers,
  });
  return survey(content, reader, {
    directory,
    force: flags.force === true,
    sandbox: settings.values.sandbox,
    overwrite: flags.overwrite === true,
    selection,
    known: (key) => ({
      entry: lock?.entries.get(key),
      begun: begunOf(lock, key),
      run: (id) => readRun(settings.directories.state, id),
    }),
    own: ownFiles(batch),
    locked: flags.prune ? [...(lock?.entries.keys() ?? [])].filter((key) => selection.has(key)) : [],
  });
}

/** Does the jobs that are due. Returns the exit code of all of them together. */
async function execute(surveyed: Survey, log: LockLog | undefined, batch: Batch): Promise<ExitCode> {
  const { flags, terminal, host, file, directory } = batch;
  const { due, fresh, images, isDeclared } = surveyed;
  const startedAt = performance.now();
  const stop = new AbortController();
  // Each job in flight listens to both: from eleven on Node would take them for a leak.
  setMaxListeners(0, host.signal, stop.signal);
  const pace = new SharedPace(flags.rate, stop);
  const budget = new Budget(flags.maxImages);
  const reporter = createReporter(flags.json === true, file, host, terminal);
  const doJobs = (services: Services, sandboxUrl: string | undefined): Promise<Summary> =>
    runJobs(
      due,
      { concurrency: flags.concurrency, failFast: flags.failFast === true },
      {
        stop,
        signal: host.signal,
        emit: (event) => reporter.emit(event),
        perform: ({ job, due: what }) =>
          performJob(job, what, {
            directory,
            log,
            force: flags.force === true,
            budget,
            sandboxUrl,
            services: { ...services, ...reporter.ofJob(job.key), isTaken: isDeclared },
          }),
      },
    );
  try {
    const jobs = fresh.length + due.length;
    await reporter.emit({ type: 'planned', jobs, due: due.length, up_to_date: fresh.length, images });
    for (const job of fresh) await reporter.emit({ type: 'skipped', job, why: upToDate });
    const summary = due.length === 0 ? nothingDone() : await batch.connect({ needsKey: images > 0, pace }, doJobs);
    const { failures: _failures, cutShort: _cutShort, stopped: _stopped, ...counts } = summary;
    const elapsedMs = Math.round(performance.now() - startedAt);
    await reporter.emit({ type: 'summary', jobs, ...counts, elapsed_ms: elapsedMs });
    showFailures(summary, batch);
    addStepSummary(stepSummary(file, fresh.length, jobs, summary, elapsedMs), host, terminal);
    return summary.exit;
  } finally {
    reporter.stop();
  }
}
