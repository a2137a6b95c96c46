import { type Command, Option } from 'commander';
import { parseRate } from '../../batch/run/rate.ts';
import { parseShard } from '../../batch/jobs/shard.ts';
import type { Shard } from '../../batch/lock/types.ts';
import { usageError } from '../../errors.ts';
import { type Key, keys } from '../../options/settings.ts';
import { integer } from '../../options/parse.ts';
import type { Json } from '../../request/types.ts';
import { addParamFlag, addSettings, checked } from '../flags.ts';

/** What `imggen batch` takes besides the settings, as commander gives it. */
export interface BatchFlags extends Readonly<Record<string, unknown>> {
  check?: boolean;
  dryRun?: boolean;
  force?: boolean;
  overwrite?: boolean;
  only?: readonly string[];
  shard?: Shard;
  concurrency: number;
  /** The time between two generations, in milliseconds. */
  rate: number;
  maxImages: number;
  failFast?: boolean;
  prune?: boolean;
  yes?: boolean;
  lock?: string;
  mergeLocks?: readonly string[];
  schema?: boolean;
  json?: boolean;
  profile?: string;
  param?: Record<string, Json>;
}

/** How many jobs at once, unless told otherwise; and the most. */
const concurrency = { usual: 4, most: 256 };

/** Adds the flags of `imggen batch`, those of generate included: they stand for the file's `defaults`. */
export function addBatchFlags(command: Command): Command {
  const own: [group: string, option: Option][] = [
    [
      'Jobs',
      new Option('--check', 'list what is out of date, and exit 9 when something is; needs no key and no network'),
    ],
    ['Jobs', new Option('--dry-run', 'show what would be done; sends nothing, needs no key')],
    ['Jobs', new Option('--force', 'generate also what is up to date')],
    [
      'Jobs',
      new Option('--only <glob>', 'only the jobs whose first file matches, such as "icons/*"; repeatable').argParser(
        addGlob,
      ),
    ],
    [
      'Jobs',
      new Option('--shard <i/n>', 'only the i-th of n parts, for machines that share the work').argParser(parseShard),
    ],
    ['Jobs', new Option('--prune', 'remove the files of jobs that are gone; asks first')],
    ['Jobs', new Option('-y, --yes', 'do not ask')],
    [
      'Running',
      new Option('--concurrency <n>', 'jobs at once')
        .default(concurrency.usual)
        .argParser(checked('--concurrency', integer(1, concurrency.most))),
    ],
    [
      'Running',
      new Option('--rate <n/unit>', 'not more generations than that: 30/min, 2/s')
        .default(0, 'no limit')
        .argParser(rate),
    ],
    [
      'Running',
      new Option('--max-images <n>', 'generate not more than n images, and stop before the job that would')
        .default(Number.POSITIVE_INFINITY, 'no limit')
        .argParser(checked('--max-images', integer(0, 1_000_000))),
    ],
    ['Running', new Option('--fail-fast', 'begin nothing more once a job has failed')],
    ['Lock file', new Option('--lock <path>', 'the lock file (default: <file>.lock.json; none with stdin)')],
    ['Lock file', new Option('--merge-locks <part...>', 'join the lock parts of shards, and do nothing else')],
    ['Files', new Option('--overwrite', 'replace files that the lock file does not know')],
    ['Output', new Option('--json', 'JSON Lines on stdout: an event a line')],
    ['Output', new Option('--schema', 'print the JSON Schema of batch files, for editors')],
    ['API', new Option('--profile <name>', 'a named set of config values')],
  ];
  for (const [group, option] of own) command.addOption(option.helpGroup(`${group}:`));
  addSettings(command);
  return addParamFlag(command);
}

function addGlob(glob: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, glob];
}

function rate(text: string): number {
  const intervalMs = parseRate(text);
  if (intervalMs === undefined) throw usageError(`--rate ${text} is not a rate`, '30/min, 2/s');
  return intervalMs;
}

/** The settings that the command line gave, as text. */
export function settingFlags(flags: BatchFlags): Partial<Record<Key, string>> {
  const given = keys.map((key) => [key, flags[key] as string | boolean | undefined] as const);
  return Object.fromEntries(given.flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])));
}
