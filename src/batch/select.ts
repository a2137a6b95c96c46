import picomatch from 'picomatch';
import type { Shard } from '../journal/lock-types.ts';
import { shardOf } from './shard.ts';

/**
 * Whether a job, by its key, belongs to this run.
 *
 * @param only globs; all jobs when there are none
 */
export function selector(only: readonly string[], shard: Shard | undefined): (key: string) => boolean {
  const globs = only.map((glob) => picomatch(glob, { dot: true, basename: !glob.includes('/') }));
  return (key) => (globs.length === 0 || globs.some((matches) => matches(key))) && (!shard || shardOf(key, shard.count) === shard.index);
}
