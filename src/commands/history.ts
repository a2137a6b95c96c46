import { type Command, Option } from 'commander';
import { usageError } from '../errors.ts';
import { readRun } from '../journal/read.ts';
import { findRun, idTime, isRunning, listRuns, pruneRuns } from '../journal/store.ts';
import type { Outcome, Run } from '../journal/types.ts';
import { integer } from '../options/parse.ts';
import { oneLine, safeJson } from '../terminal/sanitize.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';
import { loadSettings } from './context.ts';
import { checked } from './flags.ts';

interface HistoryFlags extends Record<string, unknown> {
  limit: number;
  failed?: boolean;
  since?: string;
  json?: boolean;
  prune?: boolean;
}

interface Shown {
  run: Run;
  state: Outcome | 'running';
}

const limit = new Option('-n, --limit <n>', 'how many runs, the newest first')
  .default(20)
  .argParser(checked('--limit', integer(1, 1_000_000)));

/** Adds `imggen history`. */
export function registerHistory(program: Command, host: Host): void {
  program
    .command('history')
    .description('the runs: when, prompt, files, usage, request id')
    .argument('[run]', 'one run in full, by its id')
    .addOption(limit)
    .option('--failed', 'only runs of which an image is not saved')
    .option('--since <when>', 'a date (2026-11-01) or an age (12h, 7d); adds the totals')
    .option('--json', 'one JSON document on stdout')
    .option('--prune', 'remove old runs: see historyDays and historyRuns in imggen config')
    .action((id: string | undefined, flags: HistoryFlags) => history(id, flags, host));
}

async function history(id: string | undefined, flags: HistoryFlags, host: Host): Promise<void> {
  const { directories, values } = await loadSettings({}, host);
  const { state } = directories;
  const terminal = new Terminal(host);
  if (flags.prune) {
    const limits = { days: values.historyDays, keep: values.historyRuns };
    const removed = pruneRuns(state, limits, host.machine, new Date());
    return terminal.info(`${removed} ${removed === 1 ? 'run' : 'runs'} removed`);
  }
  if (id !== undefined) {
    const run = findRun(state, id);
    return await showRun(document({ run, state: stateOf(run, state, host) }), flags.json === true, terminal);
  }

  const { limit } = flags;
  const since = flags.since === undefined ? undefined : idTime(timeOf(flags.since));
  const totals = { runs: 0, images: 0, tokens: 0 };
  const shown: Shown[] = [];
  for (const name of listRuns(state)) {
    if (since === undefined ? shown.length >= limit : name < since) break;
    const run = readRun(state, name);
    if (!run) continue;
    const current = stateOf(run, state, host);
    if (flags.failed && (current === 'saved' || current === 'running')) continue;
    if (!run.asked.sandbox) addTo(totals, run);
    if (shown.length < limit) shown.push({ run, state: current });
  }
  if (flags.json) return await terminal.json({ runs: shown.map(document), ...(since && { totals }) });
  if (shown.length > 0) await terminal.data(shown.flatMap(linesOf).join('\n'));
  if (since) await terminal.data(`total: ${totals.runs} runs, ${totals.images} images, ${totals.tokens} tokens`);
  else if (shown.length === 0) terminal.info('no runs');
}

function addTo(totals: { runs: number; images: number; tokens: number }, run: Run): void {
  totals.runs += 1;
  totals.images += savedImages(run).length;
  totals.tokens += run.answered?.usage?.total_tokens ?? 0;
}

function stateOf(run: Run, state: string, { machine }: Host): Shown['state'] {
  return run.owner !== null && isRunning(state, run, machine) ? 'running' : run.outcome;
}

/** `2026-11-22 12:16  20261122T121600-4f9a2c01  saved  2 of 2  a cat`, a line a file, and what it used. */
function linesOf({ run, state }: Shown): string[] {
  const { asked, answered } = run;
  const saved = savedImages(run);
  const prompt = oneLine(asked.prompt);
  const short = prompt.length > 60 ? `${prompt.slice(0, 60)}…` : prompt;
  const at = asked.at.slice(0, 16).replace('T', ' ');
  const tokens = answered?.usage?.total_tokens;
  const used = [
    tokens && `${tokens} tokens`,
    answered?.requestId && `request ${answered.requestId}`,
    asked.sandbox && 'sandbox',
  ];
  return [
    `${at}  ${asked.run}  ${state.padEnd(10)}  ${saved.length} of ${asked.n}  ${short}`,
    ...saved.map(({ path }) => `  ${oneLine(path)}`),
    ...(used.some(Boolean) ? [`  ${oneLine(used.filter(Boolean).join(', '))}`] : []),
  ];
}

async function showRun(whole: Readonly<Record<string, unknown>>, json: boolean, terminal: Terminal): Promise<void> {
  if (json) return await terminal.json(whole);
  for (const [name, value] of Object.entries(whole)) {
    if (value === null) continue;
    const text = typeof value === 'string' ? oneLine(value) : safeJson(value);
    const texts = Array.isArray(value) ? value.map((entry) => safeJson(entry)) : [text];
    for (const line of texts) await terminal.data(`${name.padEnd(12)} ${line}`);
  }
}

function document({ run, state }: Shown) {
  const { asked, answered, images, problem, documents } = run;
  return {
    run: asked.run,
    at: asked.at,
    state,
    prompt: asked.prompt,
    model: asked.model,
    params: asked.params,
    api: asked.baseUrl,
    asked: asked.n,
    sandbox: asked.sandbox === true,
    images: savedImages(run),
    missing: [...images.flatMap(({ index, saved, lost }) => (saved ? [] : [{ index, lost }])), ...unconverted(run)],
    usage: answered?.usage ?? null,
    expires: answered?.expires ?? null,
    request_id: answered?.requestId ?? problem?.requestId ?? null,
    task_id: answered?.taskId ?? null,
    task_status: answered?.taskStatus ?? null,
    answer: documents.length > 0 ? documents : null,
    error: problem && { code: problem.code, message: problem.message },
  };
}

/** Images that are saved and not converted; `lost` says why they cannot be. */
function unconverted({ images, asked }: Run) {
  if (!asked.rendition) return [];
  return images.flatMap(({ index, saved, made, unmade }) =>
    saved && !made && saved.path !== '-' ? [{ index, lost: unmade, original: saved.path }] : [],
  );
}

/** The files that the user has of a run: the converted images, or else the originals. */
function savedImages({ images }: Run) {
  return images.flatMap(({ saved, made }) => {
    if (made) return [{ path: made.path, ...made.facts, original: made.original }];
    return saved ? [{ path: saved.path, ...saved.facts }] : [];
  });
}

/** The time of a date, or of an age counted back from now. Throws ImggenError `usage`. */
function timeOf(text: string): Date {
  const [, count, unit] = /^(\d{1,6})\s*([mhdw])$/.exec(text) ?? [];
  const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }[unit ?? ''];
  const at = unitMs === undefined ? new Date(text) : new Date(Date.now() - Number(count) * unitMs);
  if (Number.isNaN(at.getTime()))
    throw usageError(`--since ${text} is neither a date nor an age`, '2026-11-01, 12h, 7d, 4w');
  return at;
}
