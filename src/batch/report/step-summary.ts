import type { Summary } from '../run/run.ts';
import type { Survey } from '../jobs/survey.ts';
import { formatDuration } from '../../terminal/format.ts';
import { oneLine } from '../../terminal/sanitize.ts';
import { reasonOf } from './reporter.ts';

/** GitHub takes a mebibyte; nobody reads as much. */
const rowLimit = 200;

/** What is out of date, as Markdown for the page of a CI run. */
export function checkSummary(
  file: string,
  due: readonly { job: string; line: number; why: string }[],
  upToDate: number,
): string {
  const rows = due.slice(0, rowLimit).map(({ job, line, why }) => `| ${cell(job)} | ${line} | ${cell(why)} |`);
  const more = due.length > rowLimit ? [`| … and ${due.length - rowLimit} more | | |`] : [];
  const table = due.length === 0 ? [] : ['', '| out of date | line | why |', '| --- | ---: | --- |', ...rows, ...more];
  return [
    `### imggen batch ${cell(file)} --check`,
    '',
    `${due.length} out of date, ${upToDate} up to date`,
    ...table,
    '',
    '',
  ].join('\n');
}

/** What a batch did, as Markdown for the page of a CI run. */
export function stepSummary(file: string, { fresh, due }: Survey, summary: Summary, elapsedMs: number): string {
  const { saved, failed, skipped, images, usage, failures } = summary;
  const rows: [string, string | number][] = [
    ['jobs', fresh.length + due.size],
    ['up to date', fresh.length],
    ['done', saved],
    ['failed', failed],
    ['not begun', skipped],
    ['images generated', images],
    ['tokens', usage.total_tokens ?? 0],
    ['time', formatDuration(elapsedMs)],
  ];
  const table = ['| | |', '| --- | ---: |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)];
  const failedRows = failures
    .slice(0, rowLimit)
    .map(({ job, error }) => `| ${cell(job.key)} | ${job.at.line} | ${cell(reasonOf(error))} |`);
  const more = failures.length > rowLimit ? [`| … and ${failed - rowLimit} more | | |`] : [];
  const failedTable =
    failedRows.length === 0 ? [] : ['', '| failed | line | reason |', '| --- | ---: | --- |', ...failedRows, ...more];
  return [`### imggen batch ${cell(file)}`, '', ...table, ...failedTable, '', ''].join('\n');
}

/** Text from outside in a cell: nothing that Markdown or HTML would obey. */
function cell(text: string): string {
  return oneLine(text).replace(/[\\`*_{}[\]()#+!|<>~&]/g, (character) => `&#${character.charCodeAt(0)};`);
}
