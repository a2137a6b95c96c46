import type { Command } from 'commander';
import { type ExitCode, exitOfCode, hintMayBeCharged, ImggenError } from '../errors.ts';
import { missingImages, unmadeImages } from '../journal/fold.ts';
import { readRun } from '../journal/read.ts';
import { findRun, isRunning, isUnfinished, listRuns } from '../journal/store.ts';
import type { Run } from '../journal/types.ts';
import { resolveApiKey } from '../options/api-key.ts';
import type { Secret } from '../options/secret.ts';
import { type Report, reportDocument } from '../generate/report.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';
import { checkConnection, loadSettings, type Settings } from './context.ts';
import type { SetExit } from './flags.ts';
import { showImages } from './show-report.ts';

interface ResumeFlags extends Record<string, unknown> {
  json?: boolean;
}

/** Adds `imggen resume`. */
export function registerResume(program: Command, host: Host, setExit: SetExit): void {
  program
    .command('resume')
    .description('save the images that are paid for and not saved yet; never generates')
    .argument('[run]', 'one run, by its id; without it, every unfinished run')
    .option('--json', 'one JSON document on stdout')
    .option('-q, --quiet', 'nothing on stderr but errors')
    .option('--verbose', 'show each HTTP exchange on stderr')
    .option('--retries <n>', 'how often a download is repeated')
    .option('--timeout <seconds>', 'how long to wait for a pending task')
    .option('--profile <name>', 'a named set of config values')
    .action(async (run: string | undefined, flags: ResumeFlags) => setExit(await resume(run, flags, host)));
}

/**
 * Saves what is paid for and not saved yet. Returns 0 when nothing is missing any more.
 * Throws ImggenError `usage` for an unknown run.
 */
async function resume(id: string | undefined, flags: ResumeFlags, host: Host): Promise<ExitCode> {
  const settings = await loadSettings(flags, host);
  const terminal = new Terminal(host, settings.values);
  const { state } = settings.directories;
  const runs = id === undefined ? unfinishedRuns(state, settings, host) : [findRun(state, id)];
  const { resumeRun } = await import('../generate/resume.ts');
  const { createServices } = await import('./services.ts');
  const services = createServices(settings, () => keyFor(settings, host), host.env, host, terminal);
  const reports: Report[] = [];
  const failures: ImggenError[] = [];
  const { signal } = host;
  for (const { asked } of runs) {
    if (signal.aborted) break;
    try {
      const report = await resumeRun(asked.run, id !== undefined, settings.values, services);
      if (!report) {
        const busy = `run ${asked.run} is being worked on by another process`;
        if (id !== undefined) throw new ImggenError('incomplete', busy);
        terminal.info(busy);
        continue;
      }
      reports.push(report);
      if (!flags.json) await showImages(report.images, terminal);
      showRest(report, terminal);
    } catch (error) {
      // The other runs can still be resumed.
      if (!(error instanceof ImggenError) || (id !== undefined && !signal.aborted)) throw error;
      failures.push(error);
      const why = [error.message, error.reason].filter(Boolean).join(': ');
      if (!signal.aborted) terminal.problem(`run ${asked.run} cannot be resumed: ${why}`);
    }
  }
  if (signal.aborted) {
    const { code, message } = signal.reason as ImggenError;
    throw new ImggenError(code, message, { hint: 'to finish what is left: imggen resume' });
  }
  if (flags.json) await terminal.json({ runs: reports.map(reportDocument) });
  if (runs.length === 0) terminal.info('nothing to resume');
  return failures[0]?.exit ?? exitOf(reports);
}

/** Oldest first. A pending task is left out where no taskUrl says how to ask for it. */
function unfinishedRuns(state: string, { values }: Settings, { machine }: Host): Run[] {
  return listRuns(state)
    .flatMap((id) => readRun(state, id) ?? [])
    .filter((run) => isUnfinished(run) && !isRunning(state, run, machine))
    .filter(({ owner, answered }) => owner !== null || !answered?.pending || values.taskUrl !== undefined)
    .reverse();
}

/** Only a pending task needs the key; a download never gets it. */
async function keyFor(settings: Settings, host: Host): Promise<Secret> {
  await checkConnection(settings);
  return await resolveApiKey(settings, host.env, host.signal);
}

function showRest({ run, images, failed }: Report, terminal: Terminal): void {
  const { asked, answered, problem } = run;
  const name = `run ${asked.run}`;
  for (const { index, reason, original } of failed)
    terminal.problem(`image ${index} of ${name} is not ${original === undefined ? 'saved' : 'converted'}: ${reason}`);
  if (answered?.pending) {
    const task = answered.taskId ?? '(without an id)';
    terminal.problem(`task ${task} of ${name} is not finished (${answered.taskStatus})`);
    terminal.problem('set where to ask for it: imggen config set taskUrl <url with {task_id}>, or wait', 'hint');
  } else if (answered === null && problem) {
    terminal.problem(`${name} has nothing to resume: ${problem.message}`);
    if (problem.state === 'unknown') terminal.problem(hintMayBeCharged(asked.run), 'hint');
  } else if (failed.length === 0) {
    const saved = images.length === 0 ? 'nothing was missing' : `${images.length} saved, nothing is missing`;
    terminal.info(`${name}: ${saved}`);
  }
}

function exitOf(reports: readonly Report[]): ExitCode {
  const failures = reports.flatMap(({ failed }) => failed);
  if (failures.some(({ output }) => output)) return exitOfCode('output');
  const isOpen = reports.some(
    ({ run }) => run.answered?.pending || missingImages(run).length > 0 || unmadeImages(run).length > 0,
  );
  return failures.length > 0 || isOpen ? exitOfCode('incomplete') : 0;
}
