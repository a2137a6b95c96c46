import picomatch from 'picomatch';
import type { Shard } from '../lock/types.ts';
import { shardOf } from './shard.ts';

/** Which jobs a run is about. */
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
