import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answerShapes } from '../../src/sandbox/context.ts';
import { type Fault, type FaultKind, faultKinds } from '../../src/sandbox/faults.ts';
import { startSandbox } from '../../src/sandbox/server.ts';
import type { SandboxStats } from '../../src/sandbox/context.ts';
import { Bench, type Ended, type HistoryRun, inParallel, wholeImages } from '../support/bench.ts';

// Every fault of the sandbox, in every shape of an answer, for one image and for three. Each fault strikes once and
// the run may repeat nothing, so that its bare effect shows; what repeating does is in the second half.

const shapes = [...answerShapes, 'stream'] as const;
type Shape = (typeof shapes)[number];
/** Shapes that name the images by URLs; the others hold them. */
const byUrl = (shape: Shape) => shape === 'url' || shape === 'openai-url';

interface Expected {
  exit: number;
  state: string;
  /** How many images are saved by the run itself. */
  saved: number;
  charged: boolean;
  /** What `imggen resume <run>` does then: nothing is left for it; it saves what is missing; it says that it is lost. */
  resume: 'nothing' | 'saves' | 'lost';
  /** Whether the run is finished, as far as the user hears: its image is gone. */
  gone?: boolean;
}
type Rule = (shape: Shape, n: number) => Expected;

const fine: Rule = (_shape, n) => ({ exit: 0, state: 'saved', saved: n, charged: true, resume: 'nothing' });
const refused =
  (exit: number): Rule =>
  () => ({ exit, state: 'failed', saved: 0, charged: false, resume: 'nothing' });
const unknown =
  (charged: boolean): Rule =>
  () => ({ exit: 6, state: 'unknown', saved: 0, charged, resume: 'nothing' });
const saysNot = unknown(false);
const unheard = unknown(true);
/** One image fails; where there is no download, none can. */
const oneFails =
  (how: Pick<Expected, 'resume' | 'gone'>): Rule =>
  (shape, n) =>
    byUrl(shape) ? { exit: 7, state: 'incomplete', saved: n - 1, charged: true, ...how } : fine(shape, n);
const inPassing = oneFails({ resume: 'saves' });
/** Half of an answer that holds three images holds the first. */
const half: Rule = (shape, n) =>
  byUrl(shape) || n === 1
    ? unheard(shape, n)
    : { exit: 7, state: 'incomplete', saved: 1, charged: true, resume: 'nothing' };
const later: Rule = () => ({ exit: 7, state: 'incomplete', saved: 0, charged: true, resume: 'saves' });

const rules: Record<FaultKind, Rule> = {
  reject: refused(4),
  '401': refused(3),
  '402': refused(5),
  credit: refused(5),
  '429': refused(5),
  '503': refused(6),
  '500': saysNot,
  '502': saysNot,
  '504': saysNot,
  'drop-before': saysNot,
  'drop-after': unheard,
  garbage: unheard,
  cut: half,
  slow: fine,
  pending: later,
  expired: oneFails({ resume: 'lost', gone: true }),
  // By name it is asked for once more, and the fault struck only once.
  'download-404': oneFails({ resume: 'saves', gone: true }),
  'download-500': inPassing,
  'download-cut': inPassing,
  'download-truncated': inPassing,
  'garbage-download': inPassing,
  'slow-download': fine,
};

interface Cell {
  fault: FaultKind;
  shape: Shape;
  n: number;
}

/** Slow ones first: they wait beside the others. */
const slowness = ({ fault }: Cell) => Number(fault.startsWith('slow'));
const cells: Cell[] = (Object.keys(faultKinds) as FaultKind[])
  .flatMap((fault) => shapes.flatMap((shape) => [1, 3].map((n) => ({ fault, shape, n }))))
  .sort((a, b) => slowness(b) - slowness(a));

const numbered = (count: number) => Array.from({ length: count }, (_, k) => `a-cat-${k + 1}.png`);
/** A model without limits of its own: small images and a stream, which no real model has both. */
const small = ['-m', 'any', '-s', '256x256'];

/** One sandbox with faults, and a directory. */
async function bed(bench: Bench, name: string, shape: Shape, n: number, faults: readonly Fault[]) {
  const sandbox = await startSandbox({ faults, ...(shape !== 'stream' && { answer: shape }) });
  const directory = bench.directory(name);
  const env = { IMGGEN_BASE_URL: sandbox.baseUrl };
  const stream = shape === 'stream' ? ['--stream'] : [];
  return {
    sandbox,
    directory,
    generate: (...args: string[]) =>
      bench.run(['a cat', '-n', String(n), ...small, ...stream, ...args], { cwd: directory, env }),
    resume: (run: string) =>
      bench.run(['resume', run, '--json', '--retries', '0'], {
        env: { IMGGEN_TASK_URL: `${sandbox.baseUrl}/tasks/{task_id}` },
      }),
  };
}

interface Outcome {
  ran: Ended;
  files: string[];
  charged: SandboxStats['charged'];
  requests: number;
  run: HistoryRun | undefined;
  resumed: Ended | undefined;
  filesAfter: string[];
  chargedAfter: SandboxStats['charged'];
  requestsAfter: number;
  runAfter: HistoryRun | undefined;
}

describe('the matrix of faults', () => {
  const bench = new Bench();
  const outcomes = new Map<Cell, Outcome>();
  let left: Ended;

  beforeAll(async () => {
    const runs = await inParallel(5, cells, async (cell) => {
      const { fault, shape, n } = cell;
      const beds = await bed(bench, `${fault} ${shape} ${n}`, shape, n, [{ kind: fault, rate: 'once' }]);
      const ran = await beds.generate('--json', '--retries', '0', '--timeout', '20');
      const { charged, requests } = beds.sandbox.stats();
      return { cell, ...beds, ran, charged, requests, files: await wholeImages(beds.directory) };
    });
    const before = await bench.history();
    const resumed = await inParallel(5, runs, async ({ cell, sandbox, resume }) => {
      const run = before.find(({ api }) => api === sandbox.baseUrl);
      const isUnfinished = rules[cell.fault](cell.shape, cell.n).resume !== 'nothing';
      return { run, resumed: run && isUnfinished ? await resume(run.run) : undefined };
    });
    left = await bench.run(['resume']);
    const after = await bench.history();
    for (const [k, { cell, sandbox, directory, ran, files, charged, requests }] of runs.entries()) {
      const stats = sandbox.stats();
      outcomes.set(cell, {
        ran,
        files,
        charged,
        requests,
        run: resumed[k]?.run,
        resumed: resumed[k]?.resumed,
        filesAfter: await wholeImages(directory),
        chargedAfter: stats.charged,
        requestsAfter: stats.requests,
        runAfter: after.find(({ api }) => api === sandbox.baseUrl),
      });
      await sandbox.close();
    }
  }, 280_000);
  afterAll(() => bench.remove());

  test.each(cells)('$fault, $shape, n $n', (cell) => {
    const { exit, state, saved, charged, resume, gone = false } = rules[cell.fault](cell.shape, cell.n);
    const outcome = outcomes.get(cell) as Outcome;
    const { ran, run } = outcome;
    const money = charged ? { generations: 1, images: cell.n } : { generations: 0, images: 0 };

    expect({ exit: ran.exit, said: ran.stderr }).toEqual({ exit, said: expect.any(String) });
    expect(outcome.files).toHaveLength(saved);
    expect(numbered(cell.n)).toEqual(expect.arrayContaining(outcome.files));
    expect(run).toMatchObject({ state, asked: cell.n });
    expect(run?.images.map(({ path }) => path).sort()).toEqual(
      outcome.files.map((name) => expect.stringMatching(`/${name}$`)),
    );
    expect({ charged: outcome.charged, requests: outcome.requests }).toEqual({ charged: money, requests: 1 });
    // Nothing that may have cost money ends without the way out.
    if (state === 'unknown' || cell.fault === 'cut')
      expect(ran.stderr).toMatch(/may have been generated and charged.*run \d{8}T/);
    if (resume !== 'nothing') expect(ran.stderr).toContain(gone ? 'or its URL has expired' : 'imggen resume');

    expect({ charged: outcome.chargedAfter, requests: outcome.requestsAfter }).toEqual({ charged: money, requests: 1 });
    if (resume === 'saves') {
      expect(outcome.resumed?.exit).toBe(0);
      expect(outcome.filesAfter).toEqual(numbered(cell.n));
      expect(outcome.runAfter?.state).toBe('saved');
    } else {
      expect(outcome.filesAfter).toEqual(outcome.files);
      expect(outcome.runAfter?.state).toBe(state);
    }
    if (resume === 'lost') {
      expect(outcome.resumed?.exit).toBe(7);
      expect(outcome.resumed?.json()).toMatchObject({
        runs: [{ failed: [{ reason: expect.stringMatching(/HTTP 410.*expired/) }] }],
      });
      expect(outcome.runAfter?.missing).toMatchObject([{ lost: expect.stringContaining('HTTP 410') }]);
    }
  });

  test('leaves nothing to a bare resume', () => {
    expect(left).toMatchObject({ exit: 0, stdout: '', stderr: 'nothing to resume\n' });
  });
});

const isUnknown: FaultKind[] = ['500', '502', '504', 'drop-before', 'drop-after', 'garbage', 'cut'];
const isRefused: FaultKind[] = ['reject', '401', '402', 'credit'];
const chargesFor = (fault: FaultKind) => rules[fault]('url', 1).charged;

interface Repeat {
  title: string;
  faults: Fault[];
  shape?: Shape;
  n: number;
  args: string[];
  /** POSTs that the sandbox took, and generations that it charged. */
  posts: number;
  charged: number;
  exit: number;
  state: string;
}

const always = (kind: FaultKind): Fault[] => [{ kind, rate: 1 }];
const once = (kind: FaultKind): Fault[] => [{ kind, rate: 'once' }];
const saved = { exit: 0, state: 'saved' };
const open = { exit: 6, state: 'unknown' };
const risk = '--retry-unknown';

const repeats: Repeat[] = [
  ...(['429', '503'] as const).flatMap((kind) =>
    shapes.map((shape) => ({
      title: `${kind} once, ${shape}: repeated`,
      faults: once(kind),
      shape,
      n: 1,
      args: ['--retries', '1'],
      posts: 2,
      charged: 1,
      ...saved,
    })),
  ),
  ...(['download-500', 'download-cut', 'download-truncated'] as const).map((kind) => ({
    title: `${kind} once: only the download is repeated`,
    faults: once(kind),
    n: 3,
    args: ['--retries', '1'],
    posts: 1,
    charged: 1,
    ...saved,
  })),
  ...isUnknown.map((kind) => ({
    title: `${kind} always: one POST`,
    faults: always(kind),
    n: 2,
    args: ['--retries', '2'],
    posts: 1,
    charged: Number(chargesFor(kind)),
    ...open,
  })),
  ...isUnknown.map((kind) => ({
    title: `${kind} always, ${risk}: the user's own charges`,
    faults: always(kind),
    n: 2,
    args: ['--retries', '2', risk],
    posts: 3,
    charged: 3 * Number(chargesFor(kind)),
    ...open,
  })),
  ...isUnknown.map((kind) => ({
    title: `${kind} once, ${risk}`,
    faults: once(kind),
    n: 2,
    args: ['--retries', '1', risk],
    posts: 2,
    charged: 1 + Number(chargesFor(kind)),
    ...saved,
  })),
  ...isRefused.map((kind) => ({
    title: `${kind}, ${risk}: known, and not repeated`,
    faults: always(kind),
    n: 1,
    args: ['--retries', '2', risk],
    posts: 1,
    charged: 0,
    exit: rules[kind]('url', 1).exit,
    state: 'failed',
  })),
  {
    title: `cut after a whole image, ${risk}: what is there is kept instead`,
    faults: always('cut'),
    shape: 'b64_json',
    n: 3,
    args: ['--retries', '2', risk],
    posts: 1,
    charged: 1,
    exit: 7,
    state: 'incomplete',
  },
  {
    title: `drop-after, then reject, ${risk}: what the first cost stays unknown`,
    faults: [...once('drop-after'), ...always('reject')],
    n: 1,
    args: ['--retries', '2', risk],
    posts: 2,
    charged: 1,
    exit: 4,
    state: 'unknown',
  },
];

describe('what is repeated', () => {
  const bench = new Bench();
  const outcomes = new Map<Repeat, { ran: Ended; stats: SandboxStats; files: string[]; run: HistoryRun | undefined }>();

  beforeAll(async () => {
    const runs = await inParallel(5, repeats, async (repeat) => {
      const { title, faults, shape = 'url', n, args } = repeat;
      const { sandbox, directory, generate } = await bed(bench, title.replaceAll('/', ' '), shape, n, faults);
      const ran = await generate(...args);
      const stats = sandbox.stats();
      await sandbox.close();
      return { repeat, ran, stats, files: await wholeImages(directory), baseUrl: sandbox.baseUrl };
    });
    const history = await bench.history();
    for (const { repeat, baseUrl, ...outcome } of runs)
      outcomes.set(repeat, { ...outcome, run: history.find(({ api }) => api === baseUrl) });
  }, 100_000);
  afterAll(() => bench.remove());

  test.each(repeats)('$title', (repeat) => {
    const { ran, stats, files, run } = outcomes.get(repeat)!;
    const { n, posts, charged, exit, state } = repeat;
    expect({ exit: ran.exit, posts: stats.requests, charged: stats.charged }).toEqual({
      exit,
      posts,
      charged: { generations: charged, images: charged * n },
    });
    expect(run?.state).toBe(state);
    if (exit === 0) expect(files).toEqual(numbered(n));
    if (state === 'unknown') expect(ran.stderr).toMatch(/may have been generated and charged.*run \d{8}T/);
  });
});
