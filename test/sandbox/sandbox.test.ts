import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import sharp from 'sharp';
import { afterEach, describe, expect, test } from 'vitest';
import { faultKinds, parseFault } from '../../src/sandbox/faults.ts';
import { loadPainter } from '../../src/sandbox/picture.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/server.ts';
import { sha256 } from '../support/place.ts';

type Fields = Record<string, unknown>;

interface Envelope {
  code: number;
  data: { urls: string[]; usage: Record<string, number>; expired: string; task_id: string; task_status: string };
  message: string;
  request_id: string;
}

const starred = { prompt: 'a cat', n: 1, size: '256x256', stream: false, output_compression: 100, model: 'dall-e-2' };
const gpt = { ...starred, size: '1024x1024', model: 'gpt-image-1.5' };
const headers = { authorization: 'Bearer sk-test', 'content-type': 'application/json' };

const running: Sandbox[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((sandbox) => sandbox.close()));
});

async function start(options: Omit<SandboxOptions, 'faults'> = {}, ...faults: string[]): Promise<Sandbox> {
  const sandbox = await startSandbox({ ...options, faults: faults.map(parseFault) });
  running.push(sandbox);
  return sandbox;
}

function post(sandbox: Sandbox, fields: unknown, init: RequestInit = {}): Promise<Response> {
  const body = typeof fields === 'string' ? fields : JSON.stringify(fields);
  return fetch(`${sandbox.baseUrl}/image/generation`, { method: 'POST', headers, body, ...init });
}

async function generate(sandbox: Sandbox, fields: Fields = {}): Promise<Envelope> {
  const response = await post(sandbox, { ...starred, ...fields });
  expect(response.status).toBe(200);
  return (await response.json()) as Envelope;
}

async function urlOf(sandbox: Sandbox, fields: Fields = {}): Promise<string> {
  const [url = ''] = (await generate(sandbox, fields)).data.urls;
  return url;
}

async function bytesOf(url: string): Promise<Buffer> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

async function hashOf(url: string): Promise<string> {
  return sha256(await bytesOf(url));
}

/** As sharp sees it. */
async function lookOf(image: Buffer) {
  return await sharp(image).metadata();
}

describe('a generation', () => {
  test('is answered in the documented envelope', async () => {
    const sandbox = await start();
    const response = await post(sandbox, { ...starred, n: 2 });
    expect(response.headers.get('content-type')).toBe('application/json');
    const answer = (await response.json()) as Envelope;
    expect(Object.keys(answer)).toEqual(['code', 'data', 'message', 'request_id']);
    expect(answer).toMatchObject({ code: 0, message: 'success', request_id: expect.stringMatching(/./) });
    expect(Object.keys(answer.data)).toEqual(['urls', 'usage', 'expired', 'task_id', 'task_status']);
    expect(answer.data.task_status).toBe('succeeded');
    expect(answer.data.usage).toEqual({
      images: 2,
      seconds: expect.any(Number),
      input_tokens: 2,
      total_tokens: 130,
      output_tokens: 128,
    });
    const lifetime = Date.parse(answer.data.expired) - Date.now();
    expect(lifetime).toBeGreaterThan(3500_000);
    expect(lifetime).toBeLessThanOrEqual(3600_000);
    expect(answer.data.urls).toHaveLength(2);
    const origin = new URL(sandbox.baseUrl).origin;
    for (const url of answer.data.urls) expect(url).toMatch(new RegExp(`^${origin}/images/[\\w-]+\\.png$`));
  });

  test('depends on the prompt and the index, and on nothing else', async () => {
    const [first, second] = [await start(), await start()];
    const [a, b] = await Promise.all((await generate(first, { n: 2 })).data.urls.map(hashOf));
    expect(await hashOf(await urlOf(second))).toBe(a);
    expect([b, await hashOf(await urlOf(first, { prompt: 'a dog' }))]).not.toContain(a);
  });

  test.each([
    ['dall-e-2', '256x256'],
    ['dall-e-2', '512x512'],
    ['dall-e-3', '1792x1024'],
    ['dall-e-3', '1024x1792'],
    ['gpt-image-1.5', '1536x1024'],
    ['gpt-image-1.5', '1024x1536'],
    ['gpt-image-1.5', 'auto'],
    ['some-model-of-tomorrow', '256x256'],
  ])('of %s has the size %s', async (model, size) => {
    const url = await urlOf(await start(), { model, size });
    const [width, height] = size === 'auto' ? [1024, 1024] : size.split('x').map(Number);
    const image = await lookOf(await bytesOf(url));
    expect(image).toMatchObject({ format: 'png', width, height, hasAlpha: false });
  });

  test.each(['png', 'jpeg', 'webp'])('has the format %s', async (format) => {
    const url = await urlOf(await start(), { ...gpt, output_format: format });
    expect(url).toMatch(new RegExp(`\\.${format}$`));
    const response = await fetch(url);
    expect(response.headers.get('content-type')).toBe(`image/${format}`);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(response.headers.get('content-length')).toBe(String(bytes.length));
    expect((await lookOf(bytes)).format).toBe(format);
  });

  test.each(['png', 'webp'])('has a transparent background in %s', async (output_format) => {
    const url = await urlOf(await start(), { ...gpt, background: 'transparent', output_format });
    const { data, info } = await sharp(await bytesOf(url))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info.channels).toBe(4);
    expect(data[3]).toBe(0);
    const middle = (512 * 1024 + 512) * 4;
    expect(data[middle + 3]).toBe(255);
  });

  test.each(['jpeg', 'webp'])('is smaller in %s when it is compressed more', async (output_format) => {
    const sandbox = await start();
    const of = async (output_compression: number) =>
      (await bytesOf(await urlOf(sandbox, { ...gpt, output_format, output_compression }))).length;
    expect(await of(10)).toBeLessThan(await of(90));
    expect(await of(0)).toBeGreaterThan(0);
  });
});

test.each([
  'a <b>&"\'',
  'one\u0000two\u001b[31m\ud800 \u202e\uffff',
  '\u0000',
  '一只猫，在月光下。',
  '👩‍👩‍👧🚀 مرحبا नमस्ते — café',
  'x'.repeat(32_000),
  'many words '.repeat(3000),
  '\u0301',
])('a picture is drawn for the prompt %j', async (prompt) => {
  const paint = await loadPainter();
  const frame = { width: 256, height: 256, format: 'png', transparent: false, compression: 100 } as const;
  expect((await sharp(await paint({ prompt, index: 0, ...frame })).metadata()).width).toBe(256);
});

describe('a download', () => {
  const part = async (url: string, range: string, more: Record<string, string> = {}) => {
    const response = await fetch(url, { headers: { range, ...more } });
    return {
      status: response.status,
      range: response.headers.get('content-range'),
      bytes: Buffer.from(await response.arrayBuffer()),
    };
  };

  test('answers ranges, If-Range and HEAD as RFC 9110 says', async () => {
    const url = await urlOf(await start());
    const whole = await bytesOf(url);
    const total = whole.length;
    const head = await fetch(url, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(String(total));
    expect(head.headers.get('accept-ranges')).toBe('bytes');
    const etag = head.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"\w+"$/);

    expect(await part(url, 'bytes=0-9')).toEqual({
      status: 206,
      range: `bytes 0-9/${total}`,
      bytes: whole.subarray(0, 10),
    });
    expect(await part(url, 'bytes=100-', { 'if-range': etag })).toEqual({
      status: 206,
      range: `bytes 100-${total - 1}/${total}`,
      bytes: whole.subarray(100),
    });
    expect((await part(url, 'bytes=-7')).bytes).toEqual(whole.subarray(-7));
    expect((await part(url, `bytes=5-${total * 2}`)).bytes).toEqual(whole.subarray(5));
    const other = await part(url, 'bytes=100-', { 'if-range': '"other"' });
    expect(other).toEqual({ status: 200, range: null, bytes: whole });
    expect((await part(url, `bytes=${total}-`)).status).toBe(416);
    expect((await part(url, `bytes=${total}-`)).range).toBe(`bytes */${total}`);
    expect((await part(url, 'bytes=9-2')).status).toBe(200);
    expect((await part(url, 'bytes=0-1,4-5')).status).toBe(200);
  });

  test('is refused with the API key, after its expiry, and for an unknown name', async () => {
    const sandbox = await start({ expires: 0.2 });
    const url = await urlOf(sandbox);
    expect((await fetch(url, { headers: { authorization: headers.authorization } })).status).toBe(400);
    expect((await fetch(`${url}x`)).status).toBe(404);
    const deadline = Date.now() + 5000;
    const seen = new Set<number>();
    while (!seen.has(404) && Date.now() < deadline) {
      seen.add((await fetch(url)).status);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // It has expired at first, and is forgotten after as long again.
    expect(seen).toContain(410);
    expect(seen).toContain(404);
  });
});

describe('a generation is refused', () => {
  const cases: [why: string, fields: unknown, message: RegExp][] = [
    ['no JSON', '{"prompt"', /body is not JSON/],
    ['no object', [], /not a JSON object/],
    ...Object.keys(starred).map((name): [string, unknown, RegExp] => [
      `no ${name}`,
      { ...starred, [name]: undefined },
      new RegExp(`^${name} is required$`),
    ]),
    ['unknown field', { ...starred, quality: 'hd' }, /unknown field "quality"; known are prompt, n,/],
    ['field of every object', '{"__proto__":1}', /unknown field "__proto__"/],
    ['type of prompt', { ...starred, prompt: 7 }, /prompt must be of type string, not 7/],
    ['type of n', { ...starred, n: 1.5 }, /n must be of type integer, not 1.5/],
    ['type of stream', { ...starred, stream: 'false' }, /stream must be of type boolean, not "false"/],
    ['null', { ...starred, user: null }, /user must be of type string, not null/],
    ['blank prompt', { ...starred, prompt: ' \n' }, /prompt is empty/],
    ['blank model', { ...starred, model: '' }, /model is empty/],
    ['half a character', { ...starred, prompt: '\ud800' }, /prompt is not valid Unicode/],
    ['n 0', { ...starred, n: 0 }, /n must be between 1 and 10, not 0/],
    ['n 11', { ...starred, n: 11 }, /n must be between 1 and 10, not 11/],
    ['compression 101', { ...gpt, output_compression: 101 }, /output_compression must be between 0 and 100, not 101/],
    ['size', { ...starred, size: '7x7' }, /size cannot be "7x7"; allowed are auto, 1024x1024/],
    ['background', { ...gpt, background: 'red' }, /background cannot be "red"; allowed are transparent, opaque, auto/],
    ['moderation', { ...gpt, moderation: 'high' }, /moderation cannot be "high"; allowed are low, auto/],
    ['format', { ...gpt, output_format: 'gif' }, /output_format cannot be "gif"; allowed are png, jpeg, webp/],
    ['quality', { ...gpt, partial_images: 'best' }, /partial_images cannot be "best"; allowed are standard, hd/],
    ['partial images as a number', { ...gpt, partial_images: 3 }, /partial_images must be of type string, not 3/],
    ['style', { ...starred, model: 'dall-e-3', style: 'calm' }, /style cannot be "calm"; allowed are vivid, natural/],
    ['size of the model', { ...gpt, size: '256x256' }, /size "256x256" is not a size of gpt-image-1.5; allowed are/],
    ['n of dall-e-3', { ...starred, model: 'dall-e-3', size: '1024x1024', n: 2 }, /n is 2; dall-e-3 makes at most 1/],
    ['stream of dall-e', { ...starred, stream: true }, /stream must be false for dall-e-2/],
    ['compression of dall-e', { ...starred, output_compression: 50 }, /output_compression must be 100 for dall-e-2/],
    ['format of dall-e', { ...starred, output_format: 'png' }, /output_format is not supported by dall-e-2/],
    ['background of dall-e', { ...starred, background: 'auto' }, /background is not supported by dall-e-2/],
    ['style of dall-e-2', { ...starred, style: 'vivid' }, /style is not supported by dall-e-2/],
    ['response format of gpt', { ...gpt, response_format: 'url' }, /response_format is not supported by gpt-image-1.5/],
    ['compressed png', { ...gpt, output_compression: 99 }, /output_compression 99 needs output_format jpeg or webp/],
    [
      'transparent jpeg',
      { ...gpt, background: 'transparent', output_format: 'jpeg' },
      /"transparent" needs output_format png or webp, not jpeg/,
    ],
    ['long value', { ...starred, size: 'x'.repeat(500) }, /^size cannot be "x{58}…; allowed/],
    ['long prompt', { ...starred, prompt: '猫'.repeat(1001) }, /has 1001 characters; dall-e-2 takes at most 1000/],
  ];

  test.each(cases)('%s', async (_, fields, message) => {
    const sandbox = await start();
    const response = await post(sandbox, fields);
    expect(response.status).toBe(400);
    const answer = (await response.json()) as Fields;
    expect(answer).toEqual({
      code: expect.any(Number),
      message: expect.stringMatching(message),
      request_id: expect.stringMatching(/./),
    });
    expect(sandbox.stats()).toMatchObject({ requests: 1, rejected: 1, charged: { generations: 0, images: 0 } });
  });

  test.each([
    ['gpt-image-1.5', '1024x1024', 32_000],
    ['dall-e-3', '1024x1024', 4000],
    ['dall-e-2', '256x256', 1000],
  ])('when the prompt is too long for %s, counted in code points', async (model, size, limit) => {
    const sandbox = await start();
    const of = async (length: number) =>
      (await post(sandbox, { ...starred, model, size, prompt: '🐱'.repeat(length) })).status;
    expect(await of(limit)).toBe(200);
    expect(await of(limit + 1)).toBe(400);
  });

  test.each([{}, { authorization: '' }, { authorization: 'Bearer ' }, { authorization: 'Basic abc' }])(
    'without a key: %o',
    async (authorization) => {
      const sandbox = await start();
      const response = await post(sandbox, starred, {
        headers: { 'content-type': 'application/json', ...authorization },
      });
      expect(response.status).toBe(401);
      expect(await response.json()).toEqual({
        error: { type: 'invalid_request_error', code: 'invalid_api_key', message: expect.any(String), param: null },
        request_id: expect.stringMatching(/./),
      });
    },
  );

  test('for its content type, length, method or path', async () => {
    const sandbox = await start();
    const type = await post(sandbox, starred, { headers: { ...headers, 'content-type': 'text/plain' } });
    expect(type.status).toBe(415);
    const long = await post(sandbox, { ...starred, prompt: 'x'.repeat(1_000_000) });
    expect([long.status, ((await long.json()) as Fields).code]).toEqual([413, 41300]);
    const get = await fetch(`${sandbox.baseUrl}/image/generation`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await fetch(`${sandbox.baseUrl}/images/generations`, { method: 'POST', body: '{}' })).status).toBe(404);
    expect((await fetch(`${sandbox.baseUrl}/tasks/none`, { headers })).status).toBe(404);
    expect((await fetch(`${sandbox.baseUrl}/tasks/none`)).status).toBe(401);
  });

  test('but not because every optional field is set', async () => {
    const all = { background: 'opaque', moderation: 'low', output_format: 'webp', partial_images: 'high', user: 'me' };
    await generate(await start(), { ...gpt, ...all, output_compression: 50 });
    const dalle = { model: 'dall-e-3', size: '1024x1024', style: 'vivid', response_format: 'url' };
    await generate(await start(), { ...dalle, partial_images: 'hd' });
  });
});

describe('the answer comes in the shape', () => {
  const image = async (text: string | undefined) => {
    const bytes = Buffer.from(text ?? '', 'base64');
    expect(bytes.toString('base64')).toBe(text);
    return (await lookOf(bytes)).width;
  };

  test('data-uri', async () => {
    const response = await post(await start({ answer: 'data-uri' }), { ...starred, n: 3 });
    const text = await response.text();
    expect(response.headers.get('content-length')).toBe(String(text.length));
    const { code, data } = JSON.parse(text) as Envelope;
    expect([code, data.urls.length, data.task_status]).toEqual([0, 3, 'succeeded']);
    expect(new Set(data.urls).size).toBe(3);
    for (const url of data.urls) {
      expect(url).toMatch(/^data:image\/png;base64,/);
      expect(await image(url.split(',')[1])).toBe(256);
    }
  });

  test('b64_json, by option or where response_format asks for it', async () => {
    const [configured, asked] = [await start({ answer: 'b64_json' }), await start()];
    const answers = [await post(configured, starred), await post(asked, { ...starred, response_format: 'b64_json' })];
    for (const response of answers) {
      const answer = (await response.json()) as { data: { b64_json: string }[] };
      expect(answer).toEqual({
        created: expect.any(Number),
        data: [{ b64_json: expect.any(String) }],
        usage: { input_tokens: 2, output_tokens: 64, total_tokens: 66 },
      });
      expect(await image(answer.data[0]?.b64_json)).toBe(256);
    }
  });

  test('openai-url', async () => {
    const response = await post(await start({ answer: 'openai-url' }), { ...starred, n: 2 });
    const { data } = (await response.json()) as { data: { url: string }[] };
    expect(data).toHaveLength(2);
    for (const { url } of data) expect((await lookOf(await bytesOf(url))).width).toBe(256);
  });

  test('server-sent events, where the request asks for a stream', async () => {
    const response = await post(await start(), { ...gpt, stream: true, n: 2 });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const frames = (await response.text()).split('\n\n');
    expect(frames.slice(2)).toEqual(['data: [DONE]', '']);
    for (const frame of frames.slice(0, 2)) {
      const [event, data = ''] = frame.split('\n');
      expect(event).toBe('event: image_generation.completed');
      const completed = JSON.parse(data.slice('data: '.length)) as { b64_json: string };
      expect(completed).toMatchObject({
        type: 'image_generation.completed',
        output_format: 'png',
        usage: { output_tokens: 1024 },
      });
      expect(await image(completed.b64_json)).toBe(1024);
    }
  });
});

describe('faults', () => {
  test('are written kind, kind:rate or kind:once', () => {
    expect(parseFault('429')).toEqual({ kind: '429', rate: 1 });
    expect(parseFault('download-cut:0.25')).toEqual({ kind: 'download-cut', rate: 0.25 });
    expect(parseFault('slow:0')).toEqual({ kind: 'slow', rate: 0 });
    expect(parseFault('drop-after:once')).toEqual({ kind: 'drop-after', rate: 'once' });
    for (const kind of Object.keys(faultKinds)) expect(parseFault(kind).kind).toBe(kind);
  });

  test.each(['', 'nonsense', 'toString', '429:', '429:2', '429:-1', '429:1e-1', '429:0.5:1', '429:once:1', ':1'])(
    'the fault %j is a usage error that lists what is allowed',
    (text) => {
      expect(() => parseFault(text)).toThrow(
        expect.objectContaining({ code: 'usage', exit: 2, hint: expect.stringMatching(/./) }),
      );
    },
  );

  test.each([
    ['reject', 400, 'content_policy_violation'],
    ['401', 401, 'invalid_api_key'],
    ['402', 402, 'insufficient_credit'],
    ['credit', 400, 'insufficient_credit'],
    ['429', 429, 'rate_limit_exceeded'],
    ['500', 500, 'internal_error'],
    ['503', 503, 'overloaded'],
  ])('%s is not charged', async (kind, status, code) => {
    const sandbox = await start({}, kind);
    const response = await post(sandbox, starred);
    expect(response.status).toBe(status);
    expect(response.headers.get('retry-after')).toBe(kind === '429' ? '1' : null);
    expect(await response.json()).toMatchObject({ error: { code, message: expect.stringMatching(/./) } });
    expect(sandbox.stats()).toMatchObject({
      rejected: 1,
      charged: { generations: 0, images: 0 },
      faults: { [kind]: 1 },
    });
  });

  test.each([
    ['502', 502, 0],
    ['504', 504, 0],
    ['garbage', 200, 1],
  ])('%s is an HTML page under %i, charged %i times', async (kind, status, generations) => {
    const sandbox = await start({}, kind);
    const response = await post(sandbox, starred);
    expect([response.status, response.headers.get('content-type')]).toEqual([status, 'text/html']);
    expect(await response.text()).toContain('<html>');
    expect(sandbox.stats().charged.generations).toBe(generations);
  });

  test.each([
    ['drop-before', 0],
    ['drop-after', 1],
  ])('%s closes the connection', async (kind, generations) => {
    const sandbox = await start({}, kind);
    await expect(post(sandbox, starred)).rejects.toThrow();
    expect(sandbox.stats()).toMatchObject({ requests: 1, rejected: 0, charged: { generations } });
  });

  test.each([
    ['url', starred],
    ['data-uri', starred],
    ['b64_json', starred],
    ['url', { ...gpt, stream: true }],
  ] as const)('cut ends an answer in the middle: %s, %o', async (answer, fields) => {
    const sandbox = await start({ answer }, 'cut');
    const response = await post(sandbox, fields);
    expect(response.status).toBe(200);
    const { received, failed } = await readAll(response);
    expect(failed).toBe(true);
    expect(received).toBeGreaterThan(0);
    expect(sandbox.stats().charged).toEqual({ generations: 1, images: 1 });
  });

  test('pending answers with a task, whose images come later', async () => {
    const sandbox = await start({}, 'pending');
    const { code, data } = await generate(sandbox, { n: 2 });
    expect(code).toBe(0);
    expect(data).toEqual({ urls: [], task_id: expect.any(String), task_status: 'pending' });
    const query = async () =>
      (await (await fetch(`${sandbox.baseUrl}/tasks/${data.task_id}`, { headers })).json()) as Envelope;
    let answer = await query();
    for (const deadline = Date.now() + 5000; answer.data.task_status === 'pending' && Date.now() < deadline;) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      answer = await query();
    }
    expect(answer.data).toMatchObject({ task_id: data.task_id, task_status: 'succeeded', usage: { images: 2 } });
    expect(answer.data.urls).toHaveLength(2);
    for (const url of answer.data.urls) await bytesOf(url);
    expect(sandbox.stats().charged).toEqual({ generations: 1, images: 2 });
  });

  test('expired makes one URL answer 410 for good', async () => {
    const sandbox = await start({}, 'expired:once');
    const [first = '', second = ''] = (await generate(sandbox, { n: 2 })).data.urls;
    expect([(await fetch(first)).status, (await fetch(first)).status, (await fetch(second)).status]).toEqual([
      410, 410, 200,
    ]);
  });

  test.each([404, 500])('download-%i, once', async (status) => {
    const url = await urlOf(await start({}, `download-${status}:once`));
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(200);
    expect([(await fetch(url)).status, (await fetch(url)).status]).toEqual([status, 200]);
  });

  test('download-cut can be resumed', async () => {
    const sandbox = await start({}, 'download-cut:once');
    const url = await urlOf(sandbox);
    const { received, failed, bytes } = await readAll(await fetch(url));
    expect(failed).toBe(true);
    expect(received).toBeGreaterThan(0);
    const rest = await fetch(url, { headers: { range: `bytes=${received}-` } });
    expect(rest.status).toBe(206);
    const whole = Buffer.concat([bytes, Buffer.from(await rest.arrayBuffer())]);
    expect(whole.equals(await bytesOf(url))).toBe(true);
    expect(sandbox.stats()).toMatchObject({ downloads: 3, faults: { 'download-cut': 1 } });
  });

  test('download-truncated is whole as HTTP and short as an image', async () => {
    const url = await urlOf(await start({}, 'download-truncated:once'));
    const [short, whole] = [await bytesOf(url), await bytesOf(url)];
    expect(whole.subarray(0, short.length).equals(short)).toBe(true);
    expect(short.length).toBeLessThan(whole.length);
    await expect(sharp(short, { failOn: 'truncated' }).raw().toBuffer()).rejects.toThrow();
  });

  test('slow and slow-download trickle, and garbage-download is HTML under an image type', async () => {
    await expectTrickle(await post(await start({}, 'slow'), starred));
    await expectTrickle(await fetch(await urlOf(await start({}, 'slow-download'))));
    const garbage = await fetch(await urlOf(await start({}, 'garbage-download')));
    expect([garbage.status, garbage.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect(await garbage.text()).toContain('<html>');
  });

  test('strike at their rate, in the same way for the same seed', async () => {
    const run = async (seed: number) => {
      const sandbox = await start({ seed }, '429:0.5', '500:0.25');
      const statuses: number[] = [];
      for (let i = 0; i < 60; i += 1) statuses.push((await post(sandbox, starred)).status);
      expect(Object.keys(sandbox.stats().faults).toSorted()).toEqual(['429', '500']);
      return statuses.join();
    };
    const first = await run(7);
    expect(await run(7)).toBe(first);
    expect(await run(8)).not.toBe(first);
  });
});

describe('the server', () => {
  test('counts requests, charges, refusals and downloads', async () => {
    const sandbox = await start();
    await bytesOf(await urlOf(sandbox, { n: 3 }));
    await post(sandbox, { ...starred, n: 0 });
    const counts = {
      requests: 2,
      charged: { generations: 1, images: 3 },
      rejected: 1,
      downloads: 1,
      faults: {},
    };
    expect(sandbox.stats()).toEqual(counts);
    const response = await fetch(new URL('/sandbox/stats', sandbox.baseUrl));
    expect(await response.json()).toEqual(counts);
  });

  test('charges first and answers after the latency', async () => {
    const sandbox = await start({ latency: 300 });
    const started = performance.now();
    const answer = post(sandbox, starred);
    await expect.poll(() => sandbox.stats().charged.generations).toBe(1);
    await answer;
    // Timers may fire a millisecond early.
    expect(performance.now() - started).toBeGreaterThan(295);
  });

  test('survives clients that disconnect', async () => {
    const sandbox = await start({ latency: 60_000 });
    const leaving = new AbortController();
    const answer = post(sandbox, starred, { signal: leaving.signal });
    await expect.poll(() => sandbox.stats().requests).toBe(1);
    leaving.abort();
    await expect(answer).rejects.toThrow();

    const half = httpRequest(`${sandbox.baseUrl}/image/generation`, {
      method: 'POST',
      headers: { ...headers, 'content-length': 1000 },
    });
    half.on('error', () => {});
    half.write('{"prompt":');
    await expect.poll(() => sandbox.stats().requests).toBe(2);
    half.destroy();

    const { port } = new URL(sandbox.baseUrl);
    const noise = connect(Number(port), '127.0.0.1');
    noise.on('error', () => {});
    noise.end('\u0000\u0001 this is not HTTP\r\n\r\n');
    noise.resume();
    await once(noise, 'close');
    expect((await fetch(new URL('/sandbox/stats', sandbox.baseUrl))).status).toBe(200);
  });

  test('closes at once with requests under way; a second close is harmless', async () => {
    const sandbox = await start({ latency: 60_000 });
    const answer = expect(post(sandbox, starred)).rejects.toThrow();
    await expect.poll(() => sandbox.stats().requests).toBe(1);
    await sandbox.close();
    await answer;
    await sandbox.close();
    await expect(fetch(sandbox.baseUrl)).rejects.toThrow();
  });

  test('says that a port is taken or out of range', async () => {
    const { baseUrl } = await start();
    const port = Number(new URL(baseUrl).port);
    const refusal = { code: 'usage', exit: 2, hint: expect.stringContaining('another port') };
    await expect(startSandbox({ port })).rejects.toMatchObject({
      ...refusal,
      message: expect.stringMatching(`cannot listen on port ${port}: .*EADDRINUSE`),
    });
    await expect(startSandbox({ port: 70_000 })).rejects.toMatchObject(refusal);
  });
});

/** Reads a body as far as it comes. */
async function readAll(response: Response): Promise<{ bytes: Buffer; received: number; failed: boolean }> {
  const chunks: Uint8Array[] = [];
  let failed = false;
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk);
  } catch {
    failed = true;
  }
  const bytes = Buffer.concat(chunks);
  return { bytes, received: bytes.length, failed };
}

/** Expects several pieces of a body, and not its end. */
async function expectTrickle(response: Response): Promise<void> {
  const reader = response.body?.getReader();
  let received = 0;
  for (let pieces = 0; pieces < 8; pieces += 1) received += (await reader?.read())?.value?.length ?? 0;
  expect(received).toBeGreaterThan(0);
  expect(received).toBeLessThan(Number(response.headers.get('content-length')));
  await reader?.cancel();
}
