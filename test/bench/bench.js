// Measures how fast imggen is and what memory it takes, beside Node alone and beside what else one could use:
// `npm run bench`. It judges no time; it fails when a program fails or writes a wrong byte.
//
//   --short          one run of each, with small images, to see that it works
//   --rows <list>    only these rows or groups: one,ten-*; batches of more than 1,000 jobs must be named: batch,long-batch
//   --runs <n>       how often each program is run
//   --node <path>    the Node that is measured
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { reached } from './goals.js';
import { measuresMemory, takeTurns } from './measure.js';
import { findRivals } from './rivals.js';
import { groupsOf, megabytes, version } from './rows.js';

const results = table({
  row: -11,
  program: -24,
  median: 9,
  '× floor': 7,
  'imggen ÷ it': 11,
  'CPU a job': 9,
  memory: 7,
});
const goals = table({ row: -11, 'of imggen': -29, measured: 8, 'at most': 7, '': -15 });

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean' },
    rows: { type: 'string', default: '*' },
    runs: { type: 'string' },
    node: { type: 'string', default: process.execPath },
  },
});
const scratch = mkdtempSync(path.join(tmpdir(), 'imggen-bench-'));
const server = fork(new URL('server.js', import.meta.url));
const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => interruption.abort());
try {
  await main();
} catch (error) {
  if (!interruption.signal.aborted) throw error;
  process.exitCode = 130;
} finally {
  server.kill();
  rmSync(scratch, { recursive: true, force: true });
}

async function main() {
  mkdirSync(path.join(scratch, 'home'));
  const [port] = await once(server, 'message');
  const rivals = findRivals();
  const node = execFileSync(options.node, ['--version'], { encoding: 'utf8' }).trim();
  const machine = `${process.platform} ${process.arch}, ${availableParallelism()} × ${cpus()[0]?.model.trim()}`;
  console.log(`imggen ${version}, Node ${node} on ${machine}`);
  const found = Object.entries(rivals).map(([name, rival]) => rival?.version ?? `no ${name}`);
  console.log(`rivals: ${found.join(', ')}`);

  const isWanted = matcher(options.rows);
  const all = new Map();
  for (const group of groupsOf({ ...options, scratch, rivals, origin: `http://127.0.0.1:${port}` })) {
    const isNamed = ({ name }) => isWanted(name) || isWanted(group.name);
    const rows = group.isLong && options.rows === '*' ? [] : group.rows.filter(isNamed);
    if (rows.length > 0) for (const [name, figures] of await runGroup({ ...group, rows })) all.set(name, figures);
  }
  if (all.size === 0) throw new Error(`no row is called ${options.rows}`);
  explain();
  if (!options.short) showGoals(reached(all, Number.parseInt(node.slice(1), 10)));
}

/** Measures and shows a group. Returns, by row, the figures of imggen, its floor and its rivals. */
async function runGroup({ title, runs: usual, floor, rows }) {
  const runs = Number(options.runs ?? usual);
  const records = await takeTurns([floor, ...rows.flatMap((row) => row.programs)], runs, scratch, interruption.signal);
  const floorFigures = records.get(floor).figures;
  const figuresOf = (program) => {
    const { figures } = records.get(program);
    if (!figures || program.jobs === undefined) return figures;
    return { ...figures, cpuOfJob: (figures.cpu - floorFigures?.cpu) / program.jobs };
  };

  console.log(`\n${title}; ${runs === 1 ? '1 run' : `${runs} runs`} of each\n`);
  for (const line of results.head) console.log(line);
  const failures = [];
  const show = (row, program, ours) => {
    const figures = figuresOf(program);
    const cells = figures ? cellsOf(figures, floorFigures, ours) : [program.skip ?? 'failed'];
    console.log(results.line([row, program.program, ...cells]));
    const { failure } = records.get(program);
    if (failure) failures.push(`failed: ${row}, ${program.program}: ${failure}`);
  };
  show('', floor);
  for (const { name, programs } of rows)
    programs.forEach((program, index) => show(name, program, index > 0 ? figuresOf(programs[0]) : undefined));
  if (failures.length > 0) {
    console.log(`\n${failures.join('\n')}`);
    process.exitCode = 1;
  }
  return rows.map(({ name, programs: [imggen, ...others] }) => {
    const rivals = new Map(others.map((rival) => [rival.program, figuresOf(rival)]));
    return [name, { ours: figuresOf(imggen), floor: floorFigures, rivals }];
  });
}

function cellsOf({ ms, memory, cpuOfJob }, floor, ours) {
  return [
    ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(2)} s`,
    floor ? (ms / floor.ms).toFixed(2) : '',
    ours ? (ours.ms / ms).toFixed(2) : '',
    cpuOfJob === undefined || Number.isNaN(cpuOfJob) ? '' : `${cpuOfJob.toFixed(2)} ms`,
    memory === undefined ? '–' : megabytes(memory),
  ];
}

function explain() {
  const notes = [
    'Times are of whole processes that took turns: compare those of one block. The floor is Node alone.',
    'CPU is the processor time of all processes less that of one floor.',
    'imggen has what V8 made of it in an earlier run. The server is a process apart; it answers at once.',
    measuresMemory
      ? 'Memory is the peak of the process, as GNU time says; of a pipeline that of its largest process.'
      : 'Memory was not measured: there is no GNU time at /usr/bin/time.',
  ];
  console.log(`\n${notes.join('\n')}`);
}

function showGoals(lines) {
  if (lines.length === 0) return;
  console.log();
  for (const line of [...goals.head, ...lines.map((cells) => goals.line(cells))]) console.log(line);
}

/** A Markdown table that is as readable as text. @param columns the width of each heading, negative for text on the left */
function table(columns) {
  const widths = Object.values(columns);
  const padded = (cell, width) => (width < 0 ? cell.padEnd(-width) : cell.padStart(width));
  const line = (cells) => `| ${cells.map((cell, index) => padded(cell, widths[index])).join(' | ')} |`;
  const rule = widths.map((width) => (width < 0 ? '-'.repeat(-width) : `${'-'.repeat(width - 1)}:`));
  return { head: [line(Object.keys(columns)), `| ${rule.join(' | ')} |`], line };
}

/** Whether a name is in a list like `one,ten-*`. */
function matcher(list) {
  const patterns = list.split(',').map((glob) => glob.replace(/[^\w*-]/g, '').replaceAll('*', '.*'));
  const pattern = new RegExp(`^(${patterns.join('|')})$`);
  return (name) => pattern.test(name);
}
