import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, describe, test } from 'vitest';
import { drawing, eventsOf, lines, Project, refusal } from '../support/batch.ts';
import { type Answer, gateway } from '../support/gateway.ts';
import { shownKey, testKey } from '../support/imggen.ts';
import { pty } from '../support/pty.ts';

/** What a workflow command, Markdown, HTML and a terminal would obey. */
const hostile =
  '::error::pwned %0A\n::set-output name=x::y\r\n<img src=x onerror=alert(1)> | `code` [link](http://x) **bold** \u001b[31mred \u202e\u0007';

async function project(): Promise<Project> {
  const api = await gateway({
    generation: drawing((prompt) => (prompt === 'bad' ? refusal(400, hostile) : undefined)),
  });
  return new Project(
    {
      images: [
        { prompt: 'fox', name: 'fox', count: 2 },
        { prompt: 'bad', name: 'bad%' },
        { prompt: 'owl', name: 'owl' },
      ],
    },
    { server: api },
  );
}

describe('--json', () => {
  test('is a line of JSON for each event', async () => {
    const { exit, events, stderr } = await (await project()).events('--concurrency', '1');
    expect(exit).toBe(4);
    const usage = { images: 1, seconds: 12, input_tokens: 10, total_tokens: 1066, output_tokens: 1056 };
    const run = expect.stringMatching(/^\d{8}T\d{9}-[0-9a-f]{8}$/);
    const elapsed_ms = expect.any(Number);
    expect(events).toEqual([
      { type: 'planned', jobs: 3, due: 3, up_to_date: 0, images: 4 },
      { type: 'started', job: 'fox-1.png', why: 'new' },
      { type: 'saved', job: 'fox-1.png', paths: ['fox-1.png', 'fox-2.png'], images: 2, run, usage, elapsed_ms },
      { type: 'started', job: 'bad%.png', why: 'new' },
      {
        type: 'failed',
        job: 'bad%.png',
        line: 5,
        elapsed_ms,
        error: {
          code: 'rejected',
          exit: 4,
          message: expect.stringContaining('pwned'),
          cause: expect.stringMatching(/^HTTP 400/),
          hint: null,
          request_id: null,
        },
        paths: [],
        images: 0,
      },
      { type: 'started', job: 'owl.png', why: 'new' },
      { type: 'saved', job: 'owl.png', paths: ['owl.png'], images: 1, run, usage, elapsed_ms },
      {
        type: 'summary',
        jobs: 3,
        saved: 2,
        failed: 1,
        interrupted: 0,
        skipped: 0,
        images: 3,
        exit: 4,
        elapsed_ms,
        usage: { images: 2, seconds: 24, input_tokens: 20, total_tokens: 2132, output_tokens: 2112 },
      },
    ]);
    expect(stderr).toBe('');
  });

  test('tells what was passed over', async () => {
    const { exit, events } = await (await project()).events('--concurrency', '1', '--fail-fast', '--max-images', '3');
    expect(exit).toBe(4);
    expect(events.slice(-2)).toEqual([
      { type: 'skipped', job: 'owl.png', why: '--fail-fast: a job failed' },
      expect.objectContaining({ type: 'summary', saved: 1, failed: 1, skipped: 1, images: 2 }),
    ]);
  });

  test('of a batch that is up to date', async () => {
    const images = await project();
    await images.run();
    images.declare({ images: [{ prompt: 'owl', name: 'owl' }] });
    expect((await images.events()).events).toEqual([
      { type: 'planned', jobs: 1, due: 0, up_to_date: 1, images: 0 },
      { type: 'skipped', job: 'owl.png', why: 'up to date' },
      {
        type: 'summary',
        jobs: 1,
        saved: 0,
        failed: 0,
        interrupted: 0,
        skipped: 0,
        images: 0,
        usage: {},
        exit: 0,
        elapsed_ms: expect.any(Number),
      },
    ]);
  });

  test('shows the key nowhere, whatever a server says of it', async () => {
    const location = `http://127.0.0.1/login?key=${testKey}`;
    const echoes: Record<string, Answer> = {
      bad: refusal(400, `your key is ${testKey}`),
      moved: { status: 302, headers: { location } },
    };
    const api = await gateway({
      generation: drawing((prompt) => echoes[prompt]),
    });
    const images = new Project(
      {
        images: [
          { prompt: 'bad', name: 'bad' },
          { prompt: 'moved', name: 'moved' },
          { prompt: testKey, name: 'x' },
        ],
      },
      { server: api },
    );
    // The prompt that a person wrote into a file is theirs; nothing of it may reach an output.
    const summary = join(images.place.home, 'summary.md');
    for (const args of [['--json'], [], ['--verbose']]) {
      const { exit, stdout, stderr } = await images.runWith(
        { unchecked: true, env: { GITHUB_STEP_SUMMARY: summary, GITHUB_ACTIONS: 'true' } },
        ...args,
      );
      expect(exit).toBe(7);
      expect(stdout + stderr).not.toContain(testKey);
      expect(stdout + stderr).toContain(shownKey);
    }
    expect(readFileSync(summary, 'utf8')).not.toContain(testKey);
    expect(images.place.read('images.yaml.lock.json').toString()).not.toContain(testKey);
  });
});

describe('without a terminal', () => {
  test('a line for each job that is over, paths on stdout, failures at the end', async () => {
    const { exit, stdout, stderr } = await (await project()).run('--concurrency', '1');
    expect({ exit, stdout }).toEqual({ exit: 4, stdout: 'fox-1.png\nfox-2.png\nowl.png\n' });
    const shown =
      'the API refused the request: ::error::pwned %0A ::set-output name=x::y <img src=x onerror=alert(1)> | `code` [link](http://x) **bold** red';
    expect(lines(stderr)).toEqual([
      '3 jobs: 3 to do (4 images to generate)',
      expect.stringMatching(/^\[1\/3\] \d.* fox-1\.png$/),
      expect.stringContaining(`error: [2/3] bad%.png (images.yaml:5): ${shown}`),
      expect.stringMatching(/^\[3\/3\] \d.* owl\.png$/),
      expect.stringMatching(/^2 jobs done in .* · 3 images · 1 failed · 2132 tokens$/),
      'error: 1 of 3 jobs failed',
      expect.stringContaining(`cause: bad%.png: ${shown}`),
      'hint: to go on, run the same command again',
    ]);
  });

  test('--quiet leaves the failures', async () => {
    const { stdout, stderr } = await (await project()).run('--quiet');
    expect(lines(stdout)).toHaveLength(3);
    for (const line of lines(stderr)) expect(line).toMatch(/^(error|cause|hint): /);
  });
});

describe('in GitHub Actions', () => {
  test('failures are annotations of the file', async () => {
    const { exit, stdout, stderr } = await (await project()).runWith({ env: { GITHUB_ACTIONS: 'true' } });
    expect({ exit, stdout: lines(stdout).sort() }).toEqual({ exit: 4, stdout: ['fox-1.png', 'fox-2.png', 'owl.png'] });
    const commands = lines(stderr).filter((line) => line.startsWith('::'));
    expect(commands).toEqual([
      expect.stringMatching(
        /^::error file=images\.yaml,line=5,col=5::bad%25\.png: the API refused the request: ::error::pwned %250A ::set-output name=x::y <img .* \*\*bold\*\* red/,
      ),
    ]);
  });

  test('so are mistakes, files in the way and what is out of date', async () => {
    const images = new Project({
      images: [
        { prompt: 'x', 'a%\n::b': 1 },
        { prompt: 'y', count: 0 },
      ],
    });
    const annotations = async (...args: string[]) => {
      const { stderr } = await images.runWith({ env: { GITHUB_ACTIONS: 'true' } }, ...args);
      return lines(stderr).filter((line) => line.startsWith('::'));
    };
    const [first, ...rest] = await annotations();
    expect(first).toMatch(/^::error file=images\.yaml,line=3,col=5::a%25 ::b is not a key \(known: .*\)$/);
    expect(rest).toEqual([
      expect.stringMatching(/^::error file=images\.yaml,line=\d,col=\d+::count: 0 is not a whole number from 1 to 10$/),
    ]);
    images.declare({ images: [{ prompt: 'x', name: 'x' }] });
    for (const args of [['--check'], ['--check', '--json']]) {
      expect(await annotations(...args)).toEqual(['::error file=images.yaml,line=2,col=5::x.png is out of date: new']);
    }
    images.place.write('x.png', 'mine');
    expect(await annotations()).toEqual([
      '::error file=images.yaml,line=2,col=5::x.png exists (the lock file does not know it; --overwrite replaces it)',
    ]);
  });

  test.each([
    ['..', 'cwd/images.yaml'],
    ['.', 'images.yaml'],
    ['elsewhere', 'images.yaml'],
  ])('a file is named from the workspace: %s', async (workspace, file) => {
    const images = new Project({ images: [{ prompt: '' }] });
    const env = { GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: join(images.place.cwd, workspace) };
    expect(lines((await images.runWith({ env })).stderr)).toContain(
      `::error file=${file},line=2,col=13::the prompt is empty`,
    );
  });

  test('the name of a file cannot end the annotation', async () => {
    const images = new Project('images: 1', { file: 'a,line=9::b%.yaml' });
    const { stderr } = await images.runWith({ env: { GITHUB_ACTIONS: 'true' } });
    expect(lines(stderr)).toContain(
      '::error file=a%2Cline=9%3A%3Ab%25.yaml,line=1,col=9::"images" is a number, not a list of images',
    );
  });

  test('no line that a name or a message makes is a command', async () => {
    const api = await gateway({ generation: drawing() });
    const images = new Project(
      {
        images: [
          { prompt: 'x', out: '::warning::x.png' },
          { prompt: 'y', out: 'a\n::warning::y.png' },
        ],
      },
      { server: api },
    );
    const env = { GITHUB_ACTIONS: 'true' };
    for (const args of [['--check'], ['--dry-run'], [], ['--check', '--json']]) {
      const { stdout, stderr } = await images.runWith({ env }, ...args);
      expect(
        lines(stdout + stderr).filter(
          (line) => /^\s*::/.test(line) && !line.startsWith('::error file=images.yaml,line='),
        ),
      ).toEqual([]);
    }
  });

  test('the summary of the step gets a table', async () => {
    const images = await project();
    const summary = join(images.place.home, 'summary.md');
    const env = { GITHUB_STEP_SUMMARY: summary };
    expect((await images.runWith({ env }, '--concurrency', '1')).exit).toBe(4);
    expect((await images.runWith({ env })).exit).toBe(4);
    const [first = '', second = '', none] = readFileSync(summary, 'utf8').split('### imggen batch ').slice(1);
    expect(none).toBeUndefined();
    const rows = lines(first).filter((line) => line.startsWith('|'));
    expect(rows.slice(0, 10)).toEqual([
      '| | |',
      '| --- | ---: |',
      '| jobs | 3 |',
      '| up to date | 0 |',
      '| done | 2 |',
      '| failed | 1 |',
      '| not begun | 0 |',
      '| images generated | 3 |',
      '| tokens | 2132 |',
      expect.stringMatching(/^\| time \| \d.*s \|$/),
    ]);
    expect(rows.slice(10)).toHaveLength(3);
    const [, , failed = ''] = rows.slice(10);
    expect(failed).toMatch(
      /^\| bad%\.png \| 5 \| the API refused the request: ::error::pwned %0A ::set-output name=x::y &#60;img src=x onerror=alert&#40;1&#41;&#62; &#124; &#96;code&#96; /,
    );
    // Between the bars nothing is left that Markdown or HTML would obey.
    for (const cell of failed.split(' | ')) expect(cell.replace(/^\| | \|$/g, '')).not.toMatch(/[<>|`[\]*_]/);
    expect(second).toContain('| up to date | 2 |');
    expect(existsSync(summary)).toBe(true);
  });

  test('a summary that cannot be written is no failure', async () => {
    const images = await project();
    const { exit, stderr } = await images.runWith(
      { env: { GITHUB_STEP_SUMMARY: images.place.home } },
      '--only',
      'owl.png',
    );
    expect({ exit, stderr }).toEqual({
      exit: 0,
      stderr: expect.stringContaining('warning: cannot add to GITHUB_STEP_SUMMARY'),
    });
  });
});

describe('on a terminal', () => {
  test('--json is the same', async () => {
    const api = await gateway({ generation: drawing() });
    const images = new Project({ images: [{ prompt: 'x', name: 'x' }] }, { server: api });
    const terminal = pty(['batch', images.file, '--json'], images.setup());
    expect((await terminal.end).exit).toBe(0);
    expect(eventsOf(terminal.raw().replaceAll('\r\n', '\n')).map(({ type }) => type)).toEqual([
      'planned',
      'started',
      'saved',
      'summary',
    ]);
  });
});
