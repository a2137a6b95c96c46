import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ImggenError } from '../../errors.ts';
import type { LockLog } from '../lock/log.ts';
import { readRun } from '../../journal/read.ts';
import type { LockedFile, LockEntry } from '../lock/types.ts';
import type { Run } from '../../journal/types.ts';
import { type Plan, planRun } from '../../generate/plan.ts';
import type { Report } from '../../generate/report.ts';
import { resumeRun } from '../../generate/resume.ts';
import { runPlan } from '../../generate/run.ts';
import type { Services } from '../../generate/services.ts';
import type { Budget } from './budget.ts';
import { timeAfter } from './clock.ts';
import { convertAgain, lockedFile, makeOutputs, removeOriginal } from './outputs.ts';
import { NotBegun } from './pace.ts';
import type { BatchJob, Due } from '../jobs/types.ts';

/** What doing a job needs besides the job. */
export interface PerformContext {
  /** Of the batch file: what the lock's paths are relative to. */
  directory: string;
  /** Undefined without a lock file. */
  log: LockLog | undefined;
  budget: Budget;
  services: Services;
  /** Of the gateway's emulator in this process. */
  sandboxUrl: string | undefined;
}

/** A job that is done. */
export interface Performed {
  entry: LockEntry;
  /** What the job declares: paths as a process opens them. */
  paths: readonly string[];
  /** How many images were generated for it, now or by the run that was finished. */
  images: number;
}

/**
 * Does one job: finishes the run that a killed process began, or generates, then makes what is declared of the originals.
 * The lock has the run before anything is sent, and the entry once every file is under its name.
 * Throws ImggenError; what was paid for can then be finished by the next batch, or by `imggen resume`.
 */
export async function performJob(job: BatchJob, due: Due, context: PerformContext): Promise<Performed> {
  const { log, directory } = context;
  const before = due.work === 'convert' ? log?.entries.get(job.key) : undefined;
  const whole = before ? await convertAgain(job, before, log, directory) : await generated(job, due, context);
  // The originals too: until they are gone, the lock has to know them for the job's.
  log?.done(job.key, whole);
  const entry = job.keepOriginal ? whole : { ...whole, originals: [] };
  if (!job.keepOriginal) {
    // What is made from an image is safe, and known to be: only now the image may go.
    for (const file of whole.originals) await removeOriginal(file, job, directory);
    log?.done(job.key, entry);
  }
  return { entry, paths: toldPaths(job, entry, directory), images: before ? 0 : job.count };
}

async function generated(job: BatchJob, due: Due, context: PerformContext): Promise<LockEntry> {
  const { directory, log } = context;
  const begunBefore = log?.pending.get(job.key)?.at(-1)?.run;
  const previous = log?.entries.get(job.key)?.generated;
  const run = await obtain(job, due, context);
  const originals = filesOf(run, 'saved', directory);
  const made = filesOf(run, 'made', directory);
  const entry = { ...entryOf(job, run), generated: timeAfter(previous), originals, outputs: made };
  // What another process began may follow an older version of the job: other names, and other things to make.
  if (run.asked.run === begunBefore)
    return await convertAgain(job, { ...entry, processing: 'of another version' }, log, directory);
  return {
    ...entry,
    outputs: [...made, ...(await makeOutputs(job.outputs.slice(made.length), originals, run.asked.run, directory))],
  };
}

/** A run of the job of which every image is saved. */
async function obtain(job: BatchJob, { work }: Due, context: PerformContext): Promise<Run> {
  const { log, services } = context;
  const pending = log?.pending.get(job.key)?.at(-1)?.run;
  if (pending !== undefined) {
    const finished = work === 'resume' ? await finish(pending, job, context) : undefined;
    if (finished) return finished;
    if (work !== 'resume') await settle(pending, job, context);
    const isUnknown = readRun(services.state, pending)?.outcome === 'unknown';
    if (isUnknown)
      services.onWarning(
        `its run ${pending} ended without an answer, and may have been charged; it is generated again`,
      );
  }
  // What was finished just now may have the names that were free when the job was read.
  const plan = pending === undefined ? job.plan : planAgain(job);
  const cost = worstCase(job);
  if (!context.budget.take(cost)) throw new NotBegun('incomplete', '--max-images is reached');
  await log?.begun(job.key, job.fingerprint, plan.id);
  try {
    const report = await runPlan(plan, valuesOf(job, context), services);
    return complete(report);
  } catch (error) {
    const outcome = readRun(services.state, plan.id)?.outcome;
    if (outcome === undefined || outcome === 'failed') log?.givenUp(job.key);
    if (outcome === 'failed') context.budget.giveBack(cost);
    throw error;
  }
}

function planAgain({ plan: { request }, resolved }: BatchJob): Plan {
  return planRun({ prompt: request.prompt, extra: request.extra, collision: 'overwrite' }, resolved);
}

/** What a run that was begun before has, once it is finished; undefined when it cannot be had whole. */
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
  const { run } = report;
  if (run.answered?.pending) complete(report);
  const isWhole = run.outcome === 'saved' && run.images.every(({ saved }) => saved && existsSync(saved.path));
  // A download that failed may succeed another time: to generate again would be to pay again.
  if (!isWhole && run.images.some(({ saved, lost }) => saved === null && lost === null)) complete(report);
  return isWhole ? run : undefined;
}

/** Takes what still comes of a run for an older version of the job: later it would replace what is made now. */
async function settle(id: string, job: BatchJob, context: PerformContext): Promise<void> {
  if (readRun(context.services.state, id)?.asked.sandbox) return;
  try {
    await resumeRun(id, false, valuesOf(job, context), context.services);
  } catch (error) {
    // Nobody needs these images any more.
    if (!(error instanceof ImggenError)) throw error;
  }
}

/** How many images a job may be charged for: a try whose outcome is unknown counts when it is repeated. */
function worstCase({ count, resolved: { values } }: BatchJob): number {
  return count * (values.retryUnknown ? values.retries + 1 : 1);
}

function valuesOf({ resolved: { values } }: BatchJob, { sandboxUrl }: PerformContext) {
  // The originals go last: variants are made from them too.
  return { ...values, keepOriginal: true, ...(sandboxUrl !== undefined && { baseUrl: sandboxUrl }) };
}

/** The run of a report. Throws ImggenError when an image of it is missing. */
function complete({ run, failed, interrupted }: Report): Run {
  if (run.outcome === 'saved') return run;
  if (interrupted) throw interrupted;
  const requestId = run.answered?.requestId ?? undefined;
  if (run.answered?.pending) {
    throw new ImggenError(
      'pending',
      `task ${run.answered.taskId ?? '(without an id)'} is not finished (${run.answered.taskStatus})`,
      {
        hint: 'it is paid for: imggen config set taskUrl <url with {task_id}>, then run the batch again',
        requestId,
      },
    );
  }
  const code = failed.some(({ output }) => output) ? 'output' : 'incomplete';
  throw new ImggenError(
    code,
    `${failed.length} of ${run.asked.n} ${run.asked.n === 1 ? 'image is' : 'images are'} not saved`,
    {
      cause: failed.map(({ index, reason }) => `image ${index}: ${reason}`).join('; '),
      hint: 'what is paid for and can still be had, the next run of the batch fetches',
      requestId,
    },
  );
}

/** The images of a run, or what it made from them. */
function filesOf({ images }: Run, which: 'saved' | 'made', directory: string): LockedFile[] {
  return images.flatMap(({ [which]: file }) =>
    file ? [lockedFile({ path: file.path, ...file.facts }, directory)] : [],
  );
}

function entryOf(job: BatchJob, { asked, answered }: Run): Omit<LockEntry, 'originals' | 'outputs' | 'generated'> {
  return {
    fingerprint: job.fingerprint,
    processing: job.processing,
    run: asked.run,
    model: asked.model,
    request_id: answered?.requestId ?? null,
    task_id: answered?.taskId ?? null,
    usage: answered?.usage ?? null,
    ...(asked.sandbox && { sandbox: true as const }),
  };
}

function toldPaths(job: BatchJob, { originals, outputs }: LockEntry, directory: string): string[] {
  const files = job.hidesOriginal ? outputs : [...originals, ...outputs];
  return files.map(({ path }) => join(directory, path));
}
