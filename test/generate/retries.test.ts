import { describe, expect, test } from 'vitest';
import { type Answer, cats, gateway, silence } from '../support/gateway.ts';
import { imggen, start, testKey } from '../support/imggen.ts';
import { freePort } from '../support/puppet.ts';

const overloaded = (status: number, retryAfter?: string): Answer => ({
  status,
  ...(retryAfter === undefined ? {} : { headers: { 'retry-after': retryAfter } }),
  body: '{"error":{"type":"x","code":null,"message":"later"}}',
});

describe('a generation that surely was not processed is sent again', () => {
  test.each([
    ['429', [overloaded(429, '0')]],
    ['503', [overloaded(503, '0')]],
    ['429 and 503', [overloaded(429, '0'), overloaded(503, '0')]],
    ['429 with a date that has passed', [overloaded(429, 'Fri, 02 Jan 2026 03:04:05 GMT')]],
    ['503 without Retry-After', [overloaded(503)]],
    ['503 with a Retry-After that is nothing', [overloaded(503, 'soon')]],
  ])('after %s', async (_name, failures) => {
    const api = await gateway({ generation: [...failures, cats()] });
    const { exit, stdout, files } = await imggen(['a cat'], { gateway: api });
    expect({ exit, stdout, files }).toEqual({ exit: 0, stdout: 'a-cat-1.png\n', files: ['a-cat-1.png'] });
    const posts = api.posts();
    expect(posts).toHaveLength(failures.length + 1);
    for (const post of posts) expect(post).toEqual(posts[0]);
  });

  test.each([429, 503])('also when the text of HTTP %d breaks off: the status has said it', async (status) => {
    const refusal = { status, headers: { 'retry-after': '0' }, body: '{"error":{"mess', broken: 'end' } as const;
    const api = await gateway({ generation: [refusal, cats()] });
    const { exit, stdout } = await imggen(['a cat'], { gateway: api });
    expect({ exit, stdout, posts: api.posts().length }).toEqual({ exit: 0, stdout: 'a-cat-1.png\n', posts: 2 });
  });

  test('and waits as long as Retry-After says', async () => {
    const times: number[] = [];
    const api = await gateway({
      generation: () => {
        times.push(performance.now());
        return times.length === 1 ? overloaded(429, '1') : cats();
      },
    });
    const { exit, stderr } = await imggen(['a cat', '--verbose'], { gateway: api });
    expect(exit).toBe(0);
    expect(stderr).toContain('* HTTP 429: again in 1.0 s\n');
    // Timers may be early by a millisecond.
    expect((times[1] as number) - (times[0] as number)).toBeGreaterThan(990);
  });

  test('when nothing listened yet', async () => {
    const port = await freePort();
    const running = start(['a cat', '--verbose', '--retries', '20'], {
      env: { IMGGEN_BASE_URL: `http://127.0.0.1:${port}/api/v1`, IMGGEN_API_KEY: testKey },
    });
    await running.saw(/again in/);
    const api = await gateway({ generation: [cats()], port });
    const { exit, stdout, stderr } = await running.end;
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'a-cat-1.png\n' });
    expect(stderr).toContain(`* cannot connect to 127.0.0.1:${port}: again in `);
    expect(api.posts()).toHaveLength(1);
  });
});

describe('it is given up', () => {
  test.each([
    { status: 429, args: [], posts: 3, exit: 5 },
    { status: 503, args: [], posts: 3, exit: 6 },
    { status: 429, args: ['--retries', '1'], posts: 2, exit: 5 },
    { status: 503, args: ['--retries', '0'], posts: 1, exit: 6 },
  ])('after $posts times HTTP $status with $args: exit $exit', async ({ status, args, posts, exit }) => {
    const api = await gateway({ generation: overloaded(status, '0') });
    const result = await imggen(['a cat', ...args], { gateway: api });
    expect(result).toMatchObject({ exit, stdout: '', files: [] });
    expect(result.stderr).toContain('later');
    expect(api.posts()).toHaveLength(posts);
  });

  test('at once when the server wants a longer wait than --timeout', async () => {
    const api = await gateway({ generation: [overloaded(429, '3600')] });
    const { exit } = await imggen(['a cat'], { gateway: api });
    expect(exit).toBe(5);
    expect(api.posts()).toHaveLength(1);
  });

  test('when nothing listens: exit 6, and that nothing was sent', async () => {
    const port = await freePort();
    const env = { IMGGEN_BASE_URL: `http://127.0.0.1:${port}/api/v1`, IMGGEN_API_KEY: testKey };
    const { exit, stdout, stderr, files } = await imggen(['a cat', '--retries', '1'], { env });
    expect({ exit, stdout, files }).toEqual({ exit: 6, stdout: '', files: [] });
    expect(stderr).toContain(
      `error: cannot connect to 127.0.0.1:${port}\ncause: nothing listens there (connection refused)\nhint: `,
    );
    expect(stderr).toContain('nothing was sent');
  });

  test('when the name of the host is not known', async () => {
    const env = { IMGGEN_BASE_URL: 'https://gateway.invalid/api/v1', IMGGEN_API_KEY: testKey };
    const { exit, stderr } = await imggen(['a cat', '--retries', '0'], { env });
    expect(exit).toBe(6);
    expect(stderr).toContain('error: cannot connect to gateway.invalid\n');
  });
});

describe('a generation whose fate is not known is sent once', () => {
  test.each<[string, Answer, number]>([
    ['HTTP 500', { status: 500, body: '{}' }, 6],
    ['HTTP 502', { status: 502, body: '<html>' }, 6],
    ['HTTP 504', { status: 504, body: '<html>' }, 6],
    ['HTTP 408', { status: 408, body: '{}' }, 4],
    ['no answer', { broken: 'start' }, 6],
    ['headers alone', { body: '', broken: 'end' }, 6],
    ['half an answer', { body: '{"code":0,"data":{"urls":["{{origin}}/images', broken: 'end' }, 6],
    ['half an image', { body: '{"data":[{"b64_json":"iVBORw0KGgo', broken: 'end' }, 6],
    [
      'half a stream',
      {
        body: ['data: {"type":"image_generation.partial_image","b64_json":"{{cat.png}}"}\n\n', 'data: {"type"'],
        broken: 'end',
      },
      6,
    ],
    ['a page', { body: '<html>' }, 6],
  ])('%s', async (_name, answer, exit) => {
    const api = await gateway({ generation: [answer] });
    const result = await imggen(['a cat', '--retries', '5'], { gateway: api });
    expect(result).toMatchObject({ exit, stdout: '', files: [] });
    expect(result.stderr).toMatch(/\nerror: .+\n/);
    expect(api.posts()).toHaveLength(1);
  });

  test.each<[string, Answer]>([
    ['no answer', { broken: 'start' }],
    ['half an answer', { body: '{"code":0,"data":', broken: 'end' }],
    ['HTTP 500', { status: 500, body: '{}' }],
  ])('and after %s the user is told that it may have been charged', async (_name, answer) => {
    const api = await gateway({ generation: [answer] });
    const { stderr } = await imggen(['a cat'], { gateway: api });
    expect(stderr).toMatch(/\nhint: .*charged/);
  });
});

describe('--timeout', () => {
  test.each<[string, () => Answer | Promise<Answer>]>([
    ['no answer at all', silence],
    ['an answer that stops', () => ({ body: '{"code":0,', broken: 'stalled' })],
  ])('ends %s: exit 6, one request, and that it may have been charged', async (_name, generation) => {
    const api = await gateway({ generation });
    const { exit, stdout, stderr, files } = await imggen(['a cat', '--timeout', '0.4', '--json'], { gateway: api });
    expect({ exit, files }).toEqual({ exit: 6, files: [] });
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'timeout', exit: 6, message: expect.stringContaining('within 0.4 s') },
    });
    expect(stderr).toMatch(/\nhint: .*charged/);
    expect(api.posts()).toHaveLength(1);
  });
});
