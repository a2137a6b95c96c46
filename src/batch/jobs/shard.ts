import { createHash } from 'node:crypto';
import { usageError } from '../../errors.ts';
import type { Shard } from '../lock/types.ts';

/** The most shards: more machines than anybody has. */
const shardLimit = 100_000;

/** Reads `--shard`: `2/4`. Throws ImggenError `usage`. */
export function parseShard(text: string): Shard {
  const [, index, count] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).map(Number);
  if (index === undefined || count === undefined || index < 1 || index > count || count > shardLimit) {
    throw usageError(`--shard ${text} is not one of some`, 'the first of four is 1/4, the last 4/4');
  }
  return { index, count };
}

/** The shard of a job, by its key, from 1: the same on every machine and in every version. */
export function shardOf(key: string, of: number): number {
  return (createHash('sha256').update(key).digest().readUInt32BE(0) % of) + 1;
}
