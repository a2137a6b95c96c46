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
import { measuresMemory } from './measure.js';
import { findRivals } from './rivals.js';
import { groupsOf, version } from './rows.js';
import { megabytes, milliseconds, table } from './table.js';
import { takeTurns } from './turns.js';

const results = table([
  ['row', -11],
  ['program', -24],
  ['median', 9],
  ['min', 9],
  ['× floor', 7],
  ['imggen ÷ it', 11],
  ['memory', 7],
]);
const batchResults = table([
  ['row', -13],
  ['program', -17],
  ['jobs', 6],
  ['all of them', 11],
  ['CPU a job', 9],
  ['imggen ÷ it', 11],
  ['memory', 7],
]);
const goals = table([
  ['row', -11],
  ['of imggen', -29],
  ['measured', 8],
  ['at most', 7],
  ['', -15],
]);

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
  const rivals = findRivals(scratch);
  const node = execFileSync(options.node, ['--version'], { encoding: 'utf8' }).trim();
  console.log(
    `imggen ${version}, Node ${node} on ${process.platform} ${process.arch}, ${availableParallelism()} × ${cpus()[0]?.model.trim()}`,
  );
  console.log(`rivals: ${described(rivals)}`);

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

function described({ openai, skill, ...tools }) {
  const found = Object.entries(tools).map(([name, said]) => said ?? `no ${name}`);
  const packages = Object.entries({ openai, 'gpt-image-2-skill': skill });
  const present = packages.map(([name, rival]) => (rival ? `${name} ${rival.version}` : `no ${name}`));
  return [...found, ...present].join(', ');
}

/** Measures and shows a group. Returns, by row, the figures of imggen, its floor and its rivals. */
async function runGroup({ title, runs: usual, floor, rows, isBatch }) {
  const runs = Number(options.runs ?? usual);
  const records = await takeTurns([floor, ...rows.flatMap((row) => row.programs)], runs, scratch, interruption.signal);
  const figuresOf = (program) => withJobs(records.get(program).figures, program.jobs, records.get(floor).figures);

  console.log(`\n${title}; ${runs === 1 ? '1 run' : `${runs} runs`} of each\n`);
  const { head, line, cellsOf } = isBatch
    ? { ...batchResults, cellsOf: batchCellsOf }
    : { ...results, cellsOf: startCellsOf };
  for (const each of head) console.log(each);
  const failures = [];
  const show = (row, program, ours) => {
    const cells = cellsOf(figuresOf(program), figuresOf(floor), ours) ?? [program.skip ?? 'failed'];
    console.log(line([row, program.program, ...cells]));
    const all = records.get(program).failures;
    if (all.length > 0)
      failures.push(
        `failed ${all.length === 1 ? 'once' : `${all.length} times`}: ${row}, ${program.program}: ${all[0]}`,
      );
  };
  show('', floor);
  for (const { name, programs } of rows)
    programs.forEach((program, index) => show(name, program, index > 0 ? figuresOf(programs[0]) : undefined));
  if (failures.length > 0) console.log(`\n${failures.join('\n')}`);
  if (failures.length > 0) process.exitCode = 1;
  return rows.map(({ name, programs: [imggen, ...rivals] }) => [
    name,
    {
      ours: figuresOf(imggen),
      floor: figuresOf(floor),
      rivals: new Map(rivals.map((rival) => [rival.program, figuresOf(rival)])),
    },
  ]);
}

/** With the figures of one job: its part of the time, and of the processor time beyond the floor. */
function withJobs(figures, jobs, floor) {
  if (!figures || jobs === undefined) return figures;
  return { ...figures, jobs, msOfJob: figures.ms / jobs, cpuOfJob: (figures.cpu - floor?.cpu) / jobs };
}

function batchCellsOf(figures, _floor, ours) {
  if (!figures) return undefined;
  const { jobs, ms, msOfJob, cpuOfJob, memory } = figures;
  return [
    jobs === undefined ? '' : String(jobs),
    milliseconds(ms),
    jobs === undefined ? '' : Number.isNaN(cpuOfJob) ? '–' : `${cpuOfJob.toFixed(2)} ms`,
    ours ? (ours.msOfJob / msOfJob).toPrecision(2) : '',
    memory === undefined ? '–' : megabytes(memory),
  ];
}

function startCellsOf(figures, floor, ours) {
  if (!figures) return undefined;
  const { ms, min, memory } = figures;
  return [
    milliseconds(ms),
    milliseconds(min),
    floor ? (ms / floor.ms).toFixed(2) : '',
    ours ? (ours.ms / ms).toFixed(2) : '',
    memory === undefined ? '–' : megabytes(memory),
  ];
}

function explain() {
  const notes = [
    'Times are of whole processes that took turns: compare those of one block. The floor is Node alone.',
    'CPU is the processor time of all processes less that of one floor. A batch is compared by the job,',
    'since the loops, which start a process for each, do fewer of them.',
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

/** Whether a name is in a list like `one,ten-*`. */
function matcher(list) {
  const patterns = list.split(',').map((glob) => glob.replace(/[^\w*-]/g, '').replaceAll('*', '.*'));
  const pattern = new RegExp(`^(${patterns.join('|')})$`);
  return (name) => pattern.test(name);
}
