import { dirname } from 'node:path';
import { type Command, Option } from 'commander';
import type { BatchFlags } from '../batch/run/types.ts';
import { addGlob, parseShard } from '../batch/jobs/select.ts';
import { parseRate } from '../batch/run/limits.ts';
import { type ExitCode, usageError } from '../errors.ts';
import { integer } from '../options/parse.ts';
import { type Key, keys } from '../options/settings.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';
import { checkConnection, loadSettings } from './context.ts';
import { addParamFlag, addSettings, checked, type SetExit } from './flags.ts';
import { withServices } from './services.ts';

/** Adds `imggen batch`. The flags of its jobs stand for the file's `defaults`. */
export function registerBatch(program: Command, host: Host, setExit: SetExit): void {
  const command = program
    .command('batch')
    .description('generate the images that a file lists, but only those that are missing or changed')
    .argument('[file]', 'YAML, JSON, JSON Lines or text; - reads JSON Lines or text from stdin');
  for (const [group, options] of Object.entries(ownFlags()))
    for (const option of options) command.addOption(option.helpGroup(`${group}:`));
  addSettings(command);
  addParamFlag(command);
  command.action(async (file: string | undefined, flags: BatchFlags) => {
    setExit(await batch(file, flags, host));
  });
}

/** The jobs at once: by default, and at most. */
const concurrency = { usual: 4, most: 256 };

/** The flags besides the settings, by their group in the help. */
function ownFlags(): Record<string, Option[]> {
  return {
    Jobs: [
      new Option('--check', 'list what is out of date, and exit 9 when something is; needs no key and no network'),
      new Option('--dry-run', 'show what would be done; sends nothing, needs no key'),
      new Option('--force', 'generate also what is up to date'),
      new Option('--only <glob>', 'only the jobs whose first file matches, such as "icons/*"; repeatable').argParser(
        addGlob,
      ),
      new Option('--shard <i/n>', 'only the i-th of n parts, for machines that share the work').argParser(parseShard),
      new Option('--prune', 'remove the files of jobs that are gone; asks first'),
      new Option('-y, --yes', 'do not ask'),
    ],
    Running: [
      new Option('--concurrency <n>', 'jobs at once')
        .default(concurrency.usual)
        .argParser(checked('--concurrency', integer(1, concurrency.most))),
      new Option('--rate <n/unit>', 'not more generations than that: 30/min, 2/s')
        .default(0, 'no limit')
        .argParser(rate),
      new Option('--max-images <n>', 'generate not more than n images, and stop before the job that would')
        .default(Number.POSITIVE_INFINITY, 'no limit')
        .argParser(checked('--max-images', integer(0, 1_000_000))),
      new Option('--fail-fast', 'begin nothing more once a job has failed'),
    ],
    'Lock file': [
      new Option('--lock <path>', 'the lock file (default: <file>.lock.json; none with stdin)'),
      new Option('--merge-locks <part...>', 'join the lock parts of shards, and do nothing else'),
    ],
    Files: [new Option('--overwrite', 'replace files that the lock file does not know')],
    Output: [
      new Option('--json', 'JSON Lines on stdout: an event a line'),
      new Option('--schema', 'print the JSON Schema of batch files, for editors'),
    ],
    API: [new Option('--profile <name>', 'a named set of config values')],
  };
}

function rate(text: string): number {
  const intervalMs = parseRate(text);
  if (intervalMs === undefined) throw usageError(`--rate ${text} is not a rate`, '30/min, 2/s');
  return intervalMs;
}

/** `imggen batch <file>`. Returns the exit code; throws ImggenError for what ends all of it. */
async function batch(file: string | undefined, flags: BatchFlags, host: Host): Promise<ExitCode> {
  const settings = await loadSettings(flags, host);
  const terminal = new Terminal(host, settings.values);
  const { runBatch, batchSchema } = await import('../batch/run/batch.ts');
  if (flags.schema) {
    await terminal.json(batchSchema());
    return 0;
  }
  if (file === undefined)
    throw usageError('there is no batch file', 'imggen batch images.yaml; all options: imggen batch --help');
  checkSwitches(file, flags, terminal);
  await checkConnection(settings);
  return await runBatch({
    file,
    directory: file === '-' ? '.' : dirname(file),
    flags,
    given: settingFlags(flags),
    settings,
    terminal,
    host,
    connect: (options, work) => withServices(settings, options, host, terminal, work),
  });
}

function checkSwitches(file: string, flags: BatchFlags, terminal: Terminal): void {
  const { check, dryRun, prune, yes, lock, shard } = flags;
  if (check && dryRun)
    throw usageError('--check and --dry-run exclude each other', '--check is for scripts, --dry-run for people');
  if (!prune) return;
  if (shard) throw usageError('--prune and --shard exclude each other', 'prune once, when the parts are merged');
  if (file === '-' && lock === undefined) throw usageError('--prune needs a lock file', 'name it: --lock <path>');
  if (!check && !dryRun && !yes && !terminal.canAsk)
    throw usageError('--prune removes files, and there is nobody to ask', 'add --yes');
}

/** The settings that the command line gave, as text. */
function settingFlags(flags: BatchFlags): Partial<Record<Key, string>> {
  const given = keys.map((key) => [key, flags[key] as string | boolean | undefined] as const);
  return Object.fromEntries(given.flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])));
}
