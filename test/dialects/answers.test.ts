import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type Answer, cats, documented, gateway, wire } from '../support/gateway.ts';
import { image, type ImageName, largePng } from '../support/images.ts';
import { imggen, type Setup } from '../support/imggen.ts';
import { Place, sha256 } from '../support/place.ts';

const eventStream = { 'content-type': 'text/event-stream' };

/** Runs `imggen "a cat" …` against a gateway that gives this one answer. */
async function answered(generation: Answer, args: string[] = [], setup: Setup = {}) {
  const api = await gateway({ generation: [generation] });
  const place = new Place();
  const result = await imggen(['a cat', ...args], { gateway: api, place, ...setup });
  const saved = result.files.map((name) => sha256(place.read(name)));
  return { ...result, api, place, saved };
}

async function documentOf(generation: Answer, args: string[] = [], setup: Setup = {}) {
  const { stdout, ...rest } = await answered(generation, ['--json', ...args], setup);
  return { ...rest, document: JSON.parse(stdout) as Record<string, unknown> };
}

/** An answer as it is, cut into chunks of this many bytes. */
function chunked(text: string, size: number): Answer {
  const withImages = text
    .replaceAll('{{cat.png}}', image('cat.png').toString('base64'))
    .replaceAll('{{cat.jpg}}', image('cat.jpg').toString('base64'));
  return { body: withImages.match(new RegExp(`[^]{1,${size}}`, 'g')) as string[] };
}

const inJson = (base64: string): Answer => ({ body: `{"data":[{"b64_json":"${base64}"}]}` });
const base64 = image('cat.png').toString('base64');
const percentEncoded = Array.from(image('cat.png'), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
const completed = (name: ImageName) => `data: {"type":"image_generation.completed","b64_json":"{{${name}}}"}\n\n`;

describe('one image arrives', () => {
  const shapes: Record<string, Answer> = {
    'as the documented URL': cats(),
    'as a data URI in urls': { body: wire('data-uri.json') },
    'as a data URI with parameters': documented('data:image/png;name=a;charset=utf-8;base64,{{cat.png}}'),
    'as b64_json without code': { body: wire('openai-b64.json') },
    'as b64_json with code': { body: wire('openai-b64-code.json') },
    'as url in an array without code': { body: wire('openai-url.json') },
    'as url in an array with code "0"': { body: wire('openai-url-code.json') },
    'as an event stream': { headers: eventStream, body: wire('stream.sse') },
    'as an event stream of another type': {
      headers: { 'content-type': 'application/octet-stream' },
      body: wire('stream.sse'),
    },
    'as an event stream with CRLF': { headers: eventStream, body: wire('stream.sse').replaceAll('\n', '\r\n') },
    'as an event stream with comments, retry and ids': {
      headers: eventStream,
      body: `: keep-alive\n\nretry: 3000\nid: 1\n${completed('cat.png')}: bye\n\n`,
    },
    'as an event stream without [DONE] and last line end': {
      headers: eventStream,
      body: completed('cat.png').trimEnd(),
    },
    'as an event stream in single bytes': { ...chunked(wire('stream.sse'), 1), headers: eventStream },
    'as JSON in chunks of 7 bytes': chunked(wire('openai-b64.json'), 7),
    'as JSON with a byte order mark': { body: `\ufeff${wire('openai-b64.json')}` },
    'as JSON in text/html': { headers: { 'content-type': 'text/html' }, body: wire('openai-b64.json') },
    'as JSON under HTTP 201': { ...cats(), status: 201 },
    'compressed with gzip': {
      headers: { 'content-encoding': 'gzip' },
      body: gzipSync(`{"data":[{"b64_json":"${base64}"}]}`),
    },
    'compressed with br': {
      headers: { 'content-encoding': 'br' },
      body: brotliCompressSync(`{"data":[{"b64_json":"${base64}"}]}`),
    },
    'compressed with deflate': {
      headers: { 'content-encoding': 'deflate' },
      body: deflateSync(`{"data":[{"b64_json":"${base64}"}]}`),
    },
    'as a data URI in capitals': documented(`DATA:IMAGE/PNG;BASE64,${base64}`),
    'as a data URI with blanks around it': documented(` \n data:image/png;base64,${base64} \t`),
    'as a percent-encoded data URI': documented(`data:image/png,${percentEncoded}`),
    'as a data URI whose base64 is percent-encoded': documented(
      `data:image/png;base64,${base64.replace(/[+/=]/g, encodeURIComponent)}`,
    ),
    'as base64 without data: in urls': documented(base64),
    'as base64 without data: in urls, with blanks before it': documented(`  ${base64}`),
    'as base64 without data: in an array': { body: `{"data":["${base64}"]}` },
    'as base64 without data: under url': { body: `{"data":[{"url":"${base64}"}]}` },
    'as a data URI under b64_json': inJson(`data:image/png;base64,${base64}`),
    'as a URL under b64_json': inJson('{{origin}}/images/cat.png'),
    'as a URL with blanks around it': documented(' {{origin}}/images/cat.png\n'),
    'as a URL with an absolute path': documented('/images/cat.png'),
    'as a URL with a relative path': documented('../../../images/cat.png'),
    'as a URL without a scheme': documented('//{{host}}/images/cat.png'),
    'in base64 with escaped slashes': inJson(base64.replaceAll('/', '\\/')),
    'in base64 with \\u escapes': inJson(
      base64.replaceAll('+', '\\u002b').replaceAll('/', '\\u002F').replace('i', '\\u0069'),
    ),
    'in base64 with line ends': inJson(base64.replace(/.{76}/g, '$&\\r\\n')),
    'in base64 without padding': inJson(base64.replace(/=+$/, '')),
    'in base64 of the URL alphabet': inJson(base64.replaceAll('+', '-').replaceAll('/', '_')),
    'in a URL with escapes': { body: '{"data":{"urls":["{{origin}}\\/images\\u002fcat.png"]}}' },
    'beside fields that nobody knows': {
      body: '{"x":[{"urls":[1]}],"code":0,"data":{"urls":["{{origin}}/images/cat.png"],"y":null},"z":{}}',
    },
  };

  test.each(Object.entries(shapes))('%s', async (_name, answer) => {
    const { exit, stdout, stderr, saved } = await answered(answer);
    expect(stderr).toMatch(/^generating an image with gpt-image-1\.5\n1 image in \d.*\n$/);
    expect(exit).toBe(0);
    expect(stdout).toBe('a-cat-1.png\n');
    expect(saved).toEqual([sha256(image('cat.png'))]);
  });

  test('as plain JSON to stream: true', async () => {
    const { exit, saved, api } = await answered(cats(), ['--stream']);
    expect({ exit, saved }).toEqual({ exit: 0, saved: [sha256(image('cat.png'))] });
    expect(api.posts()[0]).toMatchObject({ stream: true });
  });
});

describe('an answer under HTTP 2xx that holds an image is an answer, whatever else it says', () => {
  const oddities: Record<string, object> = {
    'code 200': { code: 200, message: 'success' },
    'code "success"': { code: 'success' },
    'code 1': { code: 1, message: 'partly done' },
    'an error beside the URLs': { code: 0, error: { message: 'slow today' } },
    'an error as text': { error: 'slow today' },
  };
  test.each(Object.entries(oddities))('%s', async (_name, odd) => {
    const { exit, stdout, stderr, saved } = await answered({
      body: JSON.stringify({ ...odd, data: { urls: ['{{origin}}/images/cat.png'] } }),
    });
    expect({ exit, stdout, saved }).toEqual({ exit: 0, stdout: 'a-cat-1.png\n', saved: [sha256(image('cat.png'))] });
    expect(stderr).toMatch(/^warning: the answer has images, and says: /m);
  });

  test.each<[string, string]>([
    ['a refusal with a code of its own', '{"code":1234,"message":"nothing for you","data":null}'],
    ['a text that is not JSON', 'thank you, come again'],
    ['a document that breaks off', '{"code":0,"data":{"note":"here it was"'],
    ['a document without images', '{"code":0,"data":{"urls":[]},"note":"here it was"}'],
    ['a value that is no image', '{"code":0,"data":{"urls":["see the attached file"]}}'],
  ])('without one, the journal keeps it: %s', async (_name, body) => {
    const { exit, place, api } = await answered({ body });
    expect(exit).not.toBe(0);
    const { stdout } = await imggen(['history', '--json'], { gateway: api, place });
    const [run] = (JSON.parse(stdout) as { runs: { answer: string[] }[] }).runs;
    expect(run?.answer).toEqual([body]);
  });
});

describe('several images keep their order', () => {
  const three = { exit: 0, stdout: 'a-cat-1.png\na-cat-2.jpg\na-cat-3.webp\n' };
  const orders: Record<string, Answer> = {
    'as URLs': documented('{{origin}}/images/cat.png', '{{origin}}/images/cat.jpg', '{{origin}}/images/cat.webp'),
    'as a mixture': documented(
      'data:image/png;base64,{{cat.png}}',
      '{{origin}}/images/cat.jpg',
      'data:image/webp;base64,{{cat.webp}}',
    ),
    'as b64_json and url': {
      body: '{"data":[{"b64_json":"{{cat.png}}"},{"url":"{{origin}}/images/cat.jpg"},{"b64_json":"{{cat.webp}}"}]}',
    },
    'as events': { headers: eventStream, body: completed('cat.png') + completed('cat.jpg') + completed('cat.webp') },
  };
  test('when the first is the last to arrive', async () => {
    const late = (name: ImageName, ms: number) => async () => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return { body: image(name) };
    };
    const api = await gateway({
      generation: [documented('{{origin}}/1', '{{origin}}/2', '{{origin}}/3')],
      paths: { '/1': late('cat.png', 400), '/2': late('cat.jpg', 200), '/3': late('cat.webp', 0) },
    });
    const { exit, stdout } = await imggen(['a cat', '-n', '3'], { gateway: api });
    expect({ exit, stdout }).toEqual(three);
  });

  test.each(Object.entries(orders))('%s', async (_name, answer) => {
    const { exit, stdout, saved } = await answered(answer, ['-n', '3']);
    expect({ exit, stdout }).toEqual(three);
    expect(saved).toEqual([sha256(image('cat.png')), sha256(image('cat.jpg')), sha256(image('cat.webp'))]);
  });
});

describe('images that come faster than they can be written are saved whole', () => {
  const images = [36_000, 29_000, 36_000].map(largePng);
  const text = JSON.stringify({ data: images.map((bytes) => ({ b64_json: bytes.toString('base64') })) });
  const framings: Record<string, Answer> = {
    'with a length': { body: text },
    'in chunks': { body: text.match(/[^]{1,50000}/g) as string[] },
    'up to the end of the connection': { body: text, framing: 'close' },
  };
  test.each(Object.entries(framings))('%s', async (_name, answer) => {
    const { exit, stderr, saved } = await answered(answer, ['-n', '3']);
    expect(exit, stderr).toBe(0);
    expect(saved).toEqual(images.map(sha256));
  });
});

describe('--json holds all that the answer says', () => {
  test('of the documented answer', async () => {
    const { exit, stderr, document, place } = await documentOf(cats());
    expect(exit).toBe(0);
    expect(stderr).toContain('request req-0123456789');
    expect(stderr).toContain('1066 tokens');
    expect(document).toEqual({
      run: expect.stringMatching(/\S/),
      request_id: 'req-0123456789',
      task_id: 'task-7f3a',
      task_status: 'succeeded',
      model: 'gpt-image-1.5',
      prompt: 'a cat',
      params: { n: 1, size: 'auto', stream: false, output_compression: 100 },
      images: [
        { path: 'a-cat-1.png', bytes: 239, sha256: place.sha256('a-cat-1.png'), format: 'png', width: 8, height: 6 },
      ],
      failed: [],
      usage: { images: 1, seconds: 12, input_tokens: 10, total_tokens: 1066, output_tokens: 1056 },
      expires: '2099-01-02T03:04:05.000Z',
      elapsed_ms: expect.any(Number),
    });
  });

  test("of OpenAI's envelope, with the request id of the header", async () => {
    const { document } = await documentOf({ headers: { 'x-request-id': 'req-header' }, body: wire('openai-b64.json') });
    expect(document).toMatchObject({
      request_id: 'req-header',
      task_id: null,
      usage: { total_tokens: 1066 },
      expires: null,
    });
  });

  test('but no number that is none', async () => {
    const body = '{"data":{"urls":["{{origin}}/images/cat.png"],"usage":{"total_tokens":1e999,"images":1}}}';
    const { document, stderr } = await documentOf({ body });
    expect(document.usage).toEqual({ images: 1 });
    expect(stderr).not.toContain('tokens');
  });

  test('of a stream', async () => {
    const { document } = await documentOf({ headers: eventStream, body: wire('stream.sse') });
    expect(document).toMatchObject({ usage: { total_tokens: 100, input_tokens: 50, output_tokens: 50 }, failed: [] });
  });

  test.each<[ImageName, object]>([
    ['cat.png', { format: 'png', bytes: 239 }],
    ['cat.jpg', { format: 'jpeg', bytes: 312 }],
    ['cat.webp', { format: 'webp', bytes: 118 }],
    ['cat.gif', { format: 'gif', bytes: 271 }],
    ['cat.avif', { format: 'avif', bytes: 331 }],
  ])('and what the bytes of %s say', async (name, facts) => {
    const { document } = await documentOf(documented(`{{origin}}/images/${name}`));
    expect(document.images).toEqual([
      { ...facts, path: `a-cat-1.${name.slice(4)}`, sha256: sha256(image(name)), width: 8, height: 6 },
    ]);
  });

  test.each([
    ['"2026-01-02T03:04:05Z"', '2026-01-02T03:04:05.000Z'],
    ['"2026-01-02T11:04:05+08:00"', '2026-01-02T03:04:05.000Z'],
    ['"2026-01-02 03:04:05"', '2026-01-02T03:04:05.000Z'],
    ['"1767323045"', '2026-01-02T03:04:05.000Z'],
    ['1767323045', '2026-01-02T03:04:05.000Z'],
    ['1767323045000', '2026-01-02T03:04:05.000Z'],
    ['"1767323045000"', '2026-01-02T03:04:05.000Z'],
    ['"in an hour"', 'in an hour'],
    ['""', null],
    ['null', null],
  ])('expired %s is %s', async (written, expires) => {
    const body = `{"code":0,"data":{"urls":["{{origin}}/images/cat.png"],"expired":${written}}}`;
    const { document } = await documentOf({ body });
    expect(document.expires).toBe(expires);
  });
});

describe('not every image can be had', () => {
  test('one of three is no image: the others are saved, exit 7', async () => {
    const answer = documented(
      '{{origin}}/images/cat.png',
      'data:image/png;base64,aGVsbG8gd29ybGQsIGhlbGxv',
      '{{origin}}/images/cat.webp',
    );
    const { exit, stdout, stderr, files } = await answered(answer, ['-n', '3']);
    expect(exit).toBe(7);
    expect(stdout).toBe('a-cat-1.png\na-cat-3.webp\n');
    expect(stderr).toMatch(/^error: 1 of 3 images is not saved$/m);
    expect(stderr).toContain('image 2: it is not an image, it begins with "hello world');
    expect(files).toEqual(['a-cat-1.png', 'a-cat-3.webp']);
  });

  test.each<[string, Answer, RegExp]>([
    ['text that is not base64', inJson('!!!!'), /not valid base64/],
    ['base64 that ends in the middle', inJson(base64.slice(0, 200)), /ends too early/],
    ['an empty text', inJson(''), /it is empty|returned 0 of 1/],
    [
      'a scheme that is not http',
      documented('file:///etc/passwd'),
      /"file:\/\/\/etc\/passwd" is neither a URL nor an image/,
    ],
    ['words', documented('see the attached file'), /"see the attached file" is neither a URL nor an image/],
    ['fewer images than were asked for', { body: '{"code":0,"data":{"urls":[]}}' }, /returned 0 of 1 images/],
    [
      'only previews',
      { headers: eventStream, body: completed('cat.png').replace('completed', 'partial_image') },
      /returned 0 of 1 images/,
    ],
  ])('%s: nothing is saved, exit 7', async (_name, answer, reason) => {
    const { exit, document, stderr, files } = await documentOf(answer);
    expect({ exit, files }).toEqual({ exit: 7, files: [] });
    expect(stderr).toMatch(/^error: the image is not saved$/m);
    expect(stderr).not.toContain('imggen resume');
    expect(document).toMatchObject({ images: [], failed: [{ index: 1, reason: expect.stringMatching(reason) }] });
  });

  test('more images than were asked for are saved too, with a warning', async () => {
    const { exit, stdout, stderr } = await answered(cats(3), ['-n', '2']);
    expect(stderr).toContain('warning: the API sent 3 images, and 2 were asked for');
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'a-cat-1.png\na-cat-2.png\na-cat-3.png\n' });
  });
});

describe('a task that is not finished', () => {
  const task = (data: object): Answer => ({
    body: JSON.stringify({ code: 0, data, message: 'success', request_id: 'req-task' }),
  });
  const taskUrl = (path: string) => ({ IMGGEN_TASK_URL: path });

  test('is exit 7 with its id, and no error trace', async () => {
    const { exit, stdout, stderr, files } = await answered({ body: wire('pending.json') });
    expect({ exit, stdout, files }).toEqual({ exit: 7, stdout: '', files: [] });
    expect(stderr).toContain('error: task task-7f3a is not finished (pending)');
    expect(stderr).toContain('req-pending');
    expect(stderr).toContain('hint: ');
    expect(stderr).not.toContain('    at ');
  });

  test.each(['pending', 'queued', 'PROCESSING', 'running', 'in_progress', 'submitted', '处理中'])(
    'as "%s"',
    async (task_status) => {
      const { exit, document } = await documentOf(task({ urls: [], task_id: 't-1', task_status }));
      expect(exit).toBe(7);
      expect(document).toMatchObject({ task_id: 't-1', request_id: 'req-task', images: [] });
    },
  );

  test.each(['failed', 'FAILURE', 'cancelled', 'error'])('but ended as "%s" is exit 4', async (task_status) => {
    const { exit, stdout, stderr } = await answered(task({ urls: [], task_id: 't-1', task_status }));
    expect({ exit, stdout }).toEqual({ exit: 4, stdout: '' });
    expect(stderr).toContain(`error: the task ended as "${task_status}"`);
  });

  test('is no matter when its images are there', async () => {
    const { exit, stdout } = await answered(
      task({ urls: ['data:image/png;base64,{{cat.png}}'], task_id: 't-1', task_status: 'running' }),
    );
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'a-cat-1.png\n' });
  });

  test('is asked for at taskUrl, with the key, until it has its images', async () => {
    const api = await gateway({
      generation: [{ body: wire('pending.json') }],
      paths: {
        '/tasks/task-7f3a': [{ status: 503 }, task({ urls: ['{{origin}}/images/cat.png'], task_status: 'succeeded' })],
      },
    });
    const { exit, stdout, files } = await imggen(['a cat'], {
      gateway: api,
      env: taskUrl(`${api.origin}/tasks/{task_id}`),
    });
    expect({ exit, stdout, files }).toEqual({ exit: 0, stdout: 'a-cat-1.png\n', files: ['a-cat-1.png'] });
    expect(
      api.requests.map(({ method, path, headers }) => [method, path, headers.authorization !== undefined]),
    ).toEqual([
      ['POST', '/api/v1/image/generation', true],
      ['GET', '/tasks/task-7f3a', true],
      ['GET', '/tasks/task-7f3a', true],
      ['GET', '/images/cat.png', false],
    ]);
  });

  test('is given up when --timeout has passed: exit 7', async () => {
    const api = await gateway({
      generation: [{ body: wire('pending.json') }],
      paths: { '/tasks/task-7f3a': task({ urls: [], task_status: 'running' }) },
    });
    const env = taskUrl(`${api.origin}/tasks/{task_id}`);
    const { exit, stdout, stderr } = await imggen(['a cat', '--timeout', '1.5'], { gateway: api, env });
    expect({ exit, stdout }).toEqual({ exit: 7, stdout: '' });
    expect(stderr).toContain('error: task task-7f3a is not finished');
    expect(api.gets()).toEqual(['/tasks/task-7f3a']);
  });

  test('that fails while it is asked for is exit 4', async () => {
    const api = await gateway({
      generation: [{ body: wire('pending.json') }],
      paths: { '/tasks/task-7f3a': [task({ urls: [], task_status: 'failed' })] },
    });
    const { exit, stderr } = await imggen(['a cat'], { gateway: api, env: taskUrl(`${api.origin}/tasks/{task_id}`) });
    expect(exit).toBe(4);
    expect(stderr).toContain('error: the task ended as "failed"');
  });
});
