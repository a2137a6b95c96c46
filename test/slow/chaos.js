// Kills imggen at random moments, many times, and counts money and images afterwards.
//   node test/slow/chaos.js [--runs 300] [--seed <number>] [--jobs 6]
// Everything that is random follows from the seed; when exactly a signal arrives does not.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '300' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    jobs: { type: 'string', default: '6' },
  },
});
const [runs, seed, jobs] = [values.runs, values.seed, values.jobs].map(Number);
const started = Date.now();
console.log(`chaos: ${runs} runs, ${jobs} at once, seed ${seed}`);

const program = process.env.IMGGEN_TEST_PROGRAM ?? fileURLToPath(new URL('../../bin/imggen.js', import.meta.url));
const root = mkdtempSync(path.join(tmpdir(), 'imggen-chaos-'));
const target = path.join(root, 'target');
const state = path.join(root, 'state');
mkdirSync(target);
mkdirSync(path.join(state, 'runs'), { recursive: true, mode: 0o700 });
const random = mulberry32(seed);
const between = (low, high) => low + random() * (high - low);
const pick = (list) => list[Math.floor(random() * list.length)];

/** Files that were there before: names that the runs want. */
const sentinels = new Map(
  ['pic-2.png', 'pic-5.png', 'pic-17.png', 'deep/pic-1.webp', 'pic-3.png.json'].map((name) => [name, `mine: ${name}`]),
);
for (const [name, text] of sentinels) {
  mkdirSync(path.dirname(path.join(target, name)), { recursive: true });
  writeFileSync(path.join(target, name), text);
}

/** POSTs that went to a sandbox whole, by prompt. Each run has a prompt of its own. */
const posts = new Map();
const counts = { charged: 0, images: 0, files: 0 };
const children = new Set();
const closers = [];
process.on('exit', () => closers.forEach((close) => close()));
const violations = [];
const check = (isRight, what) => isRight || violations.push(what);

const gateways = await Promise.all([
  gateway('url', ['--fault', 'slow-download:0.3', '--fault', 'download-cut:0.1', '--latency', '100']),
  gateway('url', ['--latency', '400']),
  gateway('openai-url', ['--fault', 'slow-download:0.3', '--fault', 'download-truncated:0.1', '--latency', '50']),
  gateway('data-uri', ['--fault', 'slow:0.3', '--latency', '100']),
  gateway('b64_json', ['--fault', 'slow:0.3']),
]);
await generateAll();
const before = stages();
const resumes = await resumeAll();
await checkAll();
report();
if (violations.length === 0) rmSync(root, { recursive: true, force: true });
else console.log(`its files are kept in ${root}`);
for (const close of closers) close();
process.exitCode = violations.length > 0 ? 1 : 0;

/** A sandbox, and in front of it a counter of POSTs. */
async function gateway(answer, flags) {
  const sandbox = run(['sandbox', '--answer', answer, '--seed', String(Math.floor(random() * 1e9)), ...flags]);
  const [line] = await once(sandbox.stdout, 'data');
  const url = new URL(String(line).trim());
  const counter = createServer(async (incoming, response) => {
    response.on('error', () => {});
    const chunks = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk);
    } catch {
      return; // killed in the middle of its request
    }
    const body = Buffer.concat(chunks);
    const { prompt } = JSON.parse(body.toString());
    posts.set(prompt, (posts.get(prompt) ?? 0) + 1);
    const { method, headers } = incoming;
    const onward = httpRequest({ host: url.hostname, port: url.port, path: incoming.url, method, headers }, (reply) => {
      response.writeHead(reply.statusCode, reply.headers);
      reply.pipe(response);
      reply.on('error', () => response.destroy());
    });
    onward.on('error', () => response.destroy());
    onward.end(body);
  }).listen(0, '127.0.0.1');
  await once(counter, 'listening');
  closers.push(
    () => sandbox.kill('SIGKILL'),
    () => (counter.closeAllConnections(), counter.close()),
  );
  return {
    answer,
    baseUrl: `http://127.0.0.1:${counter.address().port}${url.pathname}`,
    stats: async () => await (await fetch(new URL('/sandbox/stats', url))).json(),
  };
}

function run(args, env = {}) {
  return spawn(process.execPath, [program, ...args], {
    cwd: target,
    env: {
      PATH: process.env.PATH,
      HOME: root,
      XDG_CACHE_HOME: fileURLToPath(new URL('../../node_modules/.cache', import.meta.url)),
      IMGGEN_CONFIG_DIR: path.join(root, 'config'),
      IMGGEN_STATE_DIR: state,
      IMGGEN_API_KEY: 'sk-chaos-1234567890',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Starts all runs, some of them resumes, each to be killed at some time, or at the moment of some change of a file. */
async function generateAll() {
  const watchers = [target, path.join(state, 'runs')].map((directory) =>
    watch(directory, () => {
      const victim = pick([...children].filter(({ mode }) => mode === 'event'));
      if (victim && random() < 0.05) setTimeout(() => victim.child.kill('SIGKILL'), between(0, 3));
    }),
  );
  let next = 0;
  await Promise.all(
    Array.from({ length: jobs }, async () => {
      while (next < runs) {
        const number = (next += 1);
        await oneRun(number);
        if (random() < 0.1) await watched(run(['resume']), pick(['time', 'event']));
      }
    }),
  );
  for (const watcher of watchers) watcher.close();
}

async function oneRun(number) {
  const { baseUrl, answer } = pick(gateways);
  const args = [
    `chaos ${number}`,
    '-n',
    String(1 + Math.floor(random() * 4)),
    '-m',
    'any',
    '-s',
    pick(['256x256', '512x512']),
    '-f',
    pick(['png', 'png', 'jpeg', 'webp']),
  ];
  args.push('--name', pick(['pic-{i}', 'pic-{i}', 'deep/pic-{i}']));
  if (random() < 0.25) args.push('--sidecar');
  if (random() < 0.3) args.push('--convert', pick(['webp', 'jpeg', 'avif']), ...pick([[], [], ['--no-keep-original']]));
  if (!answer.endsWith('url') && random() < 0.4) args.push('--stream');
  const mode = pick(['time', 'time', 'event', 'event', 'never']);
  const { exit, stderr } = await watched(run(args, { IMGGEN_BASE_URL: baseUrl }), mode);
  const ended = exit === null || [0, 7].includes(exit);
  check(ended && (mode !== 'never' || exit !== null), `run ${number} ended with ${exit}: ${stderr}`);
}

async function watched(child, mode) {
  const entry = { child, mode };
  children.add(entry);
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  child.stdout.resume();
  // Most runs take half a second; those of slow servers, three.
  const timer =
    mode === 'time' ? setTimeout(() => child.kill('SIGKILL'), between(50, pick([500, 1000, 3500]))) : undefined;
  const [exit] = await once(child, 'close');
  clearTimeout(timer);
  children.delete(entry);
  return { exit, stderr };
}

/** Resumes, two at once, until nothing is left; some of them are killed as well. */
async function resumeAll() {
  for (let round = 1; round <= 20; round += 1) {
    const modes = round <= 3 ? ['time', 'never'] : ['never', 'never'];
    const ends = await Promise.all(modes.map((mode) => watched(run(['resume']), mode)));
    if (ends.every(({ exit, stderr }) => exit === 0 && stderr === 'nothing to resume\n')) return round - 1;
    await sleep(10);
  }
  violations.push('after 20 rounds of resume something is still left');
  return 20;
}

/** The journal, read without imggen's code: one list of entries a run. */
function journal() {
  const directory = path.join(state, 'runs');
  return readdirSync(directory).map((name) => {
    const lines = readFileSync(path.join(directory, name), 'utf8').split('\n').filter(Boolean);
    const entries = lines.flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
    return { name, entries, of: (type) => entries.filter((entry) => entry.type === type) };
  });
}

/** How far the runs had come when they were killed. */
function stages() {
  const counts = {};
  for (const { entries, of } of journal()) {
    const answered = of('answered').at(-1);
    const stage =
      entries.length === 0
        ? 'empty'
        : !answered
          ? 'asked'
          : new Set(of('saved').map(({ index }) => index)).size < answered.sources.length
            ? 'answered'
            : of('released').length === 0
              ? 'saved'
              : 'released';
    counts[stage] = (counts[stage] ?? 0) + 1;
  }
  return counts;
}

async function checkAll() {
  const expected = new Map();
  for (const { name, of } of journal()) {
    const [asked] = of('asked');
    if (!asked) continue;
    const count = posts.get(asked.prompt) ?? 0;
    check(count <= 1, `${asked.prompt}: ${count} POSTs`);
    const answered = of('answered').at(-1);
    if (!answered) continue;
    check(count === 1, `${asked.prompt}: answered after ${count} POSTs`);
    answered.sources.forEach((_source, k) => {
      const saved = of('saved').findLast(({ index }) => index === k + 1);
      check(
        saved,
        `${asked.prompt} (${name}): image ${k + 1} of its answer is not saved: ${JSON.stringify(of('lost'))}`,
      );
      const made = of('made').some(({ index }) => index === k + 1);
      check(
        made === (asked.edit !== undefined),
        `${asked.prompt} (${name}): image ${k + 1} is ${made ? '' : 'not '}converted`,
      );
    });
    // One image has one place, also when it was saved twice over.
    for (const { type, index, path: file, facts } of [
      ...(asked.keepOriginal === false ? [] : of('saved')),
      ...of('made'),
    ]) {
      const other = expected.get(file);
      check(!other || other.key === `${name} ${index} ${type}`, `${file} belongs to two images`);
      expected.set(file, { key: `${name} ${index} ${type}`, facts });
    }
  }
  const keys = [...expected.values()].map(({ key }) => key);
  check(new Set(keys).size === keys.length, 'an image is saved twice');
  for (const [prompt, count] of posts) check(count === 1, `${prompt}: ${count} POSTs`);

  const found = readdirSync(target, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  for (const file of found) await checkFile(file, expected.get(file));
  for (const file of expected.keys()) check(existsSync(file), `${file} is in the journal and not there`);
  for (const [name, text] of sentinels)
    check(readFileSync(path.join(target, name), 'utf8') === text, `${name} was there before, and is another file now`);
  const parts = path.join(state, 'parts');
  check(!existsSync(parts) || readdirSync(parts).length === 0, 'parts are left in the state directory');
  counts.images = expected.size;

  for (const { stats } of gateways) {
    const { requests, charged, rejected } = await stats();
    check(
      requests === charged.generations + rejected && rejected === 0,
      `the sandbox took ${requests} POSTs, charged ${charged.generations}, rejected ${rejected}`,
    );
    counts.charged += charged.generations;
  }
  check(counts.charged === posts.size, `${counts.charged} charges, ${posts.size} runs that sent a POST`);
}

async function checkFile(file, expected) {
  counts.files += 1;
  const name = path.relative(target, file);
  if (sentinels.has(name)) return;
  if (name.includes('.imggen-')) return violations.push(`${name} is left`);
  if (name.endsWith('.json')) {
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      return violations.push(`${name} is not whole`);
    }
  }
  if (!expected) return violations.push(`${name} is in no run's journal`);
  const bytes = readFileSync(file);
  check(
    createHash('sha256').update(bytes).digest('hex') === expected.facts.sha256,
    `${name} is not what the journal says`,
  );
  await sharp(bytes, { failOn: 'error' })
    .raw()
    .toBuffer()
    .catch((error) => violations.push(`${name} does not decode: ${error.message}`));
}

function report() {
  const at = Object.entries(before)
    .map(([stage, count]) => `${stage} ${count}`)
    .join(', ');
  console.log(
    `journal before resume: ${at}; runs without one: ${runs - Object.values(before).reduce((a, b) => a + b, 0)}`,
  );
  console.log(
    `${posts.size} POSTs, ${counts.charged} charges, ${counts.images} images saved, ${resumes} rounds of resume, ${((Date.now() - started) / 1000).toFixed(1)} s`,
  );
  for (const violation of violations.slice(0, 50)) console.log(`VIOLATION: ${violation}`);
  console.log(
    violations.length === 0 ? 'nothing lost, nothing paid for twice' : `${violations.length} violations, seed ${seed}`,
  );
}

/** Numbers from 0 up to 1 that follow from a seed. */
function mulberry32(number) {
  let a = number >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
