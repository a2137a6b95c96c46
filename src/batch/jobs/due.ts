import type { Begun, LockEntry } from '../lock/types.ts';
import { firstDifference } from './files.ts';
import { filesOf, imagesOf, isObtainable, isShort, type Known, positionOf, shortAnswerLimit } from './holdings.ts';
import type { BatchJob, Due } from './types.ts';

export interface DueOptions {
  /** Of the batch file: the lock's paths are relative to it. */
  directory: string;
  /** Generate in any case. */
  force: boolean;
  /** Whether this run makes images of the sandbox, and takes them for good. */
  sandbox: boolean;
}

/** Why a job is to be done, and what; undefined when it is up to date. Reads its files. */
export function dueOf(job: BatchJob, known: Known, options: DueOptions): Due | undefined {
  const { entry } = known;
  const { directory, force, sandbox } = options;
  if (force) return generate('forced', job);
  // A run that the entry has is no generation: what is made of its images was being made anew.
  const begun = known.begun.filter(({ fingerprint, run }) => fingerprint === job.fingerprint && run !== entry?.run);
  if (begun.length > 0) return unfinished(job, begun, known, options);
  if (!entry) return generate('new', job);
  if (entry.sandbox && !sandbox) return generate('made by the sandbox', job);
  if (entry.fingerprint !== job.fingerprint) return generate('its request changed', job);
  if (entry.missing) return incomplete(job, entry, options);
  const original = firstDifference(entry.originals, directory);
  const why =
    entry.processing === job.processing ? firstDifference(entry.outputs, directory) : 'what is made of it changed';
  if (!why && !job.keepOriginal)
    return entry.originals.length === 0 ? undefined : convert('its original was to be removed');
  if (original) return generate(original, job, missingFrom(job, imagesOf(job, entry, directory)));
  if (!why) return undefined;
  return entry.originals.length > 0 ? convert(why) : generate(`${why}, and its original was not kept`, job);
}

/** The images of an entry that a run may build on: of the same request, and placeholders only beside placeholders. */
export function heldBy(job: BatchJob, entry: LockEntry | undefined, { directory, sandbox }: Omit<DueOptions, 'force'>) {
  const isSame = entry?.fingerprint === job.fingerprint && (entry.sandbox ?? false) === sandbox;
  return isSame ? imagesOf(job, entry, directory) : new Map<number, never>();
}

/** The positions of a job's images that are not there, from 0. */
export function missingFrom({ count }: BatchJob, there: { has(position: number): boolean }): readonly number[] {
  return everything(count).filter((position) => !there.has(position));
}

/** How many answers in a row had fewer images than were asked for, as far as the entry knows. */
export function shortAnswersOf({ fingerprint }: BatchJob, entry: LockEntry | undefined): number {
  return entry?.fingerprint === fingerprint ? (entry.shortAnswers ?? 0) : 0;
}

/** A job whose last answers had fewer images than were asked for, and of which nothing is under way. */
function incomplete(job: BatchJob, entry: LockEntry, options: DueOptions): Due {
  const missing = missingFrom(job, heldBy(job, entry, options));
  return afterShortAnswers(job, job.count - (entry.missing ?? 0), missing, shortAnswersOf(job, entry));
}

function afterShortAnswers(job: BatchJob, images: number, missing: readonly number[], answers: number): Due {
  return answers < shortAnswerLimit
    ? generate(`the API sent ${images} of ${job.count} images`, job, missing)
    : { work: 'fail', why: tooFew(images, job), missing: [] };
}

/** What is said of a job for which the API has sent too few images often enough. */
export function tooFew(images: number, { count }: BatchJob): string {
  return `the API sends ${images} of ${count} images`;
}

/** A job with runs that were begun and not noted as over: their journals tell what can still be had. */
function unfinished(job: BatchJob, begun: readonly Begun[], { entry, run: readRun }: Known, options: DueOptions): Due {
  const { directory, sandbox } = options;
  /** The positions of images that are there, or need no new generation. */
  const there = new Set(heldBy(job, entry, options).keys());
  let answers = shortAnswersOf(job, entry);
  let isAnswered = false;
  let canResume = false;
  for (const { run: id } of begun) {
    const run = readRun(id);
    // The emulator that had its images is gone.
    if (!run || run.asked.sandbox) continue;
    // It was paid for, and the sandbox cannot finish it.
    if (sandbox) return { work: 'resume', why: notFinished, missing: [] };
    if (run.answered?.pending) for (const { i } of run.asked.naming?.targets ?? []) there.add(i - 1);
    for (const image of run.images) {
      const position = positionOf(run, image);
      if (position === undefined || !(isObtainable(image) || filesOf(image, directory).original)) continue;
      there.add(position);
      canResume ||= isObtainable(image);
    }
    canResume ||= run.answered?.pending === true;
    isAnswered ||= run.answered !== null;
    if (isShort(run)) answers += 1;
  }
  const missing = missingFrom(job, there);
  if (missing.length === 0) return { work: 'resume', why: notFinished, missing };
  if (!canResume && isAnswered) return afterShortAnswers(job, there.size, missing, answers);
  if (!canResume) return generate('its run has no answer', job, missing);
  if (answers >= shortAnswerLimit) return { work: 'resume', why: notFinished, missing: [] };
  const why = `${notFinished}, and ${missing.length} of ${job.count} images are not in its answer`;
  return { work: 'resume', why, missing };
}

const notFinished = 'its run was not finished';

function generate(why: string, job: BatchJob, missing = everything(job.count)): Due {
  return { work: 'generate', why, missing };
}

function convert(why: string): Due {
  return { work: 'convert', why, missing: [] };
}

function everything(count: number): readonly number[] {
  return Array.from({ length: count }, (_, position) => position);
}
