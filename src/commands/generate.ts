import { type ExitCode, exitOfCode, usageError } from '../errors.ts';
import type { Collision } from '../files/types.ts';
import { isPruneDue, pruneRuns } from '../journal/store.ts';
import { type Plan, planRun } from '../generate/plan.ts';
import type { Report } from '../generate/report.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';
import { checkConnection, loadSettings, type Settings } from './context.ts';
import type { GenerateFlags } from './flags.ts';
import { showDryRun } from './dry-run.ts';
import { readPrompt } from './prompt.ts';
import { showReport } from './show-report.ts';

/**
 * `imggen [prompt]`: one request, its images to files. Returns the exit code.
 * Throws ImggenError for everything that ends the run.
 */
export async function runGenerate(words: readonly string[], flags: GenerateFlags, host: Host): Promise<ExitCode> {
  const settings = await loadSettings(flags, host);
  const { values } = settings;
  const json = flags.json === true;
  const terminal = new Terminal(host, values);
  checkSwitches(flags, settings, terminal);
  await checkConnection(settings);
  const prompt = await readPrompt(words, flags.promptFile, host);
  const plan = planRun({ prompt, extra: flags.param ?? {}, collision: collisionOf(flags) }, settings);
  const isDone = plan.names?.naming.targets.length === 0;
  if (plan.rendition && !isDone) {
    const { ensureConverter } = await import('../renditions/sharp.ts');
    await ensureConverter([plan.rendition.convert]);
  }
  if (flags.dryRun) {
    await showDryRun(plan, settings, json, terminal);
    return 0;
  }
  if (isDone) {
    terminal.info('everything is there already, nothing was generated');
    if (json) await terminal.json({ run: plan.id, prompt, images: [], failed: [], skipped: true });
    return 0;
  }
  const report = await run(plan, settings, terminal, host);
  await showReport(report, json, terminal);
  pruneIfDue(settings, host);
  return exitOf(report);
}

function checkSwitches(
  { overwrite, skipExisting, json }: GenerateFlags,
  { values, origins }: Settings,
  terminal: Terminal,
): void {
  if (overwrite && skipExisting) throw usageError('--overwrite and --skip-existing exclude each other');
  checkRenditionFlags(values, origins);
  if (values.out !== '-') return;
  if (json) throw usageError('-o - and --json both want stdout', 'save to a file, or leave --json out');
  if (values.sidecar && origins.sidecar === 'flag')
    throw usageError('--sidecar needs a file to stand beside, and -o - makes none');
  if (terminal.isStdoutTerminal)
    throw usageError('-o - would write an image to the terminal', 'pipe it: imggen … -o - > cat.png');
}

/** A flag for a rendition that would do nothing is a mistake that shows too late. */
function checkRenditionFlags(
  { resize, convert, convertQuality }: Settings['values'],
  origins: Settings['origins'],
): void {
  const isMade = resize !== undefined || convert !== undefined;
  if (origins.fit === 'flag' && resize === undefined)
    throw usageError('--fit says how to --resize, which is not given');
  if (origins.convertQuality === 'flag' && !isMade)
    throw usageError('--convert-quality goes with --convert or --resize');
  if (origins.convertQuality === 'flag' && convert === 'png')
    throw usageError(`--convert-quality ${convertQuality}: png has no quality`);
  if (origins.keepOriginal === 'flag' && !isMade)
    throw usageError('--no-keep-original goes with --convert or --resize');
}

function collisionOf({ overwrite, skipExisting }: GenerateFlags): Collision {
  if (overwrite) return 'overwrite';
  return skipExisting ? 'skip' : 'number';
}

async function run(plan: Plan, settings: Settings, terminal: Terminal, host: Host): Promise<Report> {
  const { values } = settings;
  const { runPlan, withServices } = await import('./running.ts');
  return await withServices(settings, { needsKey: true }, host, terminal, (services, sandboxUrl) =>
    runPlan(plan, sandboxUrl === undefined ? values : { ...values, baseUrl: sandboxUrl }, services),
  );
}

/** Keeps the journal bounded; one that cannot be pruned is no reason to fail. */
function pruneIfDue({ values, directories }: Settings, { machine }: Host): void {
  const limits = { days: values.historyDays, keep: values.historyRuns };
  try {
    if (isPruneDue(directories.state, limits, new Date())) pruneRuns(directories.state, limits, machine, new Date());
  } catch {
    // `imggen history --prune` tells why.
  }
}

/** All saved; or something is missing, which the report says. */
function exitOf({ run, failed, interrupted }: Report): ExitCode {
  if (interrupted) return interrupted.exit;
  if (run.answered?.pending) return exitOfCode('pending');
  if (failed.some(({ output }) => output)) return exitOfCode('output');
  return failed.length > 0 ? exitOfCode('incomplete') : 0;
}
