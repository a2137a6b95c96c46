// What is run: the rows of the table, each with imggen and its rivals.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The same variable points the test suite at another build. */
const imggen = process.env.IMGGEN_TEST_PROGRAM ?? path.join(root, 'bin/imggen.js');
const slowDisk = new URL('slow-disk.js', import.meta.url).href;
export const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

/** Of an image of a batch, in bytes. */
const small = 10_000;
const jobsFile = 'jobs.jsonl';
/** Sizes in bytes, `disk` a second; jobs of a batch; and how often each group is run. */
const forms = {
  full: {
    sizes: { one: 1_500_000, big: 25_000_000, disk: 100_000_000, jobs: 1000 },
    runs: { start: 31, one: 21, big: 7, ten: 7, slow: 3, batch: 3, 'long-batch': 1 },
  },
  short: {
    sizes: { one: 150_000, big: 1_000_000, disk: 5_000_000, jobs: 20 },
    runs: { start: 1, one: 1, big: 1, ten: 1, slow: 1, batch: 1, 'long-batch': 0 },
  },
};

/**
 * The groups of rows. The runs of a group are interleaved, with the floor among them.
 *
 * @param options `short`; `node`, the binary; `origin`, the server's; `scratch`, a directory; `rivals`, those that are here
 */
export function groupsOf(options) {
  const { sizes, runs } = options.short ? forms.short : forms.full;
  const { one, big, disk, jobs } = sizes;
  const context = { ...options, env: environment(options.scratch) };
  const images = (name, n, bytes, rivals = []) => imagesRow(context, { name, n, bytes, rivals });
  const groups = {
    start: { title: 'nothing but to start', rows: startRows(context) },
    one: {
      title: `one image of ${megabytes(one)}`,
      rows: [images('one-url', 1, one), images('one-base64', 1, one, [pipeline, skill]), images('one-sse', 1, one)],
    },
    big: {
      title: `one image of ${megabytes(big)}`,
      rows: [images('big-base64', 1, big), images('big-sse', 1, big)],
    },
    ten: {
      title: `ten images of ${megabytes(big)}`,
      rows: [
        images('ten-url', 10, big, [curlParallel]),
        images('ten-base64', 10, big, [pipeline]),
        images('ten-sse', 10, big),
      ],
    },
    slow: {
      title: `ten images of ${megabytes(big)}, to a disk that takes ${megabytes(disk)} a second`,
      rows: ['slow-url', 'slow-base64'].map((name) => onSlowDisk(images(name, 10, big), disk)),
    },
    batch: {
      title: `jobs of one image of ${small / 1000} kB each, half by URL, half in base64`,
      rows: batchRows(context, jobs, jobs),
    },
    'long-batch': {
      title: 'the same, more of it',
      isLong: true,
      rows: [...batchRows(context, 10_000, 100_000), dueRow(context, 'yaml', 20_000, 'jobs.yaml', document)],
    },
  };
  const floor = { program: 'node -e 0', command: [context.node, '-e', '0'], env: context.env };
  return Object.entries(groups)
    .filter(([name]) => runs[name] > 0)
    .map(([name, group]) => ({ ...group, name, runs: runs[name], floor }));
}

export function megabytes(bytes) {
  return `${Number((bytes / 1e6).toPrecision(bytes < 10e6 ? 2 : 3))} MB`;
}

/** A user with nothing but a key. */
function environment(scratch) {
  const at = (name) => path.join(scratch, name);
  return {
    PATH: process.env.PATH,
    HOME: at('home'),
    XDG_CACHE_HOME: at('cache'),
    IMGGEN_CONFIG_DIR: at('config'),
    IMGGEN_STATE_DIR: at('state'),
    IMGGEN_API_KEY: 'sk-bench-0123456789',
  };
}

/** A row of imggen alone. */
function row({ node, env }, name, shown, args, rest) {
  return { name, programs: [{ program: `imggen ${shown}`.trim(), command: [node, imggen, ...args], env, ...rest }] };
}

function startRows(context) {
  return [
    row(context, 'version', '--version', ['--version'], { text: `${version}\n` }),
    row(context, 'help', '--help', ['--help'], { text: 'Usage: imggen ' }),
    row(context, 'usage-error', '"a cat" -n 99', ['a cat', '-n', '99'], { exit: 2, text: '99' }),
    row(context, 'dry-run', '"a cat" --dry-run', ['a cat', '--dry-run'], { text: '"prompt": "a cat"' }),
  ];
}

/** A row in which n images are asked for, in the way that its name ends with, and must be there at the end. */
function imagesRow(context, { name, n, bytes, rivals }) {
  const { node, origin, env, rivals: here } = context;
  const kind = name.split('-')[1];
  const numbers = range(n);
  const baseUrl = `${origin}/${kind}/${n}/${bytes}/v1`;
  const wanted = { bytes, files: numbers.map((k) => [k]) };
  const args = ['a cat', '-n', String(n), '--name', '{i}', ...(kind === 'sse' ? ['--stream'] : [])];
  const ours = row(context, name, '', args, { ...wanted, env: { ...env, IMGGEN_BASE_URL: baseUrl } });
  const task = { node, origin, n, bytes, numbers, baseUrl };
  ours.programs.push(...rivals.map((rival) => ({ env, ...wanted, ...rival(task, here) })));
  return ours;
}

/** `curl | jq | base64 -d`. All images go to one file: the least that it can do. */
function pipeline({ n, baseUrl, numbers }, { curl, jq, base64 }) {
  const body = JSON.stringify({ model: 'gpt-image-1.5', prompt: 'a cat', n });
  const post = `curl -sS -H 'content-type: application/json' -d '${body}' ${baseUrl}/images/generations`;
  return {
    program: 'curl + jq + base64',
    skip: absent({ curl, jq, base64 }),
    command: ['sh', '-c', `${post} | jq -r '.data[].b64_json' | base64 -d > 1.png`],
    files: [numbers],
  };
}

/** The downloads alone; who asked for the images is not counted. */
function curlParallel({ origin, bytes, numbers }, { curl }) {
  const urls = numbers.map((k) => `${origin}/image/${k}/${bytes}/${k + 1}.png`);
  const command = ['curl', '-sS', '--parallel', '--remote-name-all', ...urls];
  return { program: 'curl --parallel', skip: absent({ curl }), command };
}

/** A native binary that a script of npm starts. It downloads over https only, so base64 is all that it is asked for. */
function skill({ node, baseUrl }, { 'gpt-image-2-skill': found }) {
  if (!found) return { program: 'gpt-image-2-skill', skip: absent({ 'gpt-image-2-skill': found }) };
  const api = ['--json', '--provider', 'openai', '--api-key', 'bench', '--openai-api-base', baseUrl];
  const request = ['images', 'generate', '--prompt', 'a cat', '--n', '1', '--out', '1.png'];
  return { program: found.version, command: [node, found.script, ...api, ...request] };
}

function absent(tools) {
  const names = Object.keys(tools).filter((name) => !tools[name]);
  return names.length > 0 ? `skipped: there is no ${names.join(', no ')} here` : undefined;
}

/** The same row with files that are written slowly, as the time must show. */
function onSlowDisk({ name, programs }, disk) {
  const slow = { NODE_OPTIONS: `--import=${slowDisk}`, IMGGEN_BENCH_DISK: String(disk) };
  const slowed = (each) => ({
    ...each,
    env: { ...each.env, ...slow },
    atLeastMs: (each.files.flat().length * each.bytes * 1000) / disk,
  });
  return { name, programs: programs.map(slowed) };
}

/** Jobs that are done; a check of them when they are up to date; and a check of others that are due. */
function batchRows(context, jobs, due) {
  const work = {
    given: { [jobsFile]: lines(context, jobs) },
    files: Array.from({ length: jobs }, () => [0]),
    bytes: small,
    jobs,
    others: [jobsFile, `${jobsFile}.lock.json`],
  };
  const batch = row(context, `batch-${jobs}`, 'batch', ['batch', jobsFile, '--concurrency', '16'], work);
  let place;
  const check = row(context, `check-${jobs}`, '--check', ['batch', jobsFile, '--check'], {
    place: () => (place ??= done(context, batch.programs[0])),
    text: 'up to date',
  });
  return [batch, check, dueRow(context, 'due', due, jobsFile, lines)];
}

function dueRow(context, name, count, file, text) {
  return row(context, `${name}-${count}`, '--check', ['batch', file, '--check'], {
    given: { [file]: text(context, count) },
    others: [file],
    exit: 9,
    text: `${count}.png`,
  });
}

/** A directory in which every job is done. */
function done({ scratch }, { command: [file, ...args], env, given, jobs }) {
  const directory = path.join(scratch, `done-${jobs}`);
  mkdirSync(directory, { recursive: true });
  for (const [each, text] of Object.entries(given)) writeFileSync(path.join(directory, each), text);
  execFileSync(file, args, { cwd: directory, env, stdio: 'ignore' });
  return directory;
}

function lines({ origin }, jobs) {
  const baseUrl = (i) => `${origin}/${i % 2 === 0 ? 'base64' : 'url'}/1/${small}/v1`;
  const job = (i) => ({ prompt: `a cat, number ${i}`, out: `${i}.png`, 'base-url': baseUrl(i) });
  return range(jobs, 1)
    .map((i) => `${JSON.stringify(job(i))}\n`)
    .join('');
}

function document(_context, jobs) {
  const job = (i) => `  - prompt: a cat, number ${i}\n    out: ${i}.png\n`;
  return `images:\n${range(jobs, 1).map(job).join('')}`;
}

function range(count, first = 0) {
  return Array.from({ length: count }, (_, index) => first + index);
}
