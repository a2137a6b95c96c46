import pMap, { pMapSkip } from 'p-map';
import { type ExitCode, ImggenError, exitOfCode, messageOf } from '../../errors.ts';
import { NotBegun } from './pace.ts';
import type { Performed } from './perform.ts';
import type { BatchEvent, BatchJob, Due, EventError } from '../jobs/types.ts';

export interface BatchOptions {
  concurrency: number;
  failFast: boolean;
}

/** What a batch needs of the world. */
export interface BatchWorld {
  perform: (job: BatchJob, due: Due) => Promise<Performed>;
  emit: (event: BatchEvent) => Promise<void>;
  /** Ends the waiting of jobs that have not been sent. */
  stop: AbortController;
  /** Aborted when the user interrupts. */
  signal: AbortSignal;
}

/** How a batch ended. */
export interface Summary {
  saved: number;
  failed: number;
  skipped: number;
  images: number;
  usage: Record<string, number>;
  exit: ExitCode;
  /** Why not every job was begun. */
  stopped: string | undefined;
  /** Why jobs failed: the first of them, in the order in which it happened. */
  failures: { job: BatchJob; error: EventError }[];
}

/** Only so many failures are told one by one. */
const failureLimit = 1000;

/**
 * Does the jobs that are due, several at once. One that fails does not stop the others, unless --fail-fast says so, or
 * the reason concerns all: then nothing more is begun, and what was sent is seen to its end. An interruption ends that too.
 */
export async function runJobs(
  jobs: Iterable<[BatchJob, Due]>,
  { concurrency, failFast }: BatchOptions,
  world: BatchWorld,
): Promise<Summary> {
  const { emit, stop, signal } = world;
  const summary: Summary = {
    saved: 0,
    failed: 0,
    skipped: 0,
    images: 0,
    usage: {},
    exit: 0,
    stopped: undefined,
    failures: [],
  };
  const exits = new Set<ExitCode>();
  const halt = (why: string) => stop.abort(new NotBegun('incomplete', why));
  signal.addEventListener('abort', () => halt('interrupted'), { once: true });
  if (signal.aborted) halt('interrupted');

  /** Why nothing more is begun; undefined while it goes on. */
  const stopped = () => (summary.stopped ??= stop.signal.aborted ? messageOf(stop.signal.reason) : undefined);

  /** Where nothing can be told any more nothing more is begun; what is under way is paid for, and goes on. */
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

  const one = async ([job, due]: [BatchJob, Due]): Promise<typeof pMapSkip> => {
    if (stopped() !== undefined) {
      await skip(job);
      return pMapSkip;
    }
    const startedAt = performance.now();
    await tell({ type: 'started', job: job.key, why: due.why });
    try {
      const { entry, paths, images } = await world.perform(job, due);
      summary.saved += 1;
      summary.images += images;
      addUsage(summary.usage, images > 0 ? entry.usage : null);
      await tell({
        type: 'saved',
        job: job.key,
        paths,
        images,
        run: entry.run,
        usage: entry.usage,
        elapsed_ms: since(startedAt),
      });
    } catch (error) {
      if (error instanceof NotBegun) {
        // Of --max-images: those that were let in before are within it, and go on.
        summary.stopped ??= error.message;
        await skip(job);
        return pMapSkip;
      }
      const known =
        error instanceof ImggenError ? error : new ImggenError('bug', messageOf(error), { cause: stackOf(error) });
      summary.failed += 1;
      exits.add(known.exit);
      const told = eventError(known);
      if (summary.failures.length < failureLimit) summary.failures.push({ job, error: told });
      if (known.endsBatch) halt(known.message);
      else if (failFast) halt('--fail-fast: a job failed');
      await tell({ type: 'failed', job: job.key, line: job.at.line, error: told, elapsed_ms: since(startedAt) });
    }
    return pMapSkip;
  };
  await pMap(jobs, one, { concurrency });
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

function eventError({ code, exit, message, reason, hint, requestId }: ImggenError): EventError {
  return { code, exit, message, cause: reason ?? null, hint: hint ?? null, request_id: requestId ?? null };
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack?.split('\n')[1]?.trim() : undefined;
}

/** Adds the numbers of an answer to a sum, name by name. */
function addUsage(sum: Record<string, number>, usage: Readonly<Record<string, number>> | null): void {
  for (const [name, value] of Object.entries(usage ?? {})) sum[name] = (sum[name] ?? 0) + value;
}

function since(start: number): number {
  return Math.round(performance.now() - start);
}
