import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Answer, documented, gateway } from '../support/gateway.ts';
import { image } from '../support/images.ts';
import { imggen, type Setup } from '../support/imggen.ts';
import { Place, sha256 } from '../support/place.ts';

const eventStream = { 'content-type': 'text/event-stream' };

async function answered(generation: Answer, args: string[] = [], setup: Setup = {}) {
  const api = await gateway({ generation: [generation] });
  const place = new Place();
  return { ...(await imggen(['a cat', ...args], { gateway: api, place, ...setup })), api, place };
}

describe('an image that was paid for is saved', () => {
  const answers: Record<string, Answer> = {
    'from its URL, when the b64_json beside it is empty': {
      body: '{"data":[{"b64_json":"","url":"{{origin}}/images/cat.png"}]}',
    },
    'from an object in urls': { body: '{"code":0,"data":{"urls":[{"url":"{{origin}}/images/cat.png"}]}}' },
    'with an empty error': {
      ...documented('{{origin}}/images/cat.png'),
      body: '{"code":0,"error":"","data":{"urls":["{{origin}}/images/cat.png"]}}',
    },
    'with an error that says nothing': { body: '{"code":0,"error":{},"data":{"urls":["{{origin}}/images/cat.png"]}}' },
  };

  test.each(Object.entries(answers))('%s', async (_name, answer) => {
    const { exit, files, place } = await answered(answer);
    expect({ exit, files }).toEqual({ exit: 0, files: ['a-cat-1.png'] });
    expect(sha256(place.read('a-cat-1.png'))).toBe(sha256(image('cat.png')));
  });

  test('when it came by URL in a stream that broke off: the rest is told, exit 7', async () => {
    const body = 'data: {"type":"image_generation.completed","url":"{{origin}}/images/cat.png"}\n\ndata: {"type":';
    const { exit, stdout, stderr, files } = await answered({ headers: eventStream, body, broken: 'end' }, ['-n', '2']);
    expect({ exit, stdout, files }).toEqual({ exit: 7, stdout: 'a-cat-1.png\n', files: ['a-cat-1.png'] });
    expect(stderr).toContain('warning: the answer broke off');
  });

  test('when a question after its task broke off in the middle of it', async () => {
    const task = { body: '{"code":0,"data":{"urls":[],"task_id":"t-1","task_status":"running"}}' };
    const whole = image('cat.png').toString('base64');
    const done = `{"code":0,"data":{"urls":["data:image/png;base64,${whole}"],"task_id":"t-1","task_status":"succeeded"}}`;
    const api = await gateway({
      generation: [task],
      paths: { '/tasks/t-1': [{ body: done.slice(0, done.length / 2), broken: 'end' }, { body: done }] },
    });
    const result = await imggen(['a cat'], { gateway: api, env: { IMGGEN_TASK_URL: `${api.origin}/tasks/{task_id}` } });
    expect({ exit: result.exit, files: result.files }).toEqual({ exit: 0, files: ['a-cat-1.png'] });
    expect(api.posts()).toHaveLength(1);
  });

  test('beside a name that leads nowhere', async () => {
    const place = new Place();
    const api = await gateway({ generation: [documented('{{origin}}/images/cat.png')] });
    symlinkSync('/nowhere/at/all', join(place.cwd, 'a-cat-1.png'));
    // The checks after a run read every file, which this link is not.
    const { exit, stdout } = await imggen(['a cat'], { gateway: api, place, unchecked: true });
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'a-cat-2.png\n' });
  });
});

describe('what an answer does not say', () => {
  test('a task id without a status is a pending task', async () => {
    const { exit, stderr } = await answered({ body: '{"code":0,"data":{"urls":null,"task_id":17,"task_status":""}}' });
    expect(exit).toBe(7);
    expect(stderr).toContain('error: task 17 is not finished');
  });

  test('an answer without an image is kept in the history', async () => {
    const { place, api } = await answered({
      body: '{"code":0,"data":{"pictures":["https://pictures.example/1.png"]}}',
    });
    const { stdout } = await imggen(['history', '--json'], { gateway: api, place });
    const { runs } = JSON.parse(stdout) as { runs: { answer: string[] }[] };
    expect(runs[0]?.answer.join('')).toContain('https://pictures.example/1.png');
  });
});

test('--overwrite replaces the planned name only, whatever the bytes are', async () => {
  const api = await gateway({ generation: [documented('{{origin}}/images/cat.jpg')] });
  const place = new Place();
  place.write('cat.jpg', 'precious');
  place.write('cat.png', 'old');
  const { exit, stdout } = await imggen(['a cat', '-o', 'cat.png', '--overwrite'], { gateway: api, place });
  expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'cat-2.jpg\n' });
  expect(place.read('cat.jpg').toString()).toBe('precious');
});

test('--skip-existing does not pay again for a name that got another format', async () => {
  const api = await gateway({ generation: [documented('{{origin}}/images/cat.jpg')] });
  const place = new Place();
  const run = () => imggen(['a cat', '-o', 'cat.png', '--skip-existing'], { gateway: api, place });
  expect((await run()).stdout).toBe('cat.jpg\n');
  expect(await run()).toMatchObject({ exit: 0, stdout: '' });
  expect(api.posts()).toHaveLength(1);
});

test('stdout gets one image whole, also when there are two', async () => {
  const { exit, bytes } = await answered(documented('{{origin}}/images/cat.png', '{{origin}}/images/cat.jpg'), [
    '-o',
    '-',
  ]);
  expect(exit).toBe(7);
  expect(sha256(bytes)).toBe(sha256(image('cat.png')));
});

describe('a value from the config file does not stand in the way of what is typed', () => {
  const settings: Record<string, [config: Record<string, unknown>, args: string[], stdout: string]> = {
    'a format and a name with another': [{ format: 'webp' }, ['-o', 'cat.png'], 'cat.png\n'],
    'a template and an exact name': [{ name: '{slug}' }, ['-o', 'cat.png'], 'cat.png\n'],
  };

  test.each(Object.entries(settings))('%s', async (_name, [config, args, stdout]) => {
    const place = new Place();
    place.writeConfig(JSON.stringify(config));
    const api = await gateway({ generation: [documented('{{origin}}/images/cat.png')] });
    const result = await imggen(['a cat', ...args], { gateway: api, place });
    expect({ exit: result.exit, stdout: result.stdout }).toEqual({ exit: 0, stdout });
  });
});

describe('a proxy', () => {
  async function proxy(): Promise<{ url: string; seen: string[] }> {
    const seen: string[] = [];
    const server = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      response.writeHead(502).end();
    });
    server.on('connect', (request, socket) => {
      seen.push(`CONNECT ${request.url}`);
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    return { url: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
  }

  test('never sees what goes to this machine', async () => {
    const { url, seen } = await proxy();
    const { exit } = await answered(documented('{{origin}}/images/cat.png'), [], {
      env: { HTTP_PROXY: url, HTTPS_PROXY: url },
    });
    expect({ exit, seen }).toEqual({ exit: 0, seen: [] });
  });

  test('is asked for all else, and may be given without a scheme', async () => {
    const { url, seen } = await proxy();
    const env = {
      HTTPS_PROXY: url,
      IMGGEN_BASE_URL: 'https://api.example.com/v1',
      IMGGEN_API_KEY: 'sk-1234567890abcdef',
    };
    const { exit, stderr } = await imggen(['a cat', '--retries', '0'], { env });
    expect(exit).toBe(6);
    expect(stderr).toContain(`error: the proxy ${url} refused to connect to api.example.com`);
    expect(seen).toEqual(['CONNECT api.example.com:443']);
  });

  test('of another kind is a usage error, before anything is sent', async () => {
    const { exit, stderr, api } = await answered(documented(), [], { env: { HTTPS_PROXY: 'socks5://127.0.0.1:1' } });
    expect({ exit, posts: api.posts() }).toEqual({ exit: 2, posts: [] });
    expect(stderr).toContain('error: HTTPS_PROXY is not an http(s) URL');
  });
});

describe('a config file that no imggen wrote', () => {
  test.each([
    ['nested without end', '['.repeat(10_000), ':1 is not valid JSON'],
    ['with a number that is none', '{"profiles":{"work":{"timeout":1e400}}}', '"profiles.work.timeout" in'],
  ])('%s is reported and stays as it is', async (_name, content, message) => {
    const place = new Place();
    place.writeConfig(content);
    const { exit, stderr } = await imggen(['config', 'set', 'model', 'm'], { place });
    expect(exit).toBe(2);
    expect(stderr).toContain(message);
    expect(readFileSync(place.configFile, 'utf8')).toBe(content);
  });
});

test('a download that ends within the first bytes is fetched again', async () => {
  const png = image('cat.png');
  const api = await gateway({
    generation: [documented('{{origin}}/short')],
    paths: { '/short': [{ body: png.subarray(0, 5) }, { body: png }] },
  });
  const { exit, files } = await imggen(['a cat'], { gateway: api });
  expect({ exit, files }).toEqual({ exit: 0, files: ['a-cat-1.png'] });
});

test('a command that this version does not have costs nothing', async () => {
  const { exit, stderr, api } = await answeredWord('gallery');
  expect({ exit, posts: api.posts() }).toEqual({ exit: 2, posts: [] });
  expect(stderr).toContain('a command that this version does not have');
});

test('a size that is a word of the language is refused as it is written', async () => {
  const { exit, stderr } = await answeredWord('a cat', ['-s', 'constructor']);
  expect(exit).toBe(2);
  expect(stderr).toContain('error: --size constructor is not a size of gpt-image-1.5');
});

async function answeredWord(word: string, args: string[] = []) {
  const api = await gateway();
  return { ...(await imggen([word, ...args], { gateway: api })), api };
}

test('Ctrl-C that reaches apiKeyCommand first is an interruption all the same', async () => {
  const place = new Place();
  place.writeConfig({ apiKeyCommand: 'kill -INT $$' });
  const { exit, stderr } = await imggen(['a cat'], { place });
  expect({ exit, stderr }).toEqual({ exit: 130, stderr: 'error: interrupted\n' });
});
