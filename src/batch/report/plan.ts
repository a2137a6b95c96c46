import { declaredPaths, pathsOf, relativePath } from '../jobs/paths.ts';
import type { Survey } from '../jobs/survey.ts';
import type { BatchJob } from '../jobs/types.ts';
import { type ErrorCode, type ExitCode, exitOfCode } from '../../errors.ts';
import type { Mistake } from '../file/types.ts';
import { oneLine } from '../../terminal/sanitize.ts';
import type { Batch } from '../run/types.ts';
import { addStepSummary, annotate, checkSummary, harmless } from './github.ts';
import { count } from './words.ts';

/** Tells every mistake with its place. Returns the exit code of `code`. */
export async function showMistakes(
  mistakes: readonly Mistake[],
  code: ErrorCode,
  { file, flags, terminal, host }: Batch,
): Promise<ExitCode> {
  const exit = exitOfCode(code);
  const one = mistakes.length === 1;
  const what =
    code === 'output' ? `${one ? 'file is' : 'files are'} in the way of` : `${one ? 'mistake' : 'mistakes'} in`;
  const message = `${mistakes.length} ${what} ${file}; nothing was sent`;
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

/** `--check`: the jobs that are due and why, on stdout. 9 when there is one. */
export async function showCheck({ due, fresh }: Survey, { file, flags, terminal, host }: Batch): Promise<ExitCode> {
  const exit = due.length === 0 ? 0 : exitOfCode('out_of_date');
  const upToDate = fresh.length;
  if (flags.json) {
    const list = due.map(({ job, due: { work, why, missing } }) => ({
      job: job.key,
      line: job.at.line,
      work,
      why,
      images: missing.length,
    }));
    await terminal.jsonLine({ check: true, due: list, up_to_date: upToDate, exit });
  } else {
    for (const {
      job,
      due: { why },
    } of due)
      await terminal.data(harmless(oneLine(`${job.key}: ${why}`), host));
    terminal.info(exit === 0 ? `all ${upToDate} up to date` : `${due.length} out of date, ${upToDate} up to date`);
  }
  for (const {
    job,
    due: { why },
  } of due)
    annotate({ file, at: job.at, message: `${job.key} is out of date: ${why}` }, host, terminal);
  addStepSummary(checkSummary(file, due, upToDate), host, terminal);
  return exit;
}

/** `--dry-run`: the plan, on stdout. */
export async function showDryRun(
  { due, fresh, images, gone }: Survey,
  { flags, terminal, directory }: Batch,
): Promise<ExitCode> {
  const upToDate = fresh.length;
  const selected = due.length + upToDate;
  if (flags.json) {
    const list = due.map(({ job, due: { work, why, missing } }) => {
      const files = pathsOf(job).map((path) => relativePath(path, directory));
      return { job: job.key, line: job.at.line, work, why, images: missing.length, files };
    });
    await terminal.jsonLine({ dry_run: true, jobs: selected, images, up_to_date: upToDate, due: list, gone });
    return 0;
  }
  for (const {
    job,
    due: { work, why, missing },
  } of due) {
    const isPart = work === 'generate' && missing.length < job.count;
    const paths = isPart ? declaredPaths(partOf(job, missing)) : declaredPaths(job);
    await terminal.data(oneLine(`${work} ${paths.join(' ')} (${why})`));
  }
  for (const key of gone) await terminal.data(oneLine(`prune ${key}`));
  terminal.info(
    `${count(images, 'image')} would be generated for ${due.length} of ${selected} jobs; ${upToDate} up to date`,
  );
  return 0;
}

/** A job as if it had the images of some positions alone. */
function partOf(job: BatchJob, positions: readonly number[]): BatchJob {
  return {
    ...job,
    originals: job.originals.filter((_path, position) => positions.includes(position)),
    outputs: job.outputs.filter(({ from }) => positions.includes(from)),
  };
}
