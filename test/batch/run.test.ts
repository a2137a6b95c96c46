import { openSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { drawing, type Event, eventsOf, Project, prompts, refusal, sandboxProcess } from '../support/batch.ts';
import { type Answer, cats, documented, type Gateway, gateway, silence, wire } from '../support/gateway.ts';
import { start } from '../support/imggen.ts';
import { event, until } from '../support/puppet.ts';

function named(...names: string[]): { prompt: string; name: string }[] {
  return names.map((name) => ({ prompt: name, name }));
}

/** What is answered to the prompts that begin with a word. */
const troubles: Record<string, Answer> = {
  refused: refusal(400, 'the prompt is refused'),
  broken: { status: 500, body: '{}' },
  key: refusal(401, 'Incorrect API key provided.', 'invalid_api_key'),
  forbidden: refusal(403, 'not you', 'invalid_api_key'),
  credit: { status: 400, body: wire('credit.json') },
  paid: refusal(402, 'Your credit is not enough.', 'insufficient_credit'),
  limited: refusal(429, 'Too many requests.', 'rate_limit_exceeded', { 'retry-after': '0' }),
  lost: documented('{{origin}}/gone.png'),
};

async function troubled(...names: string[]): Promise<{ project: Project; api: Gateway }> {
  const generation = drawing((prompt) => troubles[prompt.replace(/\d+$/, '')]);
  const api = await gateway({ generation, paths: { '/gone.png': { status: 404 } } });
  return { api, project: new Project({ images: named(...names) }, { server: api }) };
}

test('what stops all of it ends the wait of those that were asked to wait', async () => {
  const limited = refusal(429, 'Too many requests.', 'rate_limit_exceeded', { 'retry-after': '250' });
  let asked = 0;
  const late = () =>
    new Promise<Answer>(
      (resolve) => void until(() => asked === 2).then(() => setTimeout(resolve, 300, troubles.key as Answer)),
    );
  const generation = async ({ body }: { body: string }) => {
    asked += 1;
    return body.includes('"patient"') ? limited : await late();
  };
  const project = new Project({ images: named('patient', 'key') }, { server: await gateway({ generation }) });
  const { exit, stderr } = await project.run();
  expect(exit).toBe(3);
  expect(stderr).toContain('1 job was not begun');
});

test.each([[[]], [['--json']]])(
  'where stdout is full nothing more is begun, and what is under way is saved: %j',
  async (args) => {
    const api = await gateway({ generation: drawing() });
    const project = new Project({ images: named('a', 'b', 'c', 'd') }, { server: api });
    const { exit, stderr } = await project.runWith(
      { stdout: openSync('/dev/full', 'w') },
      '--concurrency',
      '2',
      ...args,
    );
    expect(exit).toBe(8);
    expect(stderr).toContain('cannot write to stdout');
    // Of JSON Lines the first comes before anything is sent.
    expect(api.posts()).toHaveLength(args.length === 0 ? 2 : 0);
    expect(project.images).toHaveLength(api.posts().length);
    expect(await project.check()).toHaveLength(4 - api.posts().length);
  },
);

describe('failures', () => {
  test.each<[string, string[], number]>([
    ['the same', ['refused1', 'x', 'refused2', 'y'], 4],
    ['of one kind', ['broken1', 'x', 'broken2'], 6],
    ['of several kinds', ['refused', 'x', 'broken'], 7],
    ['of what was paid for', ['lost', 'x'], 7],
    ['after retries', ['limited', 'x'], 5],
  ])('do not stop the others: %s', async (_name, names, exit) => {
    const { project, api } = await troubled(...names);
    const run = await project.run('--retries', '1');
    const good = names.filter((name) => /^[xy]$/.test(name));
    const bad = names.filter((name) => !good.includes(name));
    expect({ exit: run.exit, stdout: run.stdout.split('\n').filter(Boolean).sort() }).toEqual({
      exit,
      stdout: good.map((name) => `${name}.png`),
    });
    expect(project.images).toEqual(good.map((name) => `${name}.png`));
    expect(new Set(prompts(api))).toEqual(new Set(names));
    for (const name of bad)
      expect(run.stderr).toContain(`/${names.length}] ${name}.png (images.yaml:${2 + 2 * names.indexOf(name)}): `);
    const [, list = ''] = run.stderr.split(`error: ${bad.length} of ${names.length} jobs failed\n`);
    expect(list).toMatch(/^(cause: .+\n)+(hint: .+\n)+$/);
    for (const name of bad) expect(list.split(`${name}.png`)).toHaveLength(2);
  });

  test.each<[string, number]>([
    ['key', 3],
    ['forbidden', 3],
    ['credit', 5],
    ['paid', 5],
  ])('that concern all stop at once: %s', async (name, exit) => {
    const { project, api } = await troubled(name, 'x', 'y');
    const run = await project.run('--concurrency', '1');
    expect({ exit: run.exit, stdout: run.stdout, posted: prompts(api) }).toEqual({ exit, stdout: '', posted: [name] });
    expect(run.stderr).toContain('error: 1 of 3 jobs failed');
    expect(run.stderr).toContain('error: 2 jobs were not begun: ');
    expect(await project.check()).toHaveLength(3);
  });

  test('of one reason are told once in the end, each with what to do', async () => {
    const { project } = await troubled(
      'refused1',
      'refused2',
      'refused3',
      'refused4',
      'refused5',
      'broken1',
      'broken2',
    );
    const { stderr } = await project.run('--concurrency', '1');
    expect(stderr.split('\n').slice(-6)).toEqual([
      'error: 7 of 7 jobs failed',
      'cause: refused1.png, refused2.png, refused3.png and 2 more: the API refused the request: the prompt is refused (HTTP 400, code refused)',
      'cause: broken1.png, broken2.png: the server failed (HTTP 500)',
      'hint: it may have been generated and charged: look at your usage before you repeat it',
      'hint: to go on, run the same command again',
      '',
    ]);
  });

  test('what was sent by then is seen to its end', async () => {
    const [refusedKey, sent] = [event(), event()];
    const generation = drawing(async (prompt) => {
      if (prompt === 'key') {
        await sent.happened;
        return troubles.key as Answer;
      }
      sent.happen();
      await refusedKey.happened;
      return cats(1);
    });
    const api = await gateway({ generation });
    const project = new Project({ images: named('key', 'sent', 'x') }, { server: api });
    const running = start(['batch', project.file, '--json', '--concurrency', '2'], project.setup());
    await running.saw(/"type":"failed","job":"key.png"/);
    refusedKey.happen();
    const { exit, stdout } = await running.end;
    expect({ exit, posted: prompts(api).sort(), images: project.images }).toEqual({
      exit: 3,
      posted: ['key', 'sent'],
      images: ['sent.png'],
    });
    expect(eventsOf(stdout).at(-1)).toMatchObject({ saved: 1, failed: 1, skipped: 1, exit: 3 });
  });

  test('--fail-fast begins nothing more', async () => {
    const { project, api } = await troubled('refused', 'x', 'y');
    const run = await project.run('--concurrency', '1', '--fail-fast');
    expect({ exit: run.exit, stdout: run.stdout, posted: prompts(api) }).toEqual({
      exit: 4,
      stdout: '',
      posted: ['refused'],
    });
    expect(run.stderr).toContain('2 jobs were not begun: --fail-fast');
  });

  test('an answer that does not come costs a --timeout, and is not repeated', async () => {
    const api = await gateway({ generation: drawing((prompt) => (prompt === 'slow' ? silence() : undefined)) });
    const project = new Project(
      { images: [{ prompt: 'slow', name: 'slow', timeout: 0.3 }, ...named('x')] },
      { server: api },
    );
    const run = await project.run();
    expect({ exit: run.exit, stdout: run.stdout, posted: prompts(api).sort() }).toEqual({
      exit: 6,
      stdout: 'x.png\n',
      posted: ['slow', 'x'],
    });
  });

  test('no key is told of before anything is sent', async () => {
    const { project, api } = await troubled('x');
    const { exit, stdout, stderr } = await project.runWith({ env: { IMGGEN_API_KEY: undefined } }, '--json');
    expect({ exit, requests: api.requests }).toEqual({ exit: 3, requests: [] });
    expect(stderr).toContain('error: no API key is set');
    expect(eventsOf(stdout).at(-1)).toMatchObject({ error: { code: 'no_api_key', exit: 3 } });
  });

  test('no key is needed for what is not sent', async () => {
    const { project, api } = await troubled('x');
    expect((await project.run()).exit).toBe(0);
    project.declare({ images: [{ prompt: 'x', name: 'x', variants: [{ out: 'y.webp' }] }] });
    expect((await project.runWith({ env: { IMGGEN_API_KEY: undefined, IMGGEN_BASE_URL: undefined } })).exit).toBe(0);
    expect(project.images).toEqual(['x.png', 'y.webp']);
    expect(prompts(api)).toEqual(['x']);
  });
});

describe('--max-images', () => {
  test('is a hard limit', async () => {
    const sandbox = await sandboxProcess();
    const images = [1, 2, 3, 4].map((k) => ({
      prompt: `${k}`,
      name: `${k}`,
      count: 2,
      model: 'dall-e-2',
      size: '256x256',
    }));
    const project = new Project({ images }, { server: sandbox });
    const first = await project.run('--max-images', '5');
    expect(first.exit).toBe(7);
    expect(first.stderr).toContain('error: 2 jobs were not begun: --max-images is reached\n');
    expect(project.images).toHaveLength(4);
    expect(await sandbox.charged()).toBe(4);
    expect((await project.run('--max-images', '1')).exit).toBe(7);
    expect(await sandbox.charged()).toBe(4);
    expect((await project.run('--max-images', '4')).exit).toBe(0);
    expect(await sandbox.charged()).toBe(8);
    // What generates nothing is not limited.
    expect((await project.run('--max-images', '0')).exit).toBe(0);
    project.declare({ images: images.map((image) => ({ ...image, resize: '20x' })) });
    expect((await project.run('--max-images', '0')).exit).toBe(0);
    expect(await sandbox.charged()).toBe(8);
    expect(await project.check()).toEqual([]);
  });

  test('counts what may have been charged, not what surely was not', async () => {
    const args = ['--max-images', '2', '--concurrency', '1', '--retries', '0'];
    const refused = await troubled('refused1', 'refused2', 'x', 'y');
    expect((await refused.project.run(...args)).exit).toBe(4);
    expect(prompts(refused.api)).toEqual(['refused1', 'refused2', 'x', 'y']);
    const broken = await troubled('broken', 'x', 'y');
    expect((await broken.project.run(...args)).exit).toBe(6);
    expect(prompts(broken.api)).toEqual(['broken', 'x']);
  });

  test.each([
    [2, 5, 0],
    [2, 2, 0],
    [3, 2, 3],
  ])('%i counts each of %i retries of an unknown outcome: %i requests', async (images, retries, posts) => {
    const { project, api } = await troubled('broken', 'x');
    const args = ['--max-images', `${images}`, '--concurrency', '1', '--retries', `${retries}`, '--retry-unknown'];
    expect((await project.run(...args)).exit).toBe(posts === 0 ? 7 : 6);
    expect(prompts(api)).toEqual(Array.from({ length: posts }, () => 'broken'));
  });
});

describe('the pace', () => {
  test('--rate leaves time between two generations', async () => {
    const { project, api } = await troubled('x', 'y', 'z');
    const running = start(['batch', project.file, '--json', '--rate', '1/h'], project.setup());
    await running.saw(/"type":"saved"/);
    running.kill('SIGINT');
    const { exit, stdout } = await running.end;
    expect({ exit, images: project.images }).toEqual({ exit: 130, images: prompts(api).map((name) => `${name}.png`) });
    expect(eventsOf(stdout).at(-1)).toMatchObject({ type: 'summary', saved: 1, failed: 0, skipped: 2 });
    expect(prompts(api)).toHaveLength(1);
    expect(await project.check()).toHaveLength(2);
    expect((await project.run('--rate', '100/s')).exit).toBe(0);
  });

  test('a 429 slows every worker', async () => {
    const [second, third] = [event(), event()];
    const [hasSecond, hasThird] = [event(), event()];
    const api = await gateway({
      generation: drawing(async (prompt) => {
        if (prompt === 'limited') {
          // Both others are sent by then: the refusal would hold them back.
          await Promise.all([hasSecond.happened, hasThird.happened]);
          return refusal(429, 'Too many requests.', 'rate_limit_exceeded', { 'retry-after': '100' });
        }
        if (prompt === 'second') {
          hasSecond.happen();
          await second.happened;
        }
        if (prompt === 'third') {
          hasThird.happen();
          await third.happened;
        }
        return cats(1);
      }),
    });
    const project = new Project({ images: named('limited', 'second', 'third', 'fourth', 'fifth') }, { server: api });
    const running = start(['batch', project.file, '--json', '--concurrency', '3'], project.setup());
    await running.saw(/"type":"retry","job":"limited.png"/);
    second.happen();
    await running.saw(/"type":"started","job":"fourth.png"/);
    third.happen();
    await running.saw(/"type":"started","job":"fifth.png"/);
    running.kill('SIGINT');
    const { exit, stdout } = await running.end;
    expect({ exit, posted: prompts(api).sort() }).toEqual({ exit: 130, posted: ['limited', 'second', 'third'] });
    expect(eventsOf(stdout).filter(({ type }) => type === 'retry')).toEqual([
      { type: 'retry', job: 'limited.png', reason: 'HTTP 429', wait_ms: 100_000 },
    ]);
    expect(project.images).toEqual(['second.png', 'third.png']);
  });

  test('a short wait that one job is asked for does not end the longer one of another', async () => {
    const [asked, short] = [event(), event()];
    const api = await gateway({
      generation: drawing(async (prompt) => {
        if (prompt === 'third') return cats(1);
        if (prompt === 'short') asked.happen();
        await (prompt === 'short' ? short : asked).happened;
        const seconds = prompt === 'short' ? '0' : '100';
        return refusal(429, 'Too many requests.', 'rate_limit_exceeded', { 'retry-after': seconds });
      }),
    });
    const project = new Project({ images: named('long', 'short', 'third') }, { server: api });
    const running = start(['batch', project.file, '--json', '--concurrency', '2', '--retries', '1'], project.setup());
    await running.saw(/"type":"retry","job":"long.png"/);
    short.happen();
    await running.saw(/"type":"retry","job":"short.png"/);
    running.kill('SIGINT');
    expect((await running.end).exit).toBe(130);
    expect(prompts(api).sort()).toEqual(['long', 'short']);
  });

  test('a server that asks for more patience than anybody has ends the batch', async () => {
    const api = await gateway({
      generation: [refusal(429, 'Come back tomorrow.', 'rate_limit_exceeded', { 'retry-after': '86400' })],
    });
    const project = new Project({ images: named('x', 'y', 'z') }, { server: api });
    const run = await project.run('--concurrency', '1');
    expect({ exit: run.exit, stdout: run.stdout }).toEqual({ exit: 5, stdout: '' });
    expect(run.stderr).toContain('error: 2 jobs were not begun: the server asks to wait for 1440 minutes\n');
  });

  test('retries are those of generate', async () => {
    const api = await gateway({ generation: drawing((_prompt, times) => (times < 3 ? troubles.limited : undefined)) });
    const project = new Project({ images: named('x', 'y') }, { server: api });
    const { exit, events } = await project.events();
    const retries = (job: string) => events.filter((each: Event) => each.type === 'retry' && each.job === job);
    expect({ exit, x: retries('x.png').length, y: retries('y.png').length }).toEqual({ exit: 0, x: 2, y: 2 });
    expect(prompts(api).sort()).toEqual(['x', 'x', 'x', 'y', 'y', 'y']);
  });
});

describe('Ctrl-C', () => {
  test('keeps what arrived, and the next run goes on', async () => {
    const asked = event();
    const never = () => {
      asked.happen();
      return silence();
    };
    const api = await gateway({
      generation: drawing((prompt, times) => (prompt === 'slow' && times === 1 ? never() : undefined)),
    });
    const project = new Project({ images: named('x', 'slow', 'y', 'z') }, { server: api });
    const running = start(['batch', project.file, '--concurrency', '1'], project.setup());
    await asked.happened;
    running.kill('SIGINT');
    const { exit, stdout, stderr } = await running.end;
    expect({ exit, stdout }).toEqual({ exit: 130, stdout: 'x.png\n' });
    expect(stderr).toMatch(
      /error: interrupted: 1 job under way, 2 not begun\ncause: .*: slow\.png\nhint: .*same command again\n$/,
    );
    expect((await project.run()).exit).toBe(0);
    expect(
      prompts(api)
        .filter((prompt) => prompt !== 'slow')
        .sort(),
    ).toEqual(['x', 'y', 'z']);
    expect(project.images).toEqual(['slow.png', 'x.png', 'y.png', 'z.png']);
  });

  test.each(['', 'a cat\n', '{"prompt":"a cat"}\n{"prom'])('ends the wait for the rest of stdin: %j', async (stdin) => {
    const api = await gateway();
    const project = new Project({ images: [] }, { server: api });
    const running = start(['batch', '-'], project.setup({ stdin: null }));
    running.stdin.write(stdin);
    // More than a pipe holds: it is written when the program reads.
    await new Promise((resolve) => running.stdin.write('\n'.repeat(1 << 20), resolve));
    running.kill('SIGINT');
    const { exit, stdout, stderr } = await running.end;
    expect({ exit, stdout, requests: api.requests }).toEqual({ exit: 130, stdout: '', requests: [] });
    expect(stderr).toContain('interrupted');
  });

  test('is no failure of the jobs under way: one summary says what to do', async () => {
    const asked = event();
    const api = await gateway({
      generation: () => {
        if (api.posts().length === 4) asked.happen();
        return silence();
      },
    });
    const project = new Project({ images: named('a', 'b', 'c', 'd', 'e', 'f') }, { server: api });
    const running = start(['batch', project.file, '--concurrency', '4'], project.setup());
    await asked.happened;
    running.kill('SIGINT');
    const { exit, stderr } = await running.end;
    expect({ exit, lines: stderr.split('\n') }).toEqual({
      exit: 130,
      lines: [
        '6 jobs: 6 to do (6 images to generate)',
        expect.stringMatching(/^0 jobs done in .* · 0 images · 4 interrupted · 2 not begun$/),
        'error: interrupted: 4 jobs under way, 2 not begun',
        expect.stringMatching(/^cause: what was under way may have been charged: ([a-d]\.png(, )?){3} and 1 more$/),
        'hint: to go on, run the same command again',
        '',
      ],
    });
    const again = start(['batch', project.file, '--json'], project.setup());
    await again.saw(/"type":"started"/);
    again.kill('SIGINT');
    const events = eventsOf((await again.end).stdout);
    expect(events.filter(({ type }) => type === 'failed')).toEqual([]);
    expect(events.at(-1)).toMatchObject({
      failed: 0,
      interrupted: events.filter(({ type }) => type === 'interrupted').length,
    });
  });

  test('SIGTERM ends in its own code', async () => {
    const api = await gateway({ generation: () => silence() });
    const project = new Project({ images: named('x', 'y') }, { server: api });
    const running = start(['batch', project.file, '--json'], project.setup());
    await running.saw(/"type":"started"/);
    running.kill('SIGTERM');
    const { exit, stdout } = await running.end;
    expect({ exit, summary: eventsOf(stdout).at(-1) }).toMatchObject({
      exit: 143,
      summary: { type: 'summary', exit: 143 },
    });
  });
});
