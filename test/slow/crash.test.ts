import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Bench, ended } from '../support/bench.ts';
import {
  batchFile,
  type CountedSandbox,
  countedSandbox,
  declare,
  type Declared,
  journalOf,
  judgeCharges,
  judgeFiles,
  killed,
  Points,
  lockFile,
  seeded,
  twelve,
} from '../support/crash.ts';
import { cats, documented, type Gateway, gateway, silence } from '../support/gateway.ts';
import { image } from '../support/images.ts';
import { imggen, program, start } from '../support/imggen.ts';
import { Place, sha256 } from '../support/place.ts';
import { after, event, until } from '../support/puppet.ts';

/** IMGGEN_CRASH_SEEDS=1-100 tries many, each with kills of its own; IMGGEN_CRASH_LOG=<file> gathers what they counted. */
const [first = 1, last = first] = (process.env.IMGGEN_CRASH_SEEDS ?? '1').split('-').map(Number);
const seeds = Array.from({ length: last - first + 1 }, (_, k) => first + k);

function newBench(): Bench {
  const bench = new Bench();
  onTestFinished(() => bench.remove());
  return bench;
}

/** How a batch reaches its server. */
const reach = ({ baseUrl, taskUrl }: CountedSandbox) => ({ IMGGEN_BASE_URL: baseUrl, IMGGEN_TASK_URL: taskUrl });

/** Repeats a batch that nobody kills until it has nothing left to do: downloads may fail for good at times. */
async function finish(
  bench: Bench,
  args: readonly string[],
  options: { cwd?: string; env: Record<string, string> },
): Promise<void> {
  for (let round = 1; ; round += 1) {
    const { exit, stderr } = await bench.run(['batch', batchFile, '--retries', '5', ...args], options);
    if (exit === 0) return;
    expect([6, 7], stderr).toContain(exit);
    expect(round, stderr).toBeLessThan(10);
  }
}

/** A batch that is done says so, with and without a key, and generates nothing more. */
async function isDone(bench: Bench, sandbox: CountedSandbox, cwd = bench.cwd): Promise<void> {
  const before = await sandbox.charged();
  expect(await bench.run(['batch', batchFile, '--check'], { cwd, env: { IMGGEN_API_KEY: '' } })).toMatchObject({
    exit: 0,
    stdout: '',
  });
  expect(await bench.run(['batch', batchFile], { cwd, env: reach(sandbox) })).toMatchObject({ exit: 0, stdout: '' });
  expect(await sandbox.charged()).toBe(before);
}

function tell(figures: Record<string, unknown>): void {
  if (process.env.IMGGEN_CRASH_LOG) appendFileSync(process.env.IMGGEN_CRASH_LOG, `${JSON.stringify(figures)}\n`);
}

/** What goes wrong besides the kills. */
const servers: [name: string, flags: string[], settings: Record<string, unknown>][] = [
  ['URLs', ['--answer', 'url', '--latency', '80', '--fault', 'download-cut:0.1', '--fault', '503:0.05'], {}],
  [
    'base64',
    [
      '--answer',
      'b64_json',
      '--latency',
      '80',
      '--fault',
      'cut:0.05',
      '--fault',
      'drop-after:0.05',
      '--fault',
      '429:0.03',
    ],
    {},
  ],
  ['tasks', ['--answer', 'url', '--latency', '80', '--fault', 'pending:0.3'], {}],
  ['server-sent events', ['--latency', '50', '--fault', 'slow:0.05', '--fault', 'cut:0.05'], { stream: true }],
];

describe.each(seeds)('killed at points that the seed names, seed %i', (seed) => {
  test.each(servers)('%s: nothing is lost, and no answer paid for again', async (name, flags, settings) => {
    const bench = newBench();
    const random = seeded(seed);
    const points = new Points();
    const sandbox = await countedSandbox(bench, ['--seed', String(seed), ...flags], points.on);
    const declared = twelve();
    declare(bench.cwd, declared, settings);
    const [cwd, env] = [bench.cwd, reach(sandbox)];
    let kills = 0;
    for (let round = 0; round < 6; round += 1) {
      const child = bench.spawn(['batch', batchFile, '--concurrency', String(1 + Math.floor(random() * 8))], { env });
      const { exit, stderr } = await killed(child, [cwd, join(cwd, 'deep'), join(bench.state, 'runs')], random, points);
      if (exit === null) kills += 1;
      else expect([0, 6, 7], stderr).toContain(exit);
    }
    await finish(bench, [], { env });
    await judgeFiles(cwd, declared);
    const inFlight = await judgeCharges(declared, journalOf(bench.state), sandbox);
    tell({ name, seed, kills, charges: declared.length + inFlight, inFlight });
    await isDone(bench, sandbox);
  });
});

test.each(seeds)(
  'killed while conversions are made anew, seed %i: from the originals, without a generation',
  async (seed) => {
    const bench = newBench();
    const random = seeded(seed);
    const sandbox = await countedSandbox(bench, []);
    const env = reach(sandbox);
    /** Twelve images, with as many small ones as a number says. */
    const withSmall = (small: number): Declared[] =>
      Array.from({ length: 12 }, (_, k) => {
        const names = Array.from({ length: small }, (_, m) => `small/${k}-${m}.webp`);
        const variants = names.map((out, m) => ({ out, resize: `${20 + m}x${20 + m}` }));
        return {
          image: { prompt: `image ${k}`, out: `${k}.png`, ...(k % 2 === 0 && { resize: '99x99' }), variants },
          files: [`${k}.png`, ...(k % 2 === 0 ? [`${k}.original.png`] : []), ...names],
        };
      });
    declare(bench.cwd, withSmall(0));
    expect(await bench.run(['batch', batchFile], { env })).toMatchObject({ exit: 0 });
    declare(bench.cwd, withSmall(4));
    let kills = 0;
    for (let round = 0; round < 4; round += 1) {
      const child = bench.spawn(['batch', batchFile], { env });
      const { exit, stderr } = await killed(child, [bench.cwd, join(bench.cwd, 'small')], random);
      if (exit === null) kills += 1;
      else expect(exit, stderr).toBe(0);
    }
    await finish(bench, [], { env });
    await judgeFiles(bench.cwd, withSmall(4));
    expect(await sandbox.charged()).toBe(12);
    tell({ name: 'conversions', seed, kills });
    await isDone(bench, sandbox);
  },
);

test('killed before an original went that was not to stay: it goes the next time, but not what somebody put in its place', async () => {
  const place = new Place();
  place.write(
    'b.json',
    JSON.stringify({
      images: ['a', 'b'].map((name) => ({ prompt: name, out: `${name}.png`, resize: '4x4', 'keep-original': false })),
    }),
  );
  const api = await gateway({ generation: cats() });
  expect(await imggen(['batch', 'b.json'], { place, gateway: api })).toMatchObject({
    exit: 0,
    files: ['a.png', 'b.json', 'b.json.lock.json', 'b.png'],
  });
  // As the process leaves it that dies at that moment.
  const lock = place.json('b.json.lock.json') as { jobs: Record<string, { originals: unknown[] }> };
  const bytes = image('cat.png');
  for (const name of ['a', 'b']) {
    place.write(`${name}.original.png`, bytes);
    lock.jobs[`${name}.png`]!.originals = [
      { path: `${name}.original.png`, sha256: sha256(bytes), bytes: bytes.length },
    ];
  }
  place.write('b.json.lock.json', JSON.stringify(lock));
  place.write('b.original.png', 'mine');
  expect(await imggen(['batch', 'b.json', '--check'], { place })).toMatchObject({
    exit: 9,
    stdout: expect.stringMatching(/^(.*: its original was to be removed\n){2}$/) as string,
  });
  expect(await imggen(['batch', 'b.json'], { place, gateway: api })).toMatchObject({
    exit: 0,
    files: ['a.png', 'b.json', 'b.json.lock.json', 'b.original.png', 'b.png'],
  });
  expect(place.read('b.original.png').toString()).toBe('mine');
  expect(await imggen(['batch', 'b.json', '--check'], { place })).toMatchObject({ exit: 0 });
  expect(api.posts()).toHaveLength(2);
});

test('killed, and then another image is wanted: what comes late of the first never replaces the second', async () => {
  const place = new Place();
  const declared = (prompt: string) => JSON.stringify({ images: [{ prompt, out: 'fox.png' }] });
  place.write('b.json', declared('first'));
  const asked = event();
  let isHeld = true;
  const api = await gateway({
    generation: ({ body }) => (body.includes('first') ? documented('{{origin}}/late.png') : cats()),
    paths: {
      '/late.png': async () => {
        asked.happen();
        return isHeld ? await silence() : { body: image('provenance.png') };
      },
    },
  });
  const run = start(['batch', 'b.json'], { place, gateway: api, unchecked: true });
  await asked.happened;
  run.kill('SIGKILL');
  await run.end;
  isHeld = false;
  place.write('b.json', declared('second'));
  expect(await imggen(['batch', 'b.json'], { place, gateway: api })).toMatchObject({
    exit: 0,
    files: ['b.json', 'b.json.lock.json', 'fox.png'],
  });
  expect(await imggen(['resume'], { place, gateway: api })).toMatchObject({ exit: 0, stderr: 'nothing to resume\n' });
  expect(place.sha256('fox.png')).toBe(sha256(image('cat.png')));
  expect(await imggen(['batch', 'b.json', '--check'], { place })).toMatchObject({ exit: 0 });
  expect(promptsOf(api)).toEqual(['first', 'second']);
});

const shards = ['1/4', '2/4', '3/4', '4/4'] as const;
const parts = shards.map((shard) => `${batchFile}.lock.${shard.replace('/', '-of-')}.json`);

/** Runs four shards at once, each killed so many times, until every one of them is done. */
async function runShards(
  bench: Bench,
  places: readonly { cwd: string; env: Record<string, string> }[],
  kills: number,
  random: () => number,
): Promise<void> {
  await Promise.all(
    shards.map(async (shard, k) => {
      const { cwd, env } = places[k]!;
      for (let round = 0; round < kills; round += 1) {
        await killed(
          bench.spawn(['batch', batchFile, '--shard', shard], { cwd, env }),
          [cwd, join(env.IMGGEN_STATE_DIR ?? bench.state, 'runs')],
          random,
        );
      }
      await finish(bench, ['--shard', shard], { cwd, env });
    }),
  );
}

/** Joins the parts, and looks whether anything is left. */
async function judgeMerged(
  bench: Bench,
  cwd: string,
  declared: readonly Declared[],
  sandbox: CountedSandbox,
): Promise<void> {
  expect(await bench.run(['batch', batchFile, '--merge-locks', ...parts], { cwd })).toMatchObject({
    exit: 0,
    stdout: '',
  });
  await judgeFiles(cwd, declared, parts);
  await isDone(bench, sandbox, cwd);
  // The parts have said what they had to say.
  for (const part of parts) rmSync(join(cwd, part));
  await isDone(bench, sandbox, cwd);
  expect(readdirSync(cwd).filter((name) => name.includes('.lock'))).toEqual([lockFile]);
}

describe.each(seeds)('four shards at once, seed %i', (seed) => {
  test.each([0, 2])('in one directory, each killed %i times', async (kills) => {
    const bench = newBench();
    const sandbox = await countedSandbox(bench, ['--latency', '80']);
    const declared = twelve();
    declare(bench.cwd, declared);
    const env = reach(sandbox);
    await runShards(
      bench,
      shards.map(() => ({ cwd: bench.cwd, env })),
      kills,
      seeded(seed),
    );
    await judgeMerged(bench, bench.cwd, declared, sandbox);
    const inFlight = await judgeCharges(declared, journalOf(bench.state), sandbox);
    if (kills === 0) expect(inFlight).toBe(0);
    tell({ name: 'shards', seed, kills: kills * 4, inFlight });
  });

  test.each([0, 1])('on four machines, each killed %i times, after a first half on a fifth', async (kills) => {
    const bench = newBench();
    const sandbox = await countedSandbox(bench, ['--latency', '80', '--answer', 'b64_json']);
    const declared = twelve();
    declare(bench.cwd, declared);
    const env = reach(sandbox);
    expect(await bench.run(['batch', batchFile, '--only', 'plain*', '--only', 'gone*'], { env })).toMatchObject({
      exit: 0,
    });
    const states = shards.map((_shard, k) => join(bench.root, `state-${k}`));
    const places = shards.map((_shard, k) => ({
      cwd: bench.directory(`machine-${k}`),
      env: { ...env, IMGGEN_STATE_DIR: states[k]! },
    }));
    for (const { cwd } of places) cpSync(bench.cwd, cwd, { recursive: true });
    await runShards(bench, places, kills, seeded(seed));
    // What a job of CI does with the artifacts of the others.
    for (const { cwd } of places) cpSync(cwd, bench.cwd, { recursive: true, preserveTimestamps: true });
    await judgeMerged(bench, bench.cwd, declared, sandbox);
    const inFlight = await judgeCharges(declared, journalOf(bench.state, ...states), sandbox);
    if (kills === 0) expect(inFlight).toBe(0);
    tell({ name: 'machines', seed, kills: kills * 4, inFlight });
  });
});

describe('two at once on one file', () => {
  /** A batch that has begun, of a sandbox that thinks for long. */
  async function begun() {
    const bench = newBench();
    const sandbox = await countedSandbox(bench, ['--latency', '700']);
    const declared = twelve();
    declare(bench.cwd, declared);
    const env = reach(sandbox);
    const child = bench.spawn(['batch', batchFile, '--concurrency', '6'], { env });
    const end = ended(child);
    await until(() => journalOf(bench.state).length > 0);
    return { bench, sandbox, declared, env, child, end };
  }

  const refused = {
    exit: 8,
    stdout: '',
    stderr: expect.stringMatching(
      /^error: another imggen batch works on images\.json\.lock\.json \(process \d+ on .*\)\nhint: .*\n$/,
    ) as string,
  };

  test('the second is refused, and the first is not disturbed', async () => {
    const { bench, sandbox, declared, env, end } = await begun();
    expect(await bench.run(['batch', batchFile], { env })).toMatchObject(refused);
    // A shard would do some of the same jobs.
    expect(await bench.run(['batch', batchFile, '--shard', '1/2'], { env })).toMatchObject({ exit: 8, stdout: '' });
    expect(await bench.run(['batch', batchFile, '--check'], { env })).toMatchObject({ exit: 9 });
    expect(await end).toMatchObject({ exit: 0 });
    await judgeFiles(bench.cwd, declared);
    expect(await judgeCharges(declared, journalOf(bench.state), sandbox)).toBe(0);
  });

  test('the second takes over once the first was killed', async () => {
    const { bench, sandbox, declared, env, child, end } = await begun();
    expect(await bench.run(['batch', batchFile], { env })).toMatchObject(refused);
    child.kill('SIGKILL');
    await end;
    expect(await bench.run(['batch', batchFile], { env })).toMatchObject({ exit: 0 });
    await judgeFiles(bench.cwd, declared);
    expect(await judgeCharges(declared, journalOf(bench.state), sandbox)).toBeLessThanOrEqual(6);
    await isDone(bench, sandbox);
  });

  test('of many that start together one does the work', async () => {
    const bench = newBench();
    const sandbox = await countedSandbox(bench, ['--latency', '500']);
    const declared = twelve();
    declare(bench.cwd, declared);
    const ends = await Promise.all(
      Array.from({ length: 5 }, () => bench.run(['batch', batchFile], { env: reach(sandbox) })),
    );
    expect(ends.map(({ exit }) => exit).sort((a, b) => Number(a) - Number(b))).toEqual([0, 8, 8, 8, 8]);
    await judgeFiles(bench.cwd, declared);
    expect(await judgeCharges(declared, journalOf(bench.state), sandbox)).toBe(0);
  });
});

describe('what one begins and another does', () => {
  /** A place with one job whose first generation is never answered. */
  async function unanswered(args: readonly string[]) {
    const place = new Place();
    place.write('p.txt', 'one');
    const asked = event();
    const api = await gateway({
      generation: () => {
        asked.happen();
        return api.posts().length === 1 ? silence() : cats();
      },
    });
    const run = start(['batch', 'p.txt', ...args], { place, gateway: api, unchecked: true });
    await asked.happened;
    run.kill('SIGKILL');
    await run.end;
    // The ids of runs tell which of two is the later by their second.
    await after(1000);
    return {
      api,
      batch: async (...more: string[]) => await imggen(['batch', 'p.txt', ...more], { place, gateway: api }),
    };
  }

  test.each([
    ['a shard', ['--shard', '1/1'], []],
    ['the whole', [], ['--shard', '1/1']],
  ])('%s is killed, the other does its jobs: neither does them again', async (_name, first, second) => {
    const { api, batch } = await unanswered(first);
    expect(await batch(...second)).toMatchObject({ exit: 0, stdout: 'one-1.png\n' });
    for (const args of [first, second, first]) {
      expect(await batch(...args, '--check')).toMatchObject({ exit: 0 });
      expect(await batch(...args)).toMatchObject({ exit: 0, stdout: '' });
    }
    expect(api.posts()).toHaveLength(2);
  });

  test('a shard is killed, merged with the others, and begun again', async () => {
    const { api, batch } = await unanswered(['--shard', '1/1']);
    expect(await batch('--merge-locks', 'p.txt.lock.1-of-1.json')).toMatchObject({ exit: 0 });
    expect(await batch('--check')).toMatchObject({ exit: 9 });
    expect(await batch()).toMatchObject({ exit: 0, stdout: 'one-1.png\n' });
    expect(await batch('--shard', '1/1')).toMatchObject({ exit: 0, stdout: '' });
    expect(api.posts()).toHaveLength(2);
  });
});

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s', (signal, code) => {
  const prompts = ['one', 'two', 'three', 'four', 'five', 'six'];
  const file = prompts.join('\n');

  test('begins nothing new; what had arrived is kept, and what was in flight is done again', async () => {
    const place = new Place();
    place.write('prompts.txt', file);
    const held = event();
    let isHeld = true;
    const api = await gateway({
      generation: ({ body }) => {
        if (!isHeld || /one|two/.test(body)) return cats();
        if (api.posts().length === 4) held.happen();
        return silence();
      },
    });
    const run = start(['batch', 'prompts.txt', '--concurrency', '2'], { place, gateway: api });
    await held.happened;
    run.kill(signal);
    const { exit, stdout, stderr } = await run.end;
    expect(exit).toBe(code);
    expect(stdout.split('\n').sort()).toEqual(['', 'one-1.png', 'two-1.png']);
    expect(stderr).toMatch(/: 2 jobs under way, 2 not begun\n/);
    expect(promptsOf(api)).toEqual(['four', 'one', 'three', 'two']);
    isHeld = false;
    const again = await imggen(['batch', 'prompts.txt'], { place, gateway: api });
    expect(again).toMatchObject({
      exit: 0,
      stdout: expect.stringMatching(/^((three|four|five|six)-1\.png\n){4}$/) as string,
    });
    expect(promptsOf(api)).toEqual(['five', 'four', 'four', 'one', 'six', 'three', 'three', 'two']);
    expect(again.files).toEqual(
      [...prompts.map((prompt) => `${prompt}-1.png`), 'prompts.txt', 'prompts.txt.lock.json'].sort(),
    );
  });

  test('while images are downloaded: the next batch has them without a generation', async () => {
    const place = new Place();
    place.write('prompts.txt', file);
    let isHeld = true;
    const asked = event();
    const api = await gateway({
      generation: () => documented('{{origin}}/late.png'),
      paths: {
        '/late.png': async () => {
          if (api.gets().length === 6) asked.happen();
          return isHeld ? await silence() : { body: image('cat.png') };
        },
      },
    });
    const run = start(['batch', 'prompts.txt', '--concurrency', '6'], { place, gateway: api });
    await asked.happened;
    run.kill(signal);
    expect(await run.end).toMatchObject({ exit: code, stdout: '' });
    expect(await imggen(['batch', 'prompts.txt', '--check'], { place })).toMatchObject({ exit: 9 });
    isHeld = false;
    expect(await imggen(['batch', 'prompts.txt'], { place, gateway: api })).toMatchObject({ exit: 0 });
    expect(api.posts()).toHaveLength(6);
    expect(await imggen(['batch', 'prompts.txt', '--check'], { place })).toMatchObject({ exit: 0 });
  });

  test('a second one ends at once what the first could not: a pipe that nobody empties', async () => {
    const bench = newBench();
    writeFileSync(join(bench.cwd, 'prompts.txt'), Array.from({ length: 4000 }, (_, k) => `prompt ${k}`).join('\n'));
    const asked = event();
    const api = await gateway({
      generation: () => {
        asked.happen();
        return silence();
      },
    });
    const child = bench.spawn(['batch', 'prompts.txt', '--json'], { env: { IMGGEN_BASE_URL: api.baseUrl } });
    const end = once(child, 'exit');
    await asked.happened;
    child.kill(signal);
    await after(500);
    expect(child.exitCode).toBe(null);
    child.kill(signal);
    expect(await end).toEqual([code, null]);
  });
});

/** What a gateway was asked for, in the order of the alphabet. */
function promptsOf(api: Gateway): string[] {
  return api
    .posts()
    .map(({ prompt }) => prompt as string)
    .sort();
}

describe('a server that has too much to do', () => {
  test('is asked again by nobody for as long as it says', async () => {
    const place = new Place();
    place.write('prompts.txt', 'one\ntwo\nthree\nfour\nfive');
    const both = event();
    const api = await gateway({
      generation: async ({ body }) => {
        if (api.posts().length === 2) both.happen();
        await both.happened;
        return body.includes('one') ? { status: 429, headers: { 'retry-after': '100' } } : (await after(300), cats());
      },
    });
    const run = start(['batch', 'prompts.txt', '--concurrency', '2', '--json'], { place, gateway: api });
    await run.saw(/"type":"retry","job":"one-1.png","reason":"HTTP 429"/);
    await run.saw(/"type":"started","job":"three-1.png"/);
    await after(300);
    run.kill('SIGINT');
    expect(await run.end).toMatchObject({ exit: 130 });
    // Three had its turn, and did not take it.
    expect(promptsOf(api)).toEqual(['one', 'two']);
    expect(await imggen(['history', '--json'], { place })).toMatchObject({
      exit: 0,
      stdout: expect.not.stringContaining('unknown') as string,
    });
  });

  test('for good is exit 5: nothing is charged, and the next batch does all of it', async () => {
    const bench = newBench();
    const declared = twelve();
    declare(bench.cwd, declared);
    const storm = await countedSandbox(bench, ['--fault', '429']);
    const { exit, stderr } = await bench.run(['batch', batchFile, '--retries', '1', '--concurrency', '12'], {
      env: reach(storm),
    });
    expect(exit, stderr).toBe(5);
    expect(stderr).toMatch(/12 jobs failed\n/);
    expect(await storm.charged()).toBe(0);
    expect(readdirSync(bench.cwd).filter((name) => /\.png|webp|jpg|jsonl/.test(name))).toEqual([]);
    const calm = await countedSandbox(bench, []);
    expect(await bench.run(['batch', batchFile], { env: reach(calm) })).toMatchObject({ exit: 0 });
    await judgeFiles(bench.cwd, declared);
    expect(await judgeCharges(declared, journalOf(bench.state), calm)).toBe(0);
  });

  test('now and then: every job is done, and charged once', async () => {
    const bench = newBench();
    const declared = twelve();
    declare(bench.cwd, declared);
    const sandbox = await countedSandbox(bench, ['--fault', '429:0.2', '--seed', '3']);
    await finish(bench, [], { env: reach(sandbox) });
    await judgeFiles(bench.cwd, declared);
    expect(await judgeCharges(declared, journalOf(bench.state), sandbox)).toBe(0);
  });
});

/** How this user may be in a count of processes of its own, as a container is; none where the system forbids it. */
const unshare = '/usr/bin/unshare';
const waysToCount = [['-pf'], ['-rpf']]
  .map((flags) => [...flags, '--mount-proc', '--kill-child'])
  .filter((flags) => spawnSync(unshare, [...flags, 'true']).status === 0)
  .slice(0, 1);

test.each(waysToCount)(
  'two containers that share a host name: only one works on a lock file, and on a run',
  async (...flags) => {
    const bench = newBench();
    let isHeld = true;
    const api = await gateway({
      generation: () => documented('{{origin}}/late.png'),
      paths: { '/late.png': async () => (isHeld ? await silence() : { body: image('cat.png') }) },
    });
    writeFileSync(join(bench.cwd, 'b.json'), JSON.stringify({ images: [{ prompt: 'x', out: 'x.png' }] }));
    const env = { IMGGEN_BASE_URL: api.baseUrl };
    const container = (script: string, ...args: string[]) =>
      bench.spawnOther(unshare, [...flags, 'sh', '-c', script, process.execPath, program, ...args], { env });
    // Its number is none that a thread of the other has.
    const first = container('while [ "$((k += 1))" -le 100 ]; do (:); done; "$0" "$@"; exit $?', 'batch', 'b.json');
    await until(() => api.gets().length > 0);
    const second = await ended(container('exec "$0" "$@"', 'batch', 'b.json'));
    expect(second).toMatchObject({
      exit: 8,
      stderr: expect.stringMatching(
        new RegExp(`another imggen batch works on b.json.lock.json \\(process \\d+ on ${hostname()}\\)`),
      ) as string,
    });
    expect(await ended(container('exec "$0" "$@"', 'resume'))).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining('nothing to resume') as string,
    });
    expect(await bench.history()).toMatchObject([{ state: 'running' }]);

    first.kill('SIGKILL');
    await once(first, 'close');
    isHeld = false;
    // As if a minute had passed.
    const runs = join(bench.state, 'runs');
    const before = Date.now() / 1000 - 61;
    for (const path of [join(bench.cwd, 'b.json.lock.jsonl'), ...readdirSync(runs).map((name) => join(runs, name))])
      utimesSync(path, before, before);
    expect(await ended(container('exec "$0" "$@"', 'batch', 'b.json'))).toMatchObject({ exit: 0, stdout: 'x.png\n' });
    expect(api.posts()).toHaveLength(1);
  },
);
