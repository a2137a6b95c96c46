import pMap, { pMapSkip } from 'p-map';
import { type ExitCode, exitOfCode, ImggenError, messageOf } from '../../errors.ts';
import type { BatchEvent, BatchJob, DueJob, EventError } from '../jobs/types.ts';
import { type Performed, sumOf } from './gathered.ts';
import { NotBegun } from './limits.ts';
import { FellShort } from './perform.ts';

export interface RunOptions {
  concurrency: number;
  failFast: boolean;
}

/** What a batch needs of the world. */
export interface BatchWorld {
  perform: (due: DueJob) => Promise<Performed>;
  emit: (event: BatchEvent) => Promise<void>;
  /** Ends the wait of jobs that have not been sent. */
  stop: AbortController;
  /** Aborted when the user interrupts. */
  signal: AbortSignal;
}

/** How a batch ended. */
export interface Summary {
  saved: number;
  failed: number;
  /** Jobs that were under way when the user interrupted. */
  interrupted: number;
  /** Jobs that were not begun. */
  skipped: number;
  images: number;
  usage: Record<string, number>;
  exit: ExitCode;
  /** Why not every job was begun. */
  stopped: string | undefined;
  /** The jobs that failed, in the order in which it happened. */
  failures: Failure[];
  /** The keys of the interrupted jobs. */
  cutShort: string[];
}

export interface Failure {
  job: BatchJob;
  error: EventError;
}

export function nothingDone(): Summary {
  const counts = { saved: 0, failed: 0, interrupted: 0, skipped: 0, images: 0 };
  return { ...counts, usage: {}, exit: 0, stopped: undefined, failures: [], cutShort: [] };
}

/**
 * Does the jobs that are due, several at once. A failed job does not stop the others, unless --fail-fast says so or the
 * reason concerns all of them: then no further job is begun, and those under way go on to their end. An interruption
 * ends these too.
 */
export async function runJobs(jobs: readonly DueJob[], options: RunOptions, world: BatchWorld): Promise<Summary> {
  const { emit, stop, signal } = world;
  const summary = nothingDone();
  const exits = new Set<ExitCode>();
  const halt = (why: string) => stop.abort(new NotBegun('incomplete', why));
  signal.addEventListener('abort', () => halt('interrupted'), { once: true });
  if (signal.aborted) halt('interrupted');

  /** Why no further job is begun; undefined while the batch goes on. */
  const stopped = () => (summary.stopped ??= stop.signal.aborted ? messageOf(stop.signal.reason) : undefined);

  /** Where the events cannot be written no further job is begun; jobs under way are paid for, and go on. */
  const tell = async (event: BatchEvent) => {
    try {
      await emit(event);
    } catch (error) {
      if (!(error instanceof ImggenError)) throw error;
      exits.add(error.exit);
      halt(error.message);
    }
  };

  const skip = async (job: BatchJob) => {
    summary.skipped += 1;
    await tell({ type: 'skipped', job: job.key, why: stopped() ?? '' });
  };

  const count = ({ images, usage }: Performed) => {
    summary.images += images;
    summary.usage = sumOf([summary.usage, images > 0 ? usage : null]) ?? {};
  };

  const fail = async (job: BatchJob, error: unknown, elapsed_ms: number) => {
    const known = error instanceof ImggenError ? error : bug(error);
    const told = eventError(known);
    const done = known instanceof FellShort ? known.performed : undefined;
    if (done) count(done);
    if (isInterruption(known, signal)) {
      summary.interrupted += 1;
      summary.cutShort.push(job.key);
      return await tell({ type: 'interrupted', job: job.key, elapsed_ms });
    }
    summary.failed += 1;
    exits.add(known.exit);
    summary.failures.push({ job, error: told });
    if (known.endsBatch) halt(known.message);
    else if (options.failFast) halt('--fail-fast: a job failed');
    const { paths = [], images = 0 } = done ?? {};
    await tell({ type: 'failed', job: job.key, line: job.at.line, error: told, paths, images, elapsed_ms });
  };

  const one = async (due: DueJob): Promise<typeof pMapSkip> => {
    const { job } = due;
    if (stopped() !== undefined) {
      await skip(job);
      return pMapSkip;
    }
    const startedAt = performance.now();
    await tell({ type: 'started', job: job.key, why: due.due.why });
    try {
      const performed = await world.perform(due);
      const { images, usage, paths, run } = performed;
      summary.saved += 1;
      count(performed);
      await tell({ type: 'saved', job: job.key, paths, images, run, usage, elapsed_ms: since(startedAt) });
    } catch (error) {
      if (!(error instanceof NotBegun)) await fail(job, error, since(startedAt));
      else {
        // Of --max-images: jobs that were let in before are within it, and go on.
        summary.stopped ??= error.message;
        await skip(job);
      }
    }
    return pMapSkip;
  };
  await pMap(jobs, one, { concurrency: options.concurrency });
  stopped();
  summary.exit = exitOf(exits, summary, signal);
  return summary;
}

function exitOf(exits: ReadonlySet<ExitCode>, { skipped }: Summary, { reason, aborted }: AbortSignal): ExitCode {
  if (aborted && reason instanceof ImggenError) return reason.exit;
  const [first] = exits;
  if (exits.size === 1 && first !== undefined) return first;
  return exits.size > 1 || skipped > 0 ? exitOfCode('incomplete') : 0;
}

/** Whether a job ended because the user interrupted, which is no failure of the job. */
function isInterruption({ code }: ImggenError, { aborted, reason }: AbortSignal): boolean {
  return aborted && (code === 'incomplete' || (reason instanceof ImggenError && code === reason.code));
}

function bug(error: unknown): ImggenError {
  const cause = error instanceof Error ? error.stack?.split('\n')[1]?.trim() : undefined;
  return new ImggenError('bug', messageOf(error), { cause });
}

function eventError({ code, exit, message, reason, hint, requestId }: ImggenError): EventError {
  return { code, exit, message, cause: reason ?? null, hint: hint ?? null, request_id: requestId ?? null };
}

function since(start: number): number {
  return Math.round(performance.now() - start);
}
