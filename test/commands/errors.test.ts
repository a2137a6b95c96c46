import { describe, expect, test } from 'vitest';
import { cats, gateway, wire } from '../support/gateway.ts';
import { imggen } from '../support/imggen.ts';
import { Place } from '../support/place.ts';
import { pty } from '../support/pty.ts';
import { refused } from '../support/refused.ts';

const ours = (code: number | string, message = 'the reason'): string =>
  JSON.stringify({ code, message, request_id: 'req-1' });
const openAi = (code: string | null, type = 'invalid_request_error', message = 'the reason'): string =>
  JSON.stringify({ error: { type, code, message, param: null } });
const page = '<html><body><h1>Something</h1></body></html>';

/** The words of a line. */
const words = (line: string) => line.split(' ');

type Row = [exit: number, code: string, status: number, body: string, headers?: Record<string, string>];

const table: Row[] = [
  // The gateway's envelope: any code but 0 is a rejection, under any HTTP status.
  [4, 'rejected', 200, ours(40001)],
  [4, 'rejected', 200, ours(-1)],
  [4, 'rejected', 200, ours('InvalidParameter')],
  [4, 'rejected', 400, ours(40001)],
  [4, 'rejected', 400, ours(0)],
  [3, 'key_refused', 200, ours(401)],
  [3, 'key_refused', 401, ours(40100)],
  [3, 'key_refused', 403, ours(40300)],
  [5, 'out_of_credit', 402, ours(40200)],
  [5, 'out_of_credit', 200, ours('insufficient_balance')],
  [5, 'rate_limited', 429, ours(42900)],
  [5, 'rate_limited', 200, ours(429)],
  [6, 'server_error', 500, ours(50000)],
  [6, 'server_error', 200, ours(500)],
  [4, 'rejected', 404, ours(40400)],
  [4, 'rejected', 422, ours(42200)],
  // OpenAI's envelope: its words come before the status.
  [5, 'out_of_credit', 400, wire('credit.json')],
  [5, 'out_of_credit', 429, openAi('insufficient_quota', 'insufficient_quota')],
  [5, 'out_of_credit', 400, openAi('billing_hard_limit_reached')],
  [4, 'rejected', 400, openAi('content_policy_violation')],
  [4, 'rejected', 400, openAi('moderation_blocked', 'image_generation_user_error')],
  [4, 'rejected', 400, openAi(null)],
  [3, 'key_refused', 401, openAi('invalid_api_key')],
  [3, 'key_refused', 400, openAi('invalid_api_key')],
  [5, 'rate_limited', 429, openAi('rate_limit_exceeded', 'requests')],
  [6, 'server_error', 500, openAi(null, 'server_error')],
  [6, 'unavailable', 503, openAi('overloaded', 'server_error')],
  [4, 'rejected', 200, openAi('content_policy_violation')],
  [4, 'rejected', 400, '{"error":"the reason"}'],
  // An event of a stream.
  [4, 'rejected', 200, `event: error\ndata: {"type":"error",${openAi('content_policy_violation').slice(1)}\n\n`],
  [5, 'out_of_credit', 200, `data: ${openAi('insufficient_credit')}\n\n`],
  // No envelope: the status decides.
  [3, 'key_refused', 401, page],
  [3, 'key_refused', 403, ''],
  [5, 'out_of_credit', 402, page],
  [5, 'rate_limited', 429, page],
  [6, 'server_error', 500, page],
  [6, 'server_error', 502, page],
  [6, 'unavailable', 503, ''],
  [6, 'server_error', 504, page],
  // Not the API's.
  [6, 'bad_answer', 200, page],
  [6, 'bad_answer', 200, ''],
  [6, 'bad_answer', 204, ''],
  [6, 'bad_answer', 200, '[]'],
  [6, 'bad_answer', 200, '{"hello":"world"}'],
  [6, 'bad_answer', 200, '{"code":0,"data":{"urls":["http'],
  [6, 'bad_answer', 200, 'data: [DONE]\n\n'],
  [6, 'not_the_api', 404, page],
  [6, 'not_the_api', 302, page, { location: '/elsewhere' }],
  [6, 'bad_answer', 200, '{}', { 'content-encoding': 'zstd?' }],
  [6, 'bad_answer', 200, '{}', { 'content-encoding': 'gzip' }],
];

describe('an answer that is an error', () => {
  test.each(table)('is exit %i, %s: HTTP %i %s', async (exit, code, status, body, headers = {}) => {
    const api = await gateway({ generation: [{ status, body, headers }] });
    const result = await imggen(['a cat', '--json', '--retries', '0'], { gateway: api });
    const says = body.includes('the reason');
    expect(JSON.parse(result.stdout)).toMatchObject({
      error: {
        code,
        exit,
        message: says ? expect.stringContaining('the reason') : expect.any(String),
        hint: exit === 4 ? expect.toSatisfy((hint) => hint === null || typeof hint === 'string') : expect.any(String),
        request_id: body.includes('req-1') ? 'req-1' : null,
      },
    });
    expect(result.exit).toBe(exit);
    expect(result.files).toEqual([]);
    // Three lines at most, after the one that says that the request has started.
    expect(result.stderr).toMatch(/^generating .*\nerror: .+\n(cause: .+\n)?(hint: .+\n)?$/);
    expect(api.posts()).toHaveLength(1);
  });

  test('shows message, status, code and request id to a person', async () => {
    const api = await gateway({ generation: [{ status: 400, body: ours(40001, 'The prompt is bad.') }] });
    const { exit, stdout, stderr } = await imggen(['a cat', '-q'], { gateway: api });
    expect({ exit, stdout }).toEqual({ exit: 4, stdout: '' });
    expect(stderr).toMatch(/^error: .*The prompt is bad\.\n/);
    for (const fact of ['HTTP 400', '40001', 'req-1']) expect(stderr).toContain(fact);
  });

  test('takes the request id from a header when the body has none', async () => {
    const api = await gateway({
      generation: [{ status: 400, headers: { 'x-request-id': 'req-header' }, body: openAi(null) }],
    });
    const { stdout } = await imggen(['a cat', '--json'], { gateway: api });
    expect(JSON.parse(stdout)).toMatchObject({ error: { request_id: 'req-header' } });
  });

  test('says what to do when credit is missing', async () => {
    const api = await gateway({ generation: [{ status: 400, body: wire('credit.json') }] });
    const { exit, stderr } = await imggen(['a cat', '-q'], { gateway: api });
    expect(exit).toBe(5);
    expect(stderr).toMatch(
      /^error: out of credit: Your credit is not enough\.\ncause: HTTP 400.*\nhint: .*credit.*\n$/,
    );
  });

  test.each(['[31mred[0m', ']0;title', '[2J', 'P+q', '\u0007', '\u009b31m', '\b\b\b', '\r'])(
    'reaches the terminal without %j',
    async (bad) => {
      const sequence = /^[[\]P]/.test(bad) ? `\u001b${bad}` : bad;
      const api = await gateway({ generation: { status: 400, body: ours(1, `one${sequence} two\nthree`) } });
      const { stdout, stderr } = await imggen(['a cat', '-q', '--json'], { gateway: api });
      // One line, and (as after every run) no control character on stderr.
      expect(stderr).toMatch(/^error: .*one.* two three\ncause: .*\n$/);
      expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
      expect((JSON.parse(stdout) as { error: { message: string } }).error.message).toContain(
        `one${sequence} two\nthree`,
      );
    },
  );

  test('reaches the terminal without marks that turn the direction of text', async () => {
    const api = await gateway({
      generation: {
        status: 400,
        headers: { 'x-request-id': 'r' },
        body: ours(1, 'exe\u202egpj.\u2066x\u2069\u200f\u2028y'),
      },
    });
    for (const args of [['-q'], ['--json'], ['--verbose']]) {
      const { stdout, stderr } = await imggen(['a cat', ...args], { gateway: api });
      expect(stdout + stderr).not.toMatch(/[\u200f\u2028\u202a-\u202e\u2066-\u2069]/);
      expect(stderr).toContain('exegpj.x');
    }
  });

  test('has a stack trace only with --verbose', async () => {
    const api = await gateway({ generation: { status: 400, body: ours(1) } });
    expect((await imggen(['a cat'], { gateway: api })).stderr).not.toMatch(/^ {2}.*at /m);
    expect((await imggen(['a cat', '--verbose'], { gateway: api })).stderr).toMatch(/^ {2}.*at /m);
  });
});

describe('a command line that is wrong costs nothing', () => {
  test.each<[string[], string, string?]>([
    [['--sizee', '1024x1024', 'a cat'], "unknown option '--sizee'", '--size'],
    [['a cat', '-x'], "unknown option '-x'"],
    [['a cat', '--count'], "option '-n, --count <1-10>' argument missing"],
    [['two', 'words'], 'the prompt must be one argument', 'imggen "two words"'],
    [['config2', 'set', 'model', 'x'], 'the prompt must be one argument'],
    [['generate', 'two', 'words'], 'the prompt must be one argument'],
    [['modles'], '"modles" looks like the command models', 'imggen generate modles'],
    ...words('MODELS confg logn sandbx generat hlep batc histroy reusme galery docter completions').map(
      (word): [string[], string] => [[word], `"${word}" looks like`],
    ),
    [['-n', '2', 'modles'], '"modles" looks like'],
    [['--sandbox', 'models'], 'options of imggen models stand after its name', 'imggen models --help'],
    [['models', '--sandbox'], "unknown option '--sandbox'"],
    [['models', 'extra'], 'too many arguments'],
    [
      ['a cat', '--base-url', 'http://gateway.example/api/v1'],
      'is not secure: the API key would travel in clear',
      'https:',
    ],
    [['config'], 'a command is missing', 'imggen config --help'],
    [['config', 'lst'], 'unknown command', 'list'],
    [['help', 'modles'], 'there is no help on modles', 'models'],
  ])('%j', async (args, error, hint = '') => {
    const stderr = await refused(args);
    expect(stderr).toContain(error);
    expect(stderr).toContain(hint);
  });

  test.each(['cat', 'owl', 'model car', 'Configuration'])('%s is a prompt', async (prompt) => {
    const api = await gateway({ generation: [cats()] });
    const { exit } = await imggen([prompt], { gateway: api });
    expect(exit).toBe(0);
    expect(api.posts()).toMatchObject([{ prompt }]);
  });

  test.each([
    [2, 'usage', ['--sizee', 'x'], { message: "unknown option '--sizee'", hint: expect.stringContaining('--size') }],
    [3, 'no_api_key', [], { hint: expect.stringContaining('imggen login') }],
    [8, 'output', ['-o', 'notes.txt/x'], {}],
  ])('exit %i with --json is a document too: %s', async (exit, code, args, error) => {
    const place = new Place();
    place.write('notes.txt', '');
    const env = { IMGGEN_API_KEY: code === 'no_api_key' ? '' : 'sk-any' };
    const result = await imggen(['a cat', '--json', ...args], { place, env });
    expect(result).toMatchObject({ exit, stderr: expect.stringMatching(/^error: /) });
    expect(result.json()).toMatchObject({ error: { code, exit, request_id: null, ...error } });
  });
});

describe('help', () => {
  test('exit-codes lists every exit code', async () => {
    const { exit, stdout, stderr } = await imggen(['help', 'exit-codes']);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    const codes = stdout
      .trimEnd()
      .split('\n')
      .map((line) => /^ *(\d+) {2}\S/.exec(line)?.[1]);
    expect(codes).toEqual(expect.arrayContaining(['0', '1', '2', '3', '4', '5', '6', '7', '8', '130', '143']));
  });

  test.each([['--help'], ['-h'], ['help'], ['a cat', '--help']])('imggen %s %s prints the help', async (...args) => {
    const { exit, stdout, stderr } = await imggen(args.filter(Boolean));
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toMatch(/^Usage: imggen \[options\] \[prompt\]\n/);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    for (const flag of ['--count', '--size', '--dry-run', '--sandbox', '--skip-existing'])
      expect(stdout).toContain(flag);
  });

  test.each([80, 200])('fits a terminal of %i columns, up to 100', async (columns) => {
    const run = pty(['--help'], { columns, rows: 500 });
    expect((await run.end).exit).toBe(0);
    const widest = Math.max(
      ...run.screen
        .text()
        .split('\n')
        .map((line) => line.length),
    );
    expect(widest).toBeGreaterThan(Math.min(columns, 100) * 0.9);
    expect(widest).toBeLessThanOrEqual(Math.min(columns, 100));
  });

  test.each([
    [['models', '--help'], 'Usage: imggen models'],
    [['help', 'config'], 'Usage: imggen config'],
    [['generate', '--help'], 'Usage: imggen generate'],
    [['config', 'set', '--help'], 'Usage: imggen config set'],
    [['login', '-h'], 'Usage: imggen login'],
  ])('%j', async (args, usage) => {
    const { exit, stdout, stderr } = await imggen(args);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout.startsWith(usage)).toBe(true);
  });

  test.each([['--version'], ['-V'], ['--dry-run', '--version']])('%s %s prints the version', async (...args) => {
    const { exit, stdout, stderr } = await imggen(args.filter(Boolean));
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('imggen models', () => {
  test('--json has the limits of the document', async () => {
    const { exit, stdout, stderr } = await imggen(['models', '--json']);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    const large = ['1024x1024', '1536x1024', '1024x1536'];
    const limits = { prompt_limit: 4000, max_count: 1, default_size: '1024x1024' };
    expect(JSON.parse(stdout)).toMatchObject([
      { id: 'gpt-image-1.5', prompt_limit: 32_000, max_count: 10, sizes: ['auto', ...large], default_size: 'auto' },
      { id: 'dall-e-3', ...limits, sizes: ['1024x1024', '1792x1024', '1024x1792'] },
      { id: 'dall-e-2', ...limits, prompt_limit: 1000, max_count: 10, sizes: ['256x256', '512x512', '1024x1024'] },
    ]);
  });

  test('names them to a person', async () => {
    const { stdout } = await imggen(['models']);
    expect(stdout).toMatch(/^gpt-image-1\.5\n {2}prompt +up to 32000 characters\n/);
    expect(stdout).toContain('\ndall-e-3\n');
    expect(stdout).toMatch(/--style +vivid, natural/);
  });
});
