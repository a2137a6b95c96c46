import { createHash } from 'node:crypto';
import picomatch from 'picomatch';
import { usageError } from '../../errors.ts';
import type { Shard } from '../lock/types.ts';

/** More shards than anybody has machines. */
const shardLimit = 100_000;

/** The jobs that a run is about: those of `--only`, and of these the part of `--shard`. */
export class Selection {
  readonly #globs: { glob: string; matches: (key: string) => boolean }[];
  readonly #shard: Shard | undefined;
  readonly #idle: Set<string>;

  /** @param only globs; all jobs when there are none */
  constructor(only: readonly string[], shard: Shard | undefined) {
    this.#globs = only.map((glob) => ({
      glob,
      matches: picomatch(glob, { dot: true, basename: !glob.includes('/') }),
    }));
    this.#shard = shard;
    this.#idle = new Set(only);
  }

  /** The globs that no job has matched so far. */
  get idle(): readonly string[] {
    return [...this.#idle];
  }

  /** Whether a job, by its key, belongs to the run. */
  has(key: string): boolean {
    const found = this.#globs.filter(({ matches }) => matches(key));
    for (const { glob } of found) this.#idle.delete(glob);
    if (this.#globs.length > 0 && found.length === 0) return false;
    return !this.#shard || shardOf(key, this.#shard.count) === this.#shard.index;
  }
}

/** Adds a glob of `--only`. Throws ImggenError `usage` for one that can match nothing. */
export function addGlob(glob: string, previous: readonly string[] = []): readonly string[] {
  if (glob === '') throw usageError('--only is empty', 'give a glob that matches the first file of a job: "icons/*"');
  return [...previous, glob];
}

/** Reads `--shard`: `2/4`. Throws ImggenError `usage`. */
export function parseShard(text: string): Shard {
  const [, index, count] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).map(Number);
  if (index === undefined || count === undefined || index < 1 || index > count || count > shardLimit)
    throw usageError(`--shard ${text}: expected i/n with 1 ≤ i ≤ n`, 'the first of four is 1/4, the last 4/4');
  return { index, count };
}

/** The shard of a job, by its key, from 1: the same on every machine and in every version. */
export function shardOf(key: string, of: number): number {
  return (createHash('sha256').update(key).digest().readUInt32BE(0) % of) + 1;
}
