import { declaredPaths, pathsOf, relativePath } from '../../batch/jobs/paths.ts';
import type { Survey } from '../../batch/jobs/survey.ts';
import { type ErrorCode, type ExitCode, exitOfCode } from '../../errors.ts';
import type { Mistake } from '../../batch/file/types.ts';
import { oneLine } from '../../terminal/sanitize.ts';
import type { Batch } from './context.ts';
import { addStepSummary, annotate, harmless } from '../../batch/report/github.ts';
import { checkSummary } from '../../batch/report/step-summary.ts';

/** Tells every mistake with its place. Returns the exit code of `code`. */
export async function showMistakes(
  mistakes: readonly Mistake[],
  code: ErrorCode,
  { file, flags, terminal, host }: Batch,
): Promise<ExitCode> {
  const exit = exitOfCode(code);
  const count = mistakes.length;
  const one = count === 1;
  const what =
    code === 'output' ? `${one ? 'file is' : 'files are'} in the way of` : `${one ? 'mistake' : 'mistakes'} in`;
  const message = `${count} ${what} ${file}; nothing was sent`;
  if (flags.json) {
    const told = mistakes.map(({ at: { line, column }, message: problem, hint = null }) => ({
      line,
      column,
      message: problem,
      hint,
    }));
    await terminal.jsonLine({
      error: { code, exit, message, cause: null, hint: null, request_id: null, mistakes: told },
    });
  }
  for (const { at, message: problem, hint } of mistakes) {
    terminal.always(
      `${oneLine(`${file}:${at.line}:${at.column}: ${problem}`)}${hint === undefined ? '' : terminal.paint.dim(` (${oneLine(hint)})`)}`,
    );
    annotate({ file, at, message: hint === undefined ? problem : `${problem} (${hint})` }, host, terminal);
  }
  terminal.problem(message);
  return exit;
}

/** `--check`: what is due and why, on stdout. 9 when anything is. */
export async function showCheck({ due, fresh }: Survey, { file, flags, terminal, host }: Batch): Promise<ExitCode> {
  const exit = due.size === 0 ? 0 : exitOfCode('out_of_date');
  const upToDate = fresh.length;
  const list = [];
  for (const [{ key, at }, { work, why }] of due) list.push({ job: key, line: at.line, work, why, at });
  if (flags.json) {
    const told = list.map(({ at: _at, ...rest }) => rest);
    await terminal.jsonLine({ check: true, due: told, up_to_date: upToDate, exit });
  } else {
    for (const { job, why } of list) await terminal.data(harmless(oneLine(`${job}: ${why}`), host));
    terminal.info(due.size === 0 ? `all ${upToDate} up to date` : `${due.size} out of date, ${upToDate} up to date`);
  }
  for (const { job, why, at } of list) annotate({ file, at, message: `${job} is out of date: ${why}` }, host, terminal);
  addStepSummary(checkSummary(file, list, upToDate), host, terminal);
  return exit;
}

/** `--dry-run`: the plan, on stdout. */
export async function showDryRun(
  { due, fresh, images }: Survey,
  gone: readonly string[],
  { flags, terminal, directory }: Batch,
): Promise<ExitCode> {
  const upToDate = fresh.length;
  const selected = due.size + upToDate;
  if (flags.json) {
    const list = [];
    for (const [job, { work, why }] of due) {
      const files = pathsOf(job).map((path) => relativePath(path, directory));
      list.push({ job: job.key, line: job.at.line, work, why, images: work === 'generate' ? job.count : 0, files });
    }
    await terminal.jsonLine({ dry_run: true, jobs: selected, images, up_to_date: upToDate, due: list, gone });
    return 0;
  }
  for (const [job, { work, why }] of due) {
    await terminal.data(oneLine(`${work} ${declaredPaths(job).join(' ')} (${why})`));
  }
  for (const key of gone) await terminal.data(oneLine(`prune ${key}`));
  terminal.info(
    `${images} ${images === 1 ? 'image' : 'images'} would be generated for ${due.size} of ${selected} jobs; ${upToDate} up to date`,
  );
  return 0;
}
