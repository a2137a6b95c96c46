import { type Command, Option } from 'commander';
import { type ExitCode, exitOfCode, usageError } from '../errors.ts';
import type { Collision } from '../files/target.ts';
import { type Plan, planRun } from '../generate/plan.ts';
import type { Report } from '../generate/report.ts';
import { isPruneDue, pruneRuns } from '../journal/store.ts';
import type { Json } from '../request/types.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';
import { checkConnection, loadSettings, type Settings } from './context.ts';
import { showDryRun } from './dry-run.ts';
import { addParamFlag, addSettings, type SetExit } from './flags.ts';
import { readPrompt, refuseLookalike } from './prompt.ts';
import { showReport } from './show-report.ts';

/** The flags of generate, as commander gives them. */
interface GenerateFlags extends Readonly<Record<string, unknown>> {
  promptFile?: string;
  param?: Record<string, Json>;
  overwrite?: boolean;
  skipExisting?: boolean;
  dryRun?: boolean;
  json?: boolean;
  profile?: string;
}

const ownFlags: readonly [group: string, flags: string, help: string][] = [
  ['Image', '--prompt-file <file>', 'read the prompt from a file; - is stdin'],
  ['Files', '--overwrite', 'replace files that exist'],
  ['Files', '--skip-existing', 'generate only the images whose files do not exist yet'],
  ['Output', '--json', 'one JSON document on stdout, also for errors'],
  ['Output', '--dry-run', 'check everything and show what would be done; sends nothing, needs no key'],
  ['API', '--profile <name>', 'a named set of config values'],
];

/** Adds `imggen [prompt]`, and the same as `imggen generate [prompt]`. */
export function registerGenerate(program: Command, host: Host, setExit: SetExit): void {
  addFlags(program).action(async (words: string[], flags: GenerateFlags) => {
    const [word] = words;
    const commands = program.commands.map((command) => command.name());
    if (word !== undefined && words.length === 1) refuseLookalike(word, commands);
    setExit(await generate(words, flags, host));
  });
  addFlags(program.command('generate'))
    .description('the same as imggen [prompt], for a prompt that is the name of a command')
    .action(async (words: string[], flags: GenerateFlags) => setExit(await generate(words, flags, host)));
}

function addFlags(command: Command): Command {
  command.argument('[prompt...]', 'what to draw; - or nothing reads stdin');
  addSettings(command);
  for (const [group, flags, help] of ownFlags) command.addOption(new Option(flags, help).helpGroup(`${group}:`));
  return addParamFlag(command);
}

/** One request, its images to files. Throws ImggenError for everything that ends the run. */
async function generate(words: readonly string[], flags: GenerateFlags, host: Host): Promise<ExitCode> {
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
  if (values.sidecar && origins.sidecar === 'flag') throw usageError('--sidecar needs a file, and -o - makes none');
  if (terminal.isStdoutTerminal)
    throw usageError('-o - would write an image to the terminal', 'pipe it: imggen … -o - > cat.png');
}

/** Refuses a flag that would have no effect: the user would notice it too late. */
function checkRenditionFlags(
  { resize, convert, convertQuality }: Settings['values'],
  origins: Settings['origins'],
): void {
  const isMade = resize !== undefined || convert !== undefined;
  const mistakes: [flag: keyof Settings['origins'], isWrong: boolean, message: string][] = [
    ['fit', resize === undefined, '--fit goes with --resize'],
    ['convertQuality', !isMade, '--convert-quality goes with --convert or --resize'],
    ['convertQuality', convert === 'png', `--convert-quality ${convertQuality}: png has no quality`],
    ['keepOriginal', !isMade, '--no-keep-original goes with --convert or --resize'],
  ];
  for (const [flag, isWrong, message] of mistakes) if (isWrong && origins[flag] === 'flag') throw usageError(message);
}

function collisionOf({ overwrite, skipExisting }: GenerateFlags): Collision {
  if (overwrite) return 'overwrite';
  return skipExisting ? 'skip' : 'number';
}

async function run(plan: Plan, settings: Settings, terminal: Terminal, host: Host): Promise<Report> {
  const { values } = settings;
  const { runPlan } = await import('../generate/run.ts');
  const { withServices } = await import('./services.ts');
  return await withServices(settings, { needsKey: true }, host, terminal, (services, sandboxUrl) =>
    runPlan(plan, sandboxUrl === undefined ? values : { ...values, baseUrl: sandboxUrl }, services),
  );
}

/** Keeps the journal bounded. */
function pruneIfDue({ values, directories }: Settings, { machine }: Host): void {
  const limits = { days: values.historyDays, keep: values.historyRuns };
  try {
    if (isPruneDue(directories.state, limits, new Date())) pruneRuns(directories.state, limits, machine, new Date());
  } catch {
    // The images are saved; `imggen history --prune` shows the error.
  }
}

function exitOf({ run, failed, interrupted }: Report): ExitCode {
  if (interrupted) return interrupted.exit;
  if (run.answered?.pending) return exitOfCode('pending');
  if (failed.some(({ output }) => output)) return exitOfCode('output');
  return failed.length > 0 ? exitOfCode('incomplete') : 0;
}
