import { appendFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { messageOf } from '../../errors.ts';
import type { Position } from '../file/types.ts';
import { oneLine } from '../../terminal/sanitize.ts';
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

/** GitHub takes a relative path for one of the workspace, whatever directory a step works in. */
function fromWorkspace(file: string, workspace: string | undefined): string {
  const path = workspace ? relative(workspace, resolve(file)) : file;
  return path.startsWith('..') ? file : path;
}

/** A line for stdout that begins with a path: GitHub Actions must not take it for a command, and `./::x` is the same file. */
export function harmless(line: string, { env }: Host): string {
  return env.GITHUB_ACTIONS === 'true' && /(^|[\r\n])\s*::/.test(line) ? `./${oneLine(line)}` : line;
}

/** Adds Markdown to the summary of a GitHub Actions step, when there is one. That it fails is no reason to fail. */
export function addStepSummary(markdown: string, { env, redactor }: Host, terminal: Terminal): void {
  if (!env.GITHUB_STEP_SUMMARY) return;
  try {
    appendFileSync(env.GITHUB_STEP_SUMMARY, redactor.redact(markdown));
  } catch (error) {
    terminal.warn(`cannot add to GITHUB_STEP_SUMMARY: ${messageOf(error)}`);
  }
}

/** The escapes of workflow commands: a message is one line. */
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
