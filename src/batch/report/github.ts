import { appendFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { messageOf } from '../../errors.ts';
import { formatDuration } from '../../terminal/format.ts';
import { oneLine } from '../../terminal/sanitize.ts';
import type { Position } from '../file/types.ts';
import type { DueJob } from '../jobs/types.ts';
import type { Summary } from '../run/run.ts';
import { reasonOf } from './words.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import type { Host } from '../../terminal/types.ts';

/** An error as an annotation of a file, when this runs in GitHub Actions. It reads them from stderr as well as from stdout. */
export function annotate(
  { file, at, message }: { file: string; at: Position; message: string },
  { env }: Host,
  terminal: Terminal,
): void {
  if (env.GITHUB_ACTIONS !== 'true') return;
  const place =
    file === '-' ? '' : ` file=${property(fromWorkspace(file, env.GITHUB_WORKSPACE))},line=${at.line},col=${at.column}`;
  terminal.always(`::error${place}::${data(oneLine(message))}`);
}

/** GitHub resolves relative paths against the workspace, not against the directory of the step. */
function fromWorkspace(file: string, workspace: string | undefined): string {
  const path = workspace ? relative(workspace, resolve(file)) : file;
  return path.startsWith('..') ? file : path;
}

/** A line for stdout that begins with a path: GitHub Actions must not take it for a command, and `./::x` is the same file. */
export function harmless(line: string, { env }: Host): string {
  return env.GITHUB_ACTIONS === 'true' && /(^|[\r\n])\s*::/.test(line) ? `./${oneLine(line)}` : line;
}

/** Adds Markdown to the summary of a GitHub Actions step, when there is one. A summary that cannot be written is a warning. */
export function addStepSummary(markdown: string, { env, redactor }: Host, terminal: Terminal): void {
  if (!env.GITHUB_STEP_SUMMARY) return;
  try {
    appendFileSync(env.GITHUB_STEP_SUMMARY, redactor.redact(markdown));
  } catch (error) {
    terminal.warn(`cannot add to GITHUB_STEP_SUMMARY: ${messageOf(error)}`);
  }
}

/** GitHub takes a mebibyte, and more rows than these help nobody. */
const rowLimit = 200;

/** What is out of date, as Markdown for the page of a CI run. */
export function checkSummary(file: string, due: readonly DueJob[], upToDate: number): string {
  const rows = due.map(({ job, due: { why } }) => [cell(job.key), job.at.line, cell(why)]);
  const heading = `### imggen batch ${cell(file)} --check`;
  return section(
    heading,
    `${due.length} out of date, ${upToDate} up to date`,
    table(['out of date', 'line', 'why'], rows),
  );
}

/** What a batch did, as Markdown for the page of a CI run. */
export function stepSummary(file: string, upToDate: number, jobs: number, summary: Summary, elapsedMs: number): string {
  const { saved, failed, interrupted, skipped, images, usage, failures } = summary;
  const counts: [string, string | number][] = [
    ['jobs', jobs],
    ['up to date', upToDate],
    ['done', saved],
    ['failed', failed],
    ...(interrupted > 0 ? [['interrupted', interrupted] as [string, number]] : []),
    ['not begun', skipped],
    ['images generated', images],
    ['tokens', usage.total_tokens ?? 0],
    ['time', formatDuration(elapsedMs)],
  ];
  const lines = ['| | |', '| --- | ---: |', ...counts.map(([name, value]) => `| ${name} | ${value} |`)];
  const rows = failures.map(({ job, error }) => [cell(job.key), job.at.line, cell(reasonOf(error))]);
  return section(`### imggen batch ${cell(file)}`, lines.join('\n'), table(['failed', 'line', 'reason'], rows));
}

function section(...parts: readonly string[]): string {
  return `${parts.filter(Boolean).join('\n\n')}\n\n`;
}

/** A table of jobs, their lines and a text; nothing when there are no rows. */
function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  if (rows.length === 0) return '';
  const shown = rows.slice(0, rowLimit).map((row) => `| ${row.join(' | ')} |`);
  const more = rows.length > rowLimit ? [`| … and ${rows.length - rowLimit} more | | |`] : [];
  return [`| ${head.join(' | ')} |`, '| --- | ---: | --- |', ...shown, ...more].join('\n');
}

/** Text from outside in a cell: nothing that Markdown or HTML would obey. */
function cell(text: string): string {
  return oneLine(text).replace(/[\\`*_{}[\]()#+!|<>~&]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The escapes of workflow commands: a message is one line. */
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
