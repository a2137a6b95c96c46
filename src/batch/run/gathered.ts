import { join } from 'node:path';
import type { Usage } from '../../dialects/types.ts';
import type { Run } from '../../journal/types.ts';
import { heldBy, missingFrom, shortAnswersOf } from '../jobs/due.ts';
import { stateOf } from '../jobs/files.ts';
import { filesOf, isShort, positionOf } from '../jobs/holdings.ts';
import type { BatchJob } from '../jobs/types.ts';
import type { LockedFile, LockEntry } from '../lock/types.ts';

/** What a job has brought. */
export interface Performed {
  /** Paths as a process opens them. */
  paths: readonly string[];
  /** How many images were generated for it, by this batch or by a run that this batch finished. */
  images: number;
  /** The run that the lock file names. */
  run: string;
  usage: Usage | null;
}

/** The images of a job while it is done: those that the lock file had, and those of the runs of now. */
export class Gathered {
  readonly #job: BatchJob;
  readonly #directory: string;
  readonly #before: LockEntry | undefined;
  readonly #runs: Run[] = [];
  readonly #images = new Map<number, LockedFile>();
  /** What runs made of their images, by the images' positions. */
  readonly made = new Map<number, LockedFile>();
  readonly #surplus: LockedFile[];
  /** How many images the runs of now have brought. */
  #count = 0;
  /** Whether the images of the lock's entry are kept. */
  readonly #keeps: boolean;

  /** @param force whether the images that are there are generated again */
  constructor(job: BatchJob, before: LockEntry | undefined, directory: string, force: boolean) {
    this.#job = job;
    this.#directory = directory;
    this.#before = before;
    const held = force
      ? new Map<number, LockedFile>()
      : heldBy(job, before, { directory, sandbox: job.resolved.values.sandbox });
    for (const [position, file] of held) this.#images.set(position, file);
    this.#keeps = !force && before?.fingerprint === job.fingerprint;
    this.#surplus = (before?.surplus ?? []).filter((file) => stateOf(file, directory) === 'same');
  }

  /** The positions of the images that are not there, from 0. */
  get missing(): readonly number[] {
    return missingFrom(this.#job, this.#images);
  }

  /** How many images are there. */
  get size(): number {
    return this.#images.size;
  }

  /** Whether a run of now has answered. */
  get hasAnswer(): boolean {
    return this.#runs.length > 0;
  }

  /** How many answers in a row had fewer images than were asked for. */
  get shortAnswers(): number {
    return (this.#keeps ? shortAnswersOf(this.#job, this.#before) : 0) + this.#runs.filter(isShort).length;
  }

  /** Takes the images of a run that can bring no more. Returns those that nobody had asked for. */
  add(run: Run): LockedFile[] {
    const surplus: LockedFile[] = [];
    if (run.answered === null) return surplus;
    this.#runs.push(run);
    for (const image of run.images) {
      const position = positionOf(run, image);
      const { original, made } = filesOf(image, this.#directory);
      if (original) this.#count += 1;
      if (position === undefined) surplus.push(...[original, made].filter((file) => file !== undefined));
      else {
        if (original) this.#images.set(position, original);
        if (made) this.made.set(position, made);
      }
    }
    this.#surplus.push(...surplus);
    return surplus;
  }

  /** The entry for what is there; its outputs are those that the runs have made. */
  entry(): LockEntry {
    const { fingerprint } = this.#job;
    const before = this.#keeps ? this.#before : undefined;
    const last = this.#runs.at(-1);
    const [asked, answered] = [last?.asked, last?.answered];
    const { missing } = this;
    const originals = [...this.#images].sort(([a], [b]) => a - b).map(([, file]) => file);
    const made = [...this.made].sort(([a], [b]) => a - b).map(([, file]) => file);
    const older = (before?.outputs ?? []).filter(({ path }) => !made.some((file) => file.path === path));
    return {
      fingerprint,
      processing: null,
      originals,
      outputs: [...older, ...made],
      ...(this.#surplus.length > 0 && { surplus: this.#surplus }),
      ...(missing.length > 0 && { missing: missing.length, shortAnswers: this.shortAnswers }),
      run: asked?.run ?? before?.run ?? '',
      model: asked?.model ?? before?.model ?? '',
      request_id: answered?.requestId ?? null,
      task_id: answered?.taskId ?? null,
      usage: sumOf([before?.usage ?? null, ...this.#usages]),
      generated: timeAfter(this.#before?.generated),
      ...((asked?.sandbox ?? before?.sandbox) && { sandbox: true as const }),
    };
  }

  /** The result, for the report. */
  performed(entry: LockEntry): Performed {
    const { originals, outputs, surplus = [] } = entry;
    const isNew = ({ path }: LockedFile) => !this.#before?.surplus?.some((file) => file.path === path);
    const files = [...(this.#job.hidesOriginal ? outputs : [...originals, ...outputs]), ...surplus.filter(isNew)];
    return {
      paths: files.map(({ path }) => join(this.#directory, path)),
      images: this.#count,
      run: entry.run,
      usage: sumOf(this.#usages),
    };
  }

  get #usages(): (Usage | null)[] {
    return this.#runs.map(({ answered }) => answered?.usage ?? null);
  }
}

/** The sum of usages, name by name; null when there is none. */
export function sumOf(usages: readonly (Usage | null)[]): Usage | null {
  const sum: Record<string, number> = {};
  for (const usage of usages)
    for (const [name, value] of Object.entries(usage ?? {})) sum[name] = (sum[name] ?? 0) + value;
  return usages.some((usage) => usage !== null) ? sum : null;
}

/**
 * Now, or just after `previous` where a clock is behind: of two entries of a job the later counts, and a machine whose
 * clock is fast must not have the last word for ever. ISO 8601.
 */
export function timeAfter(previous: string | undefined): string {
  const now = new Date();
  const before = Date.parse(previous ?? '');
  return (before >= now.getTime() ? new Date(before + 1) : now).toISOString();
}
