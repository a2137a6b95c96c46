import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Shard } from './types.ts';

const extension = '.json';

/** The lock file of a batch file: beside it, `images.yaml.lock.json`. */
export function lockPathOf(file: string): string {
  return `${file}.lock${extension}`;
}

/** The log of a lock file: beside it, `images.yaml.lock.jsonl`. */
export function logPathOf(lockPath: string): string {
  return `${stemOf(lockPath)}${extension}l`;
}

/** A shard's part of a lock file: beside it, `images.yaml.lock.1-of-4.json`. */
export function partPathOf(lockPath: string, { index, count }: Shard): string {
  return `${stemOf(lockPath)}.${index}-of-${count}${extension}`;
}

/** The parts of shards that lie beside a lock file, also those that have only a log, in a fixed order. */
export function partsBeside(lockPath: string): string[] {
  const directory = dirname(lockPath);
  const prefix = `${basename(stemOf(lockPath))}.`;
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    // A missing directory has no parts; one that cannot be listed has none that could be read.
    return [];
  }
  const parts = names.filter(
    (name) => name.startsWith(prefix) && /^\d+-of-\d+\.jsonl?$/.test(name.slice(prefix.length)),
  );
  return [...new Set(parts.map((name) => join(directory, name.replace(/l$/, ''))))].sort();
}

function stemOf(lockPath: string): string {
  return lockPath.endsWith(extension) ? lockPath.slice(0, -extension.length) : lockPath;
}
