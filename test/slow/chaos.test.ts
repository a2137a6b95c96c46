// Kills imggen many times at points that follow from a seed, and counts money and images afterwards:
// `npm run chaos`, with IMGGEN_CHAOS_RUNS and IMGGEN_CHAOS_SEED for another number of runs and another seed.
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Bench, type Ended, ended, type HistoryRun, imagesIn, inParallel } from '../support/bench.ts';
import { countedSandbox, journalOf } from '../support/crash.ts';
import { namesBelow } from '../support/place.ts';
import { seeded } from '../support/random.ts';

const runs = Number(process.env.IMGGEN_CHAOS_RUNS ?? 60);
const seed = Number(process.env.IMGGEN_CHAOS_SEED ?? 1);
/** Runs at once. */
const jobs = 4;

/** Where a run ends: before a call that changes the disk, by number; when a server has its POST, or answers; nowhere. */
type Point = number | 'post' | 'answer' | 'never';

interface Plan {
  prompt: string;
  args: string[];
  count: number;
  isConverted: boolean;
  gateway: number;
  point: Point;
  /** A resume after the run, which is killed as well. */
  resumePoint: number | undefined;
}

const gateways = [
  ['url', '--fault', 'slow-download:0.3', '--fault', 'download-cut:0.1', '--latency', '100'],
  ['url', '--latency', '400'],
  ['openai-url', '--fault', 'slow-download:0.3', '--fault', 'download-truncated:0.1', '--latency', '50'],
  ['data-uri', '--fault', 'slow:0.3', '--latency', '100'],
  ['b64_json', '--fault', 'slow:0.3'],
];

/** Files that were there before: names that the runs want. */
const sentinels = ['pic-2.png', 'pic-5.png', 'pic-17.png', 'deep/pic-1.webp', 'pic-3.png.json'];

/** A run's plan depends on its number and the seed alone, not on the order in which other runs end. */
function planOf(number: number): Plan {
  const random = seeded(seed * 1_000_003 + number);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  // A run of one image makes about 40 calls, one of four with all that can be made of them about 120.
  const call = () => 1 + Math.floor(random() ** 1.5 * 120);
  const gateway = Math.floor(random() * gateways.length);
  const [count, prompt] = [1 + Math.floor(random() * 4), `chaos ${number}`];
  const args = [prompt, '-n', String(count), '-m', 'any', '-s', pick(['256x256', '512x512'])];
  args.push('-f', pick(['png', 'png', 'jpeg', 'webp']), '--name', pick(['pic-{i}', 'pic-{i}', 'deep/pic-{i}']));
  if (random() < 0.25) args.push('--sidecar');
  const isConverted = random() < 0.3;
  if (isConverted) args.push('--convert', pick(['webp', 'jpeg', 'avif']), ...pick([[], [], ['--no-keep-original']]));
  if (gateway > 2 && random() < 0.4) args.push('--stream');
  const point = pick<() => Point>([call, call, call, call, () => 'post', () => 'answer', () => 'never'])();
  return { prompt, args, count, isConverted, gateway, point, resumePoint: random() < 0.1 ? call() : undefined };
}

test(`${runs} runs that are killed lose nothing and pay for nothing twice (seed ${seed})`, async () => {
  const bench = new Bench();
  onTestFinished(() => bench.remove());
  for (const name of sentinels) {
    mkdirSync(dirname(join(bench.cwd, name)), { recursive: true });
    writeFileSync(join(bench.cwd, name), `mine: ${name}`);
  }
  const plans = new Map(Array.from({ length: runs }, (_, k) => planOf(k + 1)).map((plan) => [plan.prompt, plan]));
  const children = new Map<string, ChildProcess>();
  const servers = await Promise.all(
    gateways.map(([answer = '', ...flags], k) =>
      countedSandbox(bench, ['--answer', answer, '--seed', String(seed + k), ...flags], (point, prompt) => {
        if (plans.get(prompt)?.point === point) children.get(prompt)?.kill('SIGKILL');
      }),
    ),
  );

  await inParallel(jobs, [...plans.values()], async ({ prompt, args, gateway, point, resumePoint }) => {
    const env = { IMGGEN_BASE_URL: servers[gateway]?.baseUrl ?? '', ...killOf(point) };
    const child = bench.spawn(args, { env });
    children.set(prompt, child);
    const { exit, signal, stderr } = await ended(child);
    expect({ prompt, stderr, end: signal ?? exit }).toMatchObject({
      end: expect.toSatisfy((end) => end === 0 || end === 7 || (end === 'SIGKILL' && point !== 'never')),
    });
    if (resumePoint) await bench.run(['resume'], { env: killedAt(resumePoint) });
  });
  const states = new Set((await bench.history()).map(({ state }) => state));
  expect(states.size, `states before the resume: ${[...states].join(', ')}`).toBeGreaterThan(2);
  await resumeAll(bench);

  const charges = new Map<string, number>();
  for (const server of servers) {
    const own = await server.charges();
    for (const [prompt, count] of own) charges.set(prompt, count);
    expect([...own.values()].reduce((sum, count) => sum + count, 0)).toBe(await server.charged());
  }
  expect([...charges].filter(([, count]) => count > 1)).toEqual([]);
  const history = await bench.history();
  const answered = journalOf(bench.state).filter(({ isAnswered }) => isAnswered);
  expect(answered.length).toBeGreaterThan(runs / 4);
  for (const { prompt } of answered) checkRun(plans.get(prompt) as Plan, history, charges);
  await checkFiles(bench, history);
}, 600_000);

/** The environment in which a program kills itself right before its disk call of this number, from 1. */
function killedAt(call: number): Record<string, string> {
  return {
    NODE_OPTIONS: `--import=${new URL('../support/kill.js', import.meta.url).href}`,
    IMGGEN_KILL_AT: String(call),
  };
}

function killOf(point: Point): Record<string, string> {
  return typeof point === 'number' ? killedAt(point) : {};
}

/** Resumes, two at once, until nothing is left; some of them are killed as well. */
async function resumeAll(bench: Bench): Promise<void> {
  const isOver = ({ exit, stderr }: Ended) => exit === 0 && stderr === 'nothing to resume\n';
  for (let round = 1; round <= 20; round += 1) {
    const ends = await Promise.all([
      bench.run(['resume'], { env: round <= 3 ? killedAt(9 * round) : {} }),
      bench.run(['resume']),
    ]);
    if (ends.every(isOver)) return;
  }
  throw new Error('after 20 rounds of resume something is still left');
}

/** A run whose answer arrived was charged once, and all of its images are saved as they were asked for. */
function checkRun({ prompt, count, isConverted }: Plan, history: readonly HistoryRun[], charges: Map<string, number>) {
  const [run, ...others] = history.filter((each) => each.prompt === prompt);
  expect({ prompt, others, charges: charges.get(prompt) }).toEqual({ prompt, others: [], charges: 1 });
  expect(run).toMatchObject({ state: 'saved', missing: [] });
  expect(run?.images).toHaveLength(count);
  for (const image of run?.images ?? []) expect('original' in image, `${prompt} is converted`).toBe(isConverted);
}

/** Every file belongs to one image, and is what the journal says; what was there before is as it was. */
async function checkFiles(bench: Bench, history: readonly HistoryRun[]): Promise<void> {
  const images = history.flatMap(
    (run) => run.images as (HistoryRun['images'][number] & { original?: string | null })[],
  );
  const paths = images.flatMap(({ path, original }) => (original ? [path, original] : [path]));
  expect(new Set(paths).size, 'a path belongs to two images').toBe(paths.length);
  const hashes = new Map(images.map(({ path, sha256 }) => [path, sha256]));
  const sidecars: string[] = [];
  for (const { name, sha256 } of await imagesIn(bench.cwd)) {
    const path = join(bench.cwd, name);
    if (sentinels.includes(name)) expect(readFileSync(path, 'utf8')).toBe(`mine: ${name}`);
    else if (name.endsWith('.json')) sidecars.push(path);
    else
      expect({ name, sha256, isKnown: paths.includes(path) }).toEqual({
        name,
        sha256: hashes.get(path) ?? expect.any(String),
        isKnown: true,
      });
    paths.splice(paths.indexOf(path), paths.includes(path) ? 1 : 0);
  }
  expect(paths, 'in the journal and not there').toEqual([]);
  for (const path of sidecars) expect(JSON.parse(readFileSync(path, 'utf8'))).toBeTypeOf('object');
  expect(namesBelow(join(bench.state, 'parts')), 'parts in the state directory').toEqual([]);
}
