import { describe, expect, test } from 'vitest';
import { type Answer, type Answers, documented, gateway } from '../support/gateway.ts';
import { image } from '../support/images.ts';
import { imggen, testKey } from '../support/imggen.ts';
import { Place, sha256 } from '../support/place.ts';

const png = image('cat.png');
/** So that a repeat does not wait. */
const atOnce = { 'retry-after': '0' };

/** Runs `imggen "a cat"` where the one image is at `/image`, which answers like this. */
async function downloaded(answers: Answers, args: string[] = [], paths: Record<string, Answers> = {}) {
  const place = new Place();
  const api = await gateway({ generation: [documented('{{origin}}/image')], paths: { '/image': answers, ...paths } });
  const result = await imggen(['a cat', '--json', ...args], { gateway: api, place });
  const { images, failed } = JSON.parse(result.stdout) as {
    images: { sha256: string }[];
    failed: { reason: string }[];
  };
  return { ...result, api, place, images, reason: failed[0]?.reason };
}

test('are made without the key, and with no other credentials', async () => {
  const { exit, api } = await downloaded([{ body: png, headers: { 'set-cookie': 'session=1' } }]);
  expect(exit).toBe(0);
  const headers = api.requests.find(({ path }) => path === '/image')?.headers;
  expect(headers?.['user-agent']).toMatch(/^imggen\//);
  expect(headers).not.toHaveProperty('authorization');
  expect(headers).not.toHaveProperty('cookie');
  expect(JSON.stringify(headers)).not.toContain(testKey);
});

test('run four at a time, after one POST', async () => {
  const waiting: (() => void)[] = [];
  const groups: number[] = [];
  let asked = 0;
  const held = async (): Promise<Answer> => {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      asked += 1;
      // A group leaves when it is full, or the last. A fifth would have joined it by then.
      if (waiting.length === 4 || asked === 10) setTimeout(leave, 100);
    });
    return { body: png };
  };
  const leave = () => {
    groups.push(waiting.length);
    for (const go of waiting.splice(0)) go();
  };
  const api = await gateway({
    generation: [documented(...Array<string>(10).fill('{{origin}}/image'))],
    paths: { '/image': held },
  });
  const { exit, files } = await imggen(['a cat', '-n', '10'], { gateway: api });
  expect({ exit, files: files.length, posts: api.posts().length }).toEqual({ exit: 0, files: 10, posts: 1 });
  expect(groups).toEqual([4, 4, 2]);
});

describe('redirects', () => {
  const to = (location: string, status = 302): Answer => ({ status, headers: { location }, body: 'moved' });

  test.each([301, 302, 303, 307, 308])('%d is followed, to another path and another host', async (status) => {
    const elsewhere = await gateway();
    const { exit, images, api } = await downloaded([to('/next', status)], [], {
      '/next': [to(`${elsewhere.origin}/images/cat.png`, status)],
    });
    expect(exit).toBe(0);
    expect(images).toMatchObject([{ sha256: sha256(png) }]);
    expect(api.gets()).toEqual(['/image', '/next']);
    expect(elsewhere.requests[0]?.headers).not.toHaveProperty('authorization');
  });

  const elsewhere = ['file:///etc/passwd', 'ftp://127.0.0.1/cat.png', 'data:image/png;base64,AA', 'about:x', 'http://'];
  test.each(elsewhere)('to %s are refused and named', async (location) => {
    const { exit, files, reason } = await downloaded([to(location)]);
    expect({ exit, files }).toEqual({ exit: 7, files: [] });
    expect(reason).toContain('is not an http(s) URL');
    expect(reason).toContain(location.slice(0, 5));
  });

  test('without end are given up', async () => {
    const { exit, reason, api } = await downloaded(to('/image'));
    expect(exit).toBe(7);
    expect(reason).toMatch(/redirects more than 5 times/);
    expect(api.gets()).toHaveLength(6);
  });
});

describe('a body that is not an image is refused and named', () => {
  test.each<[string, Answer, RegExp]>([
    ['a page', { body: '<html><title>Sign in</title>' }, /not an image, it begins with "<html><title>Sign in/],
    [
      'a page that claims to be PNG',
      { headers: { 'content-type': 'image/png' }, body: '<!doctype html><p>hello' },
      /not an image/,
    ],
    ['JSON', { body: '{"code":40100,"message":"no"}' }, /begins with "\{"code":40100/],
    ['control characters', { body: '\u001b]0;title\u0007 and more text' }, /begins with "\.\]0;title\. and more text"/],
    ['nothing', { body: '' }, /it is empty/],
  ])('%s', async (_name, answer, why) => {
    const { exit, files, reason, stderr, api } = await downloaded([answer]);
    expect({ exit, files }).toEqual({ exit: 7, files: [] });
    expect(reason).toMatch(why);
    expect(stderr).toContain('image 1: ');
    expect(api.gets()).toHaveLength(1);
  });

  test('and does not spoil the others', async () => {
    const api = await gateway({
      generation: [documented('{{origin}}/images/cat.png', '{{origin}}/page', '{{origin}}/images/cat.webp')],
      paths: { '/page': [{ body: '<html>expired</html>' }] },
    });
    const { exit, stdout, files } = await imggen(['a cat', '-n', '3'], { gateway: api });
    expect({ exit, stdout, files }).toEqual({
      exit: 7,
      stdout: 'a-cat-1.png\na-cat-3.webp\n',
      files: ['a-cat-1.png', 'a-cat-3.webp'],
    });
  });
});

describe('a download that fails in passing is repeated', () => {
  const length = { 'content-length': String(png.length) };
  test.each<[string, Answer]>([
    ['500', { status: 500, headers: atOnce }],
    ['503', { status: 503, headers: atOnce }],
    ['429', { status: 429, headers: atOnce }],
    ['a connection that breaks off', { headers: { ...atOnce, ...length }, body: png.subarray(0, 100), broken: 'end' }],
    ['a body that is whole for HTTP but not as an image', { headers: atOnce, body: png.subarray(0, 100) }],
  ])('after %s', async (_name, failure) => {
    const { exit, images, api, files } = await downloaded([failure, { body: png }]);
    expect({ exit, files }).toEqual({ exit: 0, files: ['a-cat-1.png'] });
    expect(images).toMatchObject([{ sha256: sha256(png) }]);
    expect(api.gets()).toEqual(['/image', '/image']);
    expect(api.posts()).toHaveLength(1);
  });

  const [jpeg, webp] = [image('cat.jpg'), image('cat.webp')];
  const half = jpeg.length - 20;
  const part = (start: number): Answer => ({
    status: 206,
    headers: { ...atOnce, etag: '"v1"', 'content-range': `bytes ${start}-${jpeg.length - 1}/${jpeg.length}` },
    body: jpeg.subarray(start),
  });
  test.each<[string, Answer[], Buffer, number[]]>([
    ['from where it broke off, when the server can', [part(half)], jpeg, [0, half]],
    ['from the start, when the server refuses the rest', [{ status: 416, headers: atOnce }, {}], jpeg, [0, half, 0]],
    ['from the start, when the server sends another part', [part(half - 10), {}], jpeg, [0, half, 0]],
    [
      'from the start, when the file is another one by now',
      [{ headers: { etag: '"v2"' }, body: webp }],
      webp,
      [0, half],
    ],
  ])('%s', async (_name, answers, expected, starts) => {
    const whole = { headers: { ...atOnce, etag: '"v1"', 'content-length': String(jpeg.length) }, body: jpeg };
    const first: Answer = { ...whole, body: jpeg.subarray(0, half), broken: 'end' };
    const { exit, images, api } = await downloaded([first, ...answers.map((answer) => ({ ...whole, ...answer }))]);
    expect(exit).toBe(0);
    expect(images).toMatchObject([{ sha256: sha256(expected) }]);
    const asked = api.requests.slice(1).map(({ headers }) => [headers.range, headers['if-range']]);
    expect(asked).toEqual(starts.map((start) => (start > 0 ? [`bytes=${start}-`, '"v1"'] : [undefined, undefined])));
  });

  test('as often as --retries says, then it is given up: exit 7', async () => {
    const failure: Answer = { status: 500, headers: atOnce };
    const { exit, files, reason, api } = await downloaded([failure, failure], ['--retries', '1']);
    expect({ exit, files }).toEqual({ exit: 7, files: [] });
    expect(reason).toContain('/image answered HTTP 500');
    expect(api.gets()).toHaveLength(2);
    expect(api.posts()).toHaveLength(1);
  });
});

test.each([403, 404, 410])('a URL that answers %d is asked once, and the reason is given', async (status) => {
  const { exit, reason, api } = await downloaded([{ status, body: 'gone' }]);
  expect(exit).toBe(7);
  expect(reason).toContain(`answered HTTP ${status}`);
  expect(reason).toContain('expired');
  expect(api.gets()).toHaveLength(1);
});

test('the query of a URL, which may be a signature, is not shown in errors', async () => {
  const api = await gateway({
    generation: [documented('{{origin}}/image?signature=top-secret')],
    paths: { '/image?signature=top-secret': [{ status: 404 }] },
  });
  const { stderr } = await imggen(['a cat'], { gateway: api });
  expect(stderr).toContain('/image answered HTTP 404');
  expect(stderr).not.toContain('top-secret');
});

test('an image URL that nothing answers is a failed image, not a failed run', async () => {
  const api = await gateway({ generation: [documented('{{origin}}/images/cat.png', 'http://127.0.0.1:1/cat.png')] });
  const { exit, stdout, stderr } = await imggen(['a cat', '-n', '2', '--retries', '0'], { gateway: api });
  expect({ exit, stdout }).toEqual({ exit: 7, stdout: 'a-cat-1.png\n' });
  expect(stderr).toContain('image 2: cannot connect to 127.0.0.1:1');
});
