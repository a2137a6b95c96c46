// Measures how fast imggen is and what memory it takes, beside what it is made of and what else one could use:
// `npm run bench`. It judges no time; it fails when a program fails or writes a wrong byte.
//
//   --short          few runs of small images, to see that it works
//   --rows <list>    only these rows or groups: one,ten-*
//   --runs <n>       how often each program is run
//   --node <path>    the Node that is measured
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { reached } from './bench/goals.js';
import { measure, measuresMemory } from './bench/measure.js';
import { findRivals } from './bench/rivals.js';
import { groupsOf, megabytes, version } from './bench/rows.js';
import { median, milliseconds, table } from './bench/table.js';

const { values: options } = parseArgs({
  options: { short: { type: 'boolean' }, rows: { type: 'string', default: '*' }, runs: { type: 'string' }, node: { type: 'string', default: process.execPath } },
});
const isWanted = matcher(options.rows);
const results = table([['row', -11], ['program', -24], ['median', 9], ['min', 9], ['× floor', 7], ['imggen ÷ it', 11], ['memory', 7]]);
const goals = table([['goal', -11], ['of', -31], ['measured', 8], ['at most', 7], ['', -15]]);

const scratch = mkdtempSync(path.join(tmpdir(), 'imggen-bench-'));
const server = fork(new URL('bench/server.js', import.meta.url));
try {
  await main();
} finally {
  server.disconnect();
  rmSync(scratch, { recursive: true, force: true });
}

async function main() {
  mkdirSync(path.join(scratch, 'home'));
  const [port] = await once(server, 'message');
  const rivals = findRivals(scratch);
  const nodeVersion = execFileSync(options.node, ['--version'], { encoding: 'utf8' }).trim();
  console.log(`imggen ${version}, Node ${nodeVersion} on ${process.platform} ${process.arch}, ${availableParallelism()} × ${cpus()[0]?.model.trim()}`);
  console.log(`rivals: ${describe(rivals)}`);

  const all = new Map();
  for (const group of groupsOf({ ...options, scratch, rivals, origin: `http://127.0.0.1:${port}` })) {
    const rows = group.rows.filter(({ name }) => isWanted(name) || isWanted(group.name));
    if (rows.length > 0) for (const [name, figures] of runGroup({ ...group, rows })) all.set(name, figures);
  }
  explain();
  if (!options.short) showGoals(reached(all, Number.parseInt(nodeVersion.slice(1), 10)));
}

function describe({ openai, ...tools }) {
  const found = Object.entries(tools).map(([name, said]) => said ?? `no ${name}`);
  return [...found, openai ? `openai ${openai.version}` : 'no openai (npm install --no-save openai@6)'].join(', ');
}

/** Runs the programs of a group in turn, shows them, and returns the medians by row. */
function runGroup({ title, runs: usual, floor, rows }) {
  const runs = Number(options.runs ?? usual);
  const programs = [floor, ...rows.flatMap((row) => row.programs)];
  const outcomes = new Map(programs.map((program) => [program, { ms: [], memory: [], skip: program.skip }]));
  // The first round looks at every byte, and fills the caches: it counts only where it is the only one.
  const first = runs > 1 ? 0 : 1;
  for (let round = first; round <= runs; round += 1) {
    for (const program of programs) {
      const outcome = outcomes.get(program);
      if (outcome.skip) continue;
      try {
        const { ms, memory } = measure(program, { scratch, thorough: round === first });
        if (round > 0) outcome.ms.push(ms);
        if (round > 0) outcome.memory.push(memory);
      } catch (error) {
        outcome.skip = `failed: ${error.message.replaceAll('\n', ' / ')}`;
        process.exitCode = 1;
      }
    }
  }
  const figures = (program) => {
    const { ms, memory, skip } = outcomes.get(program);
    return skip ? undefined : { ms: median(ms), min: Math.min(...ms), memory: measuresMemory ? median(memory) : Number.NaN };
  };
  console.log(`\n${title}; ${runs === 1 ? '1 run' : `${runs} runs`} of each\n`);
  for (const line of results.head()) console.log(line);
  const show = (row, program, ours) => {
    const own = figures(program);
    const rest = own ? cells(own, figures(floor), ours) : [outcomes.get(program).skip];
    console.log(results.line([row, program.program, ...rest]));
  };
  show('', floor);
  return rows.map(({ name, programs: [imggen, ...others] }) => {
    show(name, imggen);
    for (const rival of others) show(name, rival, figures(imggen));
    return [name, { ours: figures(imggen), floor: figures(floor), rivals: new Map(others.map((rival) => [rival.program, figures(rival)])) }];
  });
}

function cells({ ms, min, memory }, floor, ours) {
  return [
    milliseconds(ms),
    milliseconds(min),
    floor ? (ms / floor.ms).toFixed(2) : '',
    ours ? (ours.ms / ms).toFixed(2) : '',
    Number.isNaN(memory) ? '–' : megabytes(memory),
  ];
}

function explain() {
  const notes = [
    'Times are of whole processes that took turns: compare those of one block. The floor is Node alone.',
    'imggen has its compile cache, where Node has one. The server is another process and answers at once.',
    measuresMemory
      ? 'Memory is the peak of the process, as GNU time says; of a pipeline that of its largest process.'
      : 'Memory was not measured: there is no GNU time at /usr/bin/time.',
  ];
  console.log(`\n${notes.join('\n')}`);
}

function showGoals(lines) {
  if (lines.length === 0) return;
  console.log();
  for (const line of [...goals.head(), ...lines.map((cells) => goals.line(cells))]) console.log(line);
}

/** Whether a name is in a list like `one,ten-*`. */
function matcher(list) {
  const patterns = list.split(',').map((glob) => glob.trim().replace(/[^\w*-]/g, '').replaceAll('*', '.*'));
  const pattern = new RegExp(`^(${patterns.join('|')})$`);
  return (name) => pattern.test(name);
}
