import { dirname } from 'node:path';
import { JobReader } from '../../batch/jobs/job.ts';
import { batchSchema } from '../../batch/jobs/schema.ts';
import { Selection } from '../../batch/jobs/select.ts';
import { survey } from '../../batch/jobs/survey.ts';
import { ensureConverter } from '../../renditions/sharp.ts';
import { type ExitCode, usageError } from '../../errors.ts';
import { LockLog } from '../../batch/lock/log.ts';
import { lockPathOf, logPathOf, partPathOf } from '../../batch/lock/paths.ts';
import type { LockView } from '../../batch/lock/types.ts';
import { viewLock } from '../../batch/lock/view.ts';
import { readRun } from '../../journal/read.ts';
import { mergeLocks } from '../../batch/lock/merge.ts';
import { readBatchFile } from '../../batch/file/read.ts';
import { input } from '../../terminal/ask.ts';
import { Terminal } from '../../terminal/terminal.ts';
import type { Host } from '../../terminal/types.ts';
import type { Batch } from './context.ts';
import { type BatchFlags, settingFlags } from './flags.ts';
import { showCheck, showDryRun, showMistakes } from './plan.ts';
import { confirmPrune, prune } from './prune.ts';
import { execute } from './run.ts';
import { checkConnection, loadSettings } from '../context.ts';

/** `imggen batch <file>`: the images that a file declares. Returns the exit code; throws ImggenError for what ends all of it. */
export async function runBatch(file: string | undefined, flags: BatchFlags, host: Host): Promise<ExitCode> {
  const settings = await loadSettings(flags, host);
  const terminal = new Terminal(host, settings.values);
  if (flags.schema) {
    await terminal.json(batchSchema());
    return 0;
  }
  if (file === undefined)
    throw usageError('there is no batch file', 'imggen batch images.yaml; all options: imggen batch --help');
  checkSwitches(file, flags, terminal);
  await checkConnection(settings);
  const main = flags.lock ?? (file === '-' ? undefined : lockPathOf(file));
  if (flags.mergeLocks) {
    if (main === undefined) throw usageError('--merge-locks needs a batch file, or --lock');
    const changed = await mergeLocks(main, flags.mergeLocks, host.machine);
    terminal.info(`${main}: ${changed} ${changed === 1 ? 'job' : 'jobs'} taken over`);
    return 0;
  }
  const isStdin = file === '-';
  const content = await readBatchFile(isStdin ? input(host) : file);
  const batch: Batch = { file, content, flags, settings, terminal, host, directory: isStdin ? '.' : dirname(file) };
  if (main === undefined) return await runWith(undefined, batch);
  const path = flags.shard ? partPathOf(main, flags.shard) : main;
  const beside = { base: flags.shard && main };
  if (flags.check || flags.dryRun) return await runWith(await viewLock(path, beside), batch);
  const log = await LockLog.open(path, host.machine, beside);
  try {
    return await runWith(log, batch);
  } finally {
    await log.close();
  }
}

/** The files of the batch itself, and what each is. */
function ownFiles({ file, flags: { lock, shard } }: Batch): Map<string, string> {
  const isStdin = file === '-';
  const main = lock ?? (isStdin ? undefined : lockPathOf(file));
  const locks = main === undefined ? [] : [main, ...(shard ? [partPathOf(main, shard)] : [])];
  return new Map([
    ...(isStdin ? [] : [[file, 'the batch file'] as const]),
    ...locks.flatMap((path) => [path, logPathOf(path)].map((each) => [each, 'the lock file'] as const)),
  ]);
}

function checkSwitches(
  file: string,
  { check, dryRun, prune: isPruning, yes, lock, shard }: BatchFlags,
  terminal: Terminal,
): void {
  if (check && dryRun)
    throw usageError('--check and --dry-run exclude each other', '--check is for scripts, --dry-run for people');
  if (!isPruning) return;
  if (shard) throw usageError('--prune and --shard exclude each other', 'prune once, when the parts are merged');
  if (file === '-' && lock === undefined) throw usageError('--prune needs a lock file', 'name it: --lock <path>');
  if (!check && !dryRun && !yes && !terminal.canAsk)
    throw usageError('--prune removes files, and there is nobody to ask', 'add --yes');
}

async function runWith(lock: LockLog | LockView | undefined, batch: Batch): Promise<ExitCode> {
  const { content, flags, settings, directory } = batch;
  const reader = new JobReader({
    directory,
    defaults: content.defaults,
    flags: settingFlags(flags),
    extra: flags.param ?? {},
    origin: new URL(settings.values.baseUrl).origin,
    layers: settings.layers,
  });
  const selection = new Selection(flags.only ?? [], flags.shard);
  const surveyed = survey(content, reader, {
    directory,
    force: flags.force === true,
    sandbox: settings.values.sandbox,
    overwrite: flags.overwrite === true,
    selection,
    known: (key) => {
      const pending = lock?.pending.get(key);
      return {
        entry: lock?.entries.get(key),
        pending,
        runs: () => (pending ?? []).flatMap(({ run }) => readRun(settings.directories.state, run) ?? []),
      };
    },
    own: ownFiles(batch),
    locked: flags.prune ? [...(lock?.entries.keys() ?? [])].filter((key) => selection.has(key)) : [],
  });
  if (surveyed.mistakes.length > 0) return await showMistakes(surveyed.mistakes, 'usage', batch);
  const [idle] = selection.idle;
  if (idle !== undefined)
    throw usageError(
      `--only ${idle} matches no job`,
      'it is held against the first file of each: imggen batch <file> --dry-run --force',
    );
  const { gone } = surveyed;
  if (flags.check) return await showCheck(surveyed, batch);
  if (surveyed.taken.length > 0) return await showMistakes(surveyed.taken, 'output', batch);
  if (surveyed.formats.size > 0) await ensureConverter(surveyed.formats);
  if (flags.dryRun) return await showDryRun(surveyed, gone, batch);
  await confirmPrune(gone, batch);
  const log = lock as LockLog | undefined;
  const exit = await execute(surveyed, log, batch);
  // A job whose new name could not be filled keeps what it had under the old one.
  if (log && exit === 0) await prune(gone, surveyed, log, batch);
  return exit;
}
