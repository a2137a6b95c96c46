// The rows of `imggen batch`: many small images, each a job. Half of the answers have a URL, half the image in base64.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Jobs at once. */
const concurrency = 16;
const name = 'jobs.jsonl';
/** What stands in the directory besides the images. */
const others = [name, `${name}.lock.json`, 'jobs.yaml', 'jobs.txt'];

/**
 * A group of rows: jobs that are done, by one process and by one process each; then checks of jobs that are up to date,
 * and of jobs that are due, in JSON Lines and YAML.
 *
 * @param context `node`, `imggen`: what is run; `origin`, the server's; `scratch`, a directory; `env`
 * @param sizes how many: `jobs`; `loop`, of which a process each is started, 0 for none; `due`; `yaml`, 0 for none; and
 *   `bytes` of each image
 */
export function batchRows(context, { jobs, loop, due, yaml, bytes }) {
  const { node, imggen, env } = context;
  const row = (title, shown, n, args, rest) => ({
    name: title,
    programs: [
      { program: `imggen ${shown}`, command: [node, imggen, 'batch', ...args], env, jobs: n, others, ...rest },
    ],
  });
  const work = { given: () => ({ [name]: lines(context, jobs, bytes) }), files: images(jobs), bytes };
  const batch = row(`batch-${jobs}`, 'batch', jobs, [name, '--concurrency', String(concurrency)], work);
  if (loop > 0) batch.programs.push(...loops(context, loop, bytes));
  const checkOfDue = (title, file, count, text) =>
    row(title, '--check', count, [file, '--check'], {
      given: () => ({ [file]: text() }),
      exit: 9,
      text: `${count}.png`,
    });
  const dues = [checkOfDue(`due-${due}`, name, due, () => lines(context, due, bytes))];
  if (yaml > 0) dues.push(checkOfDue(`yaml-${yaml}`, 'jobs.yaml', yaml, () => document(yaml)));
  const check = row(`check-${jobs}`, '--check', jobs, [name, '--check'], {
    place: once(() => done(context, batch.programs[0], jobs)),
    text: 'up to date',
  });
  return [batch, check, ...dues];
}

/** The same work by people who have no batch: a process a job. There are fewer, and what is compared is one of them. */
function loops({ node, imggen, env, origin }, jobs, bytes) {
  const list = numbers(jobs).map((i) => `-o ${i}.png --base-url ${baseUrl(origin, i, bytes)}\n`);
  const program = (shown, line) => ({
    program: shown,
    command: ['sh', '-c', line, node, imggen],
    env,
    jobs,
    others,
    given: () => ({ 'jobs.txt': list.join('') }),
    files: images(jobs),
    bytes,
  });
  return [
    program('shell loop', 'while read -r args; do "$0" "$1" "a cat" $args || exit; done < jobs.txt'),
    program(`xargs -P ${concurrency}`, `xargs -P ${concurrency} -n 4 "$0" "$1" "a cat" < jobs.txt`),
  ];
}

/** A directory in which every job is done. */
function done({ scratch }, { command: [file, ...args], env, given }, jobs) {
  const directory = path.join(scratch, `done-${jobs}`);
  mkdirSync(directory, { recursive: true });
  for (const [each, text] of Object.entries(given())) writeFileSync(path.join(directory, each), text);
  execFileSync(file, args, { cwd: directory, env, stdio: 'ignore' });
  return directory;
}

function once(make) {
  let made;
  return () => (made ??= make());
}

function lines({ origin }, jobs, bytes) {
  const job = (i) => ({ prompt: `a cat, number ${i}`, out: `${i}.png`, 'base-url': baseUrl(origin, i, bytes) });
  return numbers(jobs)
    .map((i) => `${JSON.stringify(job(i))}\n`)
    .join('');
}

function document(jobs) {
  return `images:\n${numbers(jobs)
    .map((i) => `  - prompt: a cat, number ${i}\n    out: ${i}.png\n`)
    .join('')}`;
}

function baseUrl(origin, i, bytes) {
  return `${origin}/${i % 2 === 0 ? 'base64' : 'url'}/1/${bytes}/v1`;
}

function images(jobs) {
  return Array.from({ length: jobs }, () => [0]);
}

function numbers(count) {
  return Array.from({ length: count }, (_, index) => index + 1);
}
