import { ImggenError } from '../../errors.ts';
import { planPart, planRun } from '../../generate/plan.ts';
import { imagesAre, type Report } from '../../generate/report.ts';
import { resumeRun } from '../../generate/resume.ts';
import { runPlan } from '../../generate/run.ts';
import type { Services } from '../../generate/services.ts';
import { readRun } from '../../journal/read.ts';
import type { Run } from '../../journal/types.ts';
import { tooFew } from '../jobs/due.ts';
import { begunOf, isObtainable, shortAnswerLimit } from '../jobs/holdings.ts';
import type { BatchJob, Due } from '../jobs/types.ts';
import type { LockLog } from '../lock/log.ts';
import type { LockEntry } from '../lock/types.ts';
import { Gathered, type Performed } from './gathered.ts';
import { type Budget, NotBegun } from './limits.ts';
import { convertAgain, makeOutputs, removeOriginal } from './outputs.ts';

/** What doing a job needs besides the job. */
export interface PerformContext {
  /** Of the batch file: the lock's paths are relative to it. */
  directory: string;
  /** Undefined without a lock file. */
  log: LockLog | undefined;
  /** Whether images that are there are generated again. */
  force: boolean;
  budget: Budget;
  services: Services;
  /** Of the gateway's emulator in this process. */
  sandboxUrl: string | undefined;
}

/** A job that lacks images which no run can bring any more; those that came are safe and noted. */
export class FellShort extends ImggenError {
  readonly performed: Performed;

  constructor(message: string, cause: string, hint: string, performed: Performed) {
    super('incomplete', message, { cause, hint });
    this.performed = performed;
  }
}

/**
 * Does one job: finishes the runs that other processes began, generates the images that are then missing, and makes
 * what is declared of them. The lock has each run before anything is sent, and the entry once every file has its name.
 * Throws ImggenError; what was paid for can then be finished by the next batch, or by `imggen resume`.
 */
export async function performJob(job: BatchJob, { work, why }: Due, context: PerformContext): Promise<Performed> {
  const { log, directory, force } = context;
  if (work === 'fail') throw asksNoMore(why);
  const before = log?.entries.get(job.key);
  const gathered = new Gathered(job, before, directory, force);
  const whole =
    work === 'convert' && before
      ? await convertAgain(job, before, log, directory)
      : await gather(job, gathered, context);
  // The originals too: after a crash they are still known to be the job's.
  log?.done(job.key, whole);
  const entry = job.keepOriginal ? whole : { ...whole, originals: [] };
  if (!job.keepOriginal) {
    // What is made from an image is safe and noted: only now the image may go.
    for (const file of whole.originals) await removeOriginal(file, job, directory);
    log?.done(job.key, entry);
  }
  return gathered.performed(entry);
}

/** Brings every image of a job, and makes what is declared of them. Throws FellShort when some cannot be had. */
async function gather(job: BatchJob, gathered: Gathered, context: PerformContext): Promise<LockEntry> {
  const { log, directory, force } = context;
  const before = log?.entries.get(job.key);
  const begun = begunOf(log, job.key).filter(({ run }) => run !== before?.run);
  for (const { run: id, fingerprint } of begun) {
    if (force || fingerprint !== job.fingerprint) await settle(id, job, context);
    else {
      const run = await finish(id, job, context);
      if (run) take(run, gathered, context);
    }
  }
  const { missing } = gathered;
  if (missing.length > 0) {
    // What came is noted before anything more is paid for: a kill from here on must not hide it.
    if (gathered.hasAnswer) log?.done(job.key, gathered.entry());
    if (gathered.shortAnswers >= shortAnswerLimit) throw asksNoMore(tooFew(gathered.size, job));
    const { run, reasons } = await buy(job, missing, begun.length > 0, context);
    take(run, gathered, context);
    if (gathered.missing.length > 0) throw fellShort(job, gathered, reasons, context);
  }
  const entry = gathered.entry();
  // Other runs may follow an older version of the job: other names, and other things to make.
  if (missing.length < job.count)
    return await convertAgain(job, { ...entry, processing: 'of another version' }, log, directory);
  const results = job.hidesOriginal ? job.count : 0;
  const made = gathered.made.size === results ? entry.outputs : [];
  const outputs = [
    ...made,
    ...(await makeOutputs(job.outputs.slice(made.length), entry.originals, entry.run, directory)),
  ];
  return { ...entry, processing: job.processing, outputs };
}

function take(run: Run, gathered: Gathered, { services }: PerformContext): void {
  const surplus = gathered.add(run).map(({ path }) => path);
  if (surplus.length > 0)
    services.onWarning(`what is beyond the ${run.asked.n} that were asked for is saved, too: ${surplus.join(' ')}`);
}

/** Generates the images of some positions. Throws ImggenError, also when the run can still bring what is missing. */
async function buy(
  job: BatchJob,
  positions: readonly number[],
  again: boolean,
  context: PerformContext,
): Promise<{ run: Run; reasons: string[] }> {
  const { log, services, budget } = context;
  // A run that was just finished may have taken the names that were free when the job was read.
  const whole = again
    ? planRun({ prompt: job.plan.request.prompt, extra: job.plan.request.extra, collision: 'overwrite' }, job.resolved)
    : job.plan;
  const plan = positions.length === job.count ? whole : planPart(whole, positions);
  const cost = worstCase(job, positions.length);
  if (!budget.take(cost)) throw new NotBegun('incomplete', '--max-images is reached');
  await log?.begun(job.key, job.fingerprint, plan.id);
  try {
    const report = await runPlan(plan, valuesOf(job, context), services);
    if (report.interrupted) throw report.interrupted;
    return { run: settled(report), reasons: [...new Set(report.failed.map(({ reason }) => reason))] };
  } catch (error) {
    const outcome = readRun(services.state, plan.id)?.outcome;
    if (outcome === undefined || outcome === 'failed') log?.givenUp(job.key);
    if (outcome === 'failed') budget.giveBack(cost);
    throw error;
  }
}

/** Finishes a run of the job that was begun before; undefined when it has nothing. Throws ImggenError when it can still bring an image. */
async function finish(id: string, job: BatchJob, context: PerformContext): Promise<Run | undefined> {
  const { services, sandboxUrl } = context;
  const begun = readRun(services.state, id);
  // The emulator that had its images is gone.
  if (!begun || begun.asked.sandbox) return undefined;
  if (sandboxUrl !== undefined)
    throw new ImggenError('incomplete', `its run ${id} was paid for and is not finished, which the sandbox cannot do`);
  const report = await resumeRun(id, false, valuesOf(job, context), services);
  if (!report)
    throw new ImggenError('incomplete', `another process works on its run ${id}`, {
      hint: 'wait for it, then run the batch again',
    });
  const run = settled(report);
  if (run.answered === null && run.outcome === 'unknown')
    services.onWarning(`its run ${id} ended without an answer, and may have been charged; it is generated again`);
  return run;
}

/** Takes what still comes of a run for an older version of the job: later it would replace what is made now. */
async function settle(id: string, job: BatchJob, context: PerformContext): Promise<void> {
  const { services } = context;
  const begun = readRun(services.state, id);
  if (!begun || begun.asked.sandbox) return;
  try {
    await resumeRun(id, false, valuesOf(job, context), services);
  } catch (error) {
    // Nobody needs these images any more.
    if (!(error instanceof ImggenError)) throw error;
  }
}

/** The run of a report that can bring no more images. Throws ImggenError when it still can. */
function settled({ run, failed }: Report): Run {
  const { asked, answered, images } = run;
  const requestId = answered?.requestId ?? undefined;
  if (answered?.pending)
    throw new ImggenError(
      'pending',
      `task ${answered.taskId ?? '(without an id)'} is not finished (${answered.taskStatus})`,
      {
        hint: 'it is paid for: imggen config set taskUrl <url with {task_id}>, then run the batch again',
        requestId,
      },
    );
  if (!images.some(isObtainable)) return run;
  const code = failed.some(({ output }) => output) ? 'output' : 'incomplete';
  throw new ImggenError(code, imagesAre(failed.length, asked.n, 'not saved'), {
    cause: failed.map(({ index, reason }) => `image ${index}: ${reason}`).join('; '),
    hint: 'they are paid for; the next run of the batch downloads them',
    requestId,
  });
}

/** Notes the images that a job has, and that it lacks others. */
function fellShort(job: BatchJob, gathered: Gathered, reasons: readonly string[], { log }: PerformContext): FellShort {
  const entry = gathered.entry();
  log?.done(job.key, entry);
  const isLast = gathered.shortAnswers >= shortAnswerLimit;
  return new FellShort(
    imagesAre(gathered.missing.length, job.count, 'not saved'),
    reasons.join('; '),
    isLast ? forceHint : 'the next run of the batch generates the missing ones alone',
    gathered.performed(entry),
  );
}

const forceHint = 'only --force asks again, and pays again';

function asksNoMore(message: string): ImggenError {
  return new ImggenError('incomplete', message, { hint: forceHint });
}

/** How many images a request may be charged for: a try whose outcome is unknown counts when it is repeated. */
function worstCase({ resolved: { values } }: BatchJob, count: number): number {
  return count * (values.retryUnknown ? values.retries + 1 : 1);
}

function valuesOf({ resolved: { values } }: BatchJob, { sandboxUrl }: PerformContext) {
  // The originals go last: variants are made from them too.
  return { ...values, keepOriginal: true, ...(sandboxUrl !== undefined && { baseUrl: sandboxUrl }) };
}
