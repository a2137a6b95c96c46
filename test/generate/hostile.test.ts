import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Bench, ended, wholeImages } from '../support/bench.ts';
import { cats, documented, gateway, wire } from '../support/gateway.ts';
import { image, largePng } from '../support/images.ts';
import { imggen, testKey } from '../support/imggen.ts';
import { Place, sha256 } from '../support/place.ts';
import { after, endlessly, proxyTo, puppet, tcp } from '../support/puppet.ts';

// Servers that are broken, or mean. Whatever they do, it ends soon, costs one POST, and leaves no trace outside.

const png = image('cat.png');
const base64 = png.toString('base64');

/** A run against a server that answers each POST by hand; its end, and what the journal says. */
async function against(answer: (response: ServerResponse) => void | Promise<void>, args: string[] = []) {
  const place = new Place();
  const api = await puppet((_request, response) => answer(response));
  const result = await imggen(['a cat', ...args], { gateway: api, place });
  return { ...result, place, state: await stateOf(place), posts: api.posts().length };
}

async function stateOf(place: Place): Promise<string | undefined> {
  const { stdout } = await imggen(['history', '--json'], { place });
  return (JSON.parse(stdout) as { runs: { state: string }[] }).runs[0]?.state;
}

describe('an answer without end', () => {
  test.each<[string, (response: ServerResponse) => Promise<void>, RegExp]>([
    ['JSON', (response) => (response.write('{'), endlessly(response, `"a": "${'x'.repeat(10_000)}",`)), /1 MB/],
    ['one text', (response) => (response.write('{"message": "'), endlessly(response, 'x'.repeat(10_000))), /1 MB/],
    ['nesting', (response) => endlessly(response, '{"a":'.repeat(1000)), /nested|deep/],
    ['blanks', (response) => endlessly(response, ' '.repeat(10_000)), /neither JSON nor an event stream/],
    ['comments', (response) => endlessly(response, `: ${'x'.repeat(10_000)}\n\n`), /neither JSON nor an event stream/],
    ['events', (response) => endlessly(response, 'data: {"type":"ping"}\n\n'), /too many events/],
  ])('of %s', async (_name, answer, why) => {
    const { exit, files, stderr, state, posts } = await against(answer);
    expect({ exit, files, state, posts }).toEqual({ exit: 6, files: [], state: 'unknown', posts: 1 });
    expect(stderr).toMatch(why);
    expect(stderr).toContain('may have been generated and charged');
  });

  test('of headers', async () => {
    const port = await tcp((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      void endlessly(socket, `x-more: ${'x'.repeat(1000)}\r\n`);
    });
    const { exit, stderr } = await imggen(['a cat'], {
      env: { IMGGEN_BASE_URL: `http://127.0.0.1:${port}`, IMGGEN_API_KEY: testKey },
    });
    expect(exit).toBe(6);
    expect(stderr).toContain('is not proper HTTP');
    expect(stderr).toContain('may have been generated and charged');
  });

  test.each([
    ['of what is no image', 'eHh4'.repeat(1000)],
    ['that drips', 'x'],
  ])('%s: --timeout ends it', async (_name, piece) => {
    const drip = piece.length === 1;
    const { exit, files, stderr, state } = await against(
      async (response) => {
        response.write('{"data": [{"b64_json": "');
        while (drip && !response.destroyed) {
          response.write(piece);
          await after(50);
        }
        if (!drip) await endlessly(response, piece);
      },
      ['--timeout', '1'],
    );
    expect({ exit, files, state }).toEqual({ exit: 6, files: [], state: 'unknown' });
    expect(stderr).toContain('did not answer within 1 s');
  });
});

describe('a server that closes the connection when it has said all', () => {
  const large = largePng(3_000_000);
  const body = JSON.stringify({ created: 1, data: [{ b64_json: large.toString('base64') }] });
  const ends: [string, string, string][] = [
    ['after its Content-Length', `content-length: ${body.length}\r\nconnection: close`, body],
    ['without saying so', `content-length: ${body.length}`, body],
    [
      'after chunks',
      'transfer-encoding: chunked\r\nconnection: close',
      `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ],
    ['instead of a length', 'connection: close', body],
  ];

  test.each(ends)('%s', async (_name, headers, bytes) => {
    const place = new Place();
    const port = await tcp((socket) => {
      socket.once('data', () =>
        socket.end(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${headers}\r\n\r\n${bytes}`),
      );
    });
    const env = { IMGGEN_BASE_URL: `http://127.0.0.1:${port}`, IMGGEN_API_KEY: testKey };
    expect(await imggen(['a cat'], { place, env })).toMatchObject({ exit: 0, files: ['a-cat-1.png'] });
    expect(place.sha256('a-cat-1.png')).toBe(sha256(large));
  });

  test.each(ends)('%s, but too early', async (_name, headers, bytes) => {
    const place = new Place();
    const port = await tcp((socket) => {
      socket.once('data', () =>
        socket.end(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${headers}\r\n\r\n${bytes.slice(0, -100)}`),
      );
    });
    const env = { IMGGEN_BASE_URL: `http://127.0.0.1:${port}`, IMGGEN_API_KEY: testKey };
    expect(await imggen(['a cat'], { place, env })).toMatchObject({ exit: 6, files: [] });
    expect(await stateOf(place)).toBe('unknown');
  });

  // The program is stopped meanwhile, and so finds all of it and the end at once.
  test.each([500, 60_000, 3_000_000])(
    'in the middle of the second image: the first, of %d bytes, is saved',
    async (bytes) => {
      const bench = new Bench();
      onTestFinished(() => bench.remove());
      const [first, second] = [largePng(bytes), png].map((each) => each.toString('base64'));
      const port = await tcp((socket) => {
        socket.once('data', async () => {
          child.kill('SIGSTOP');
          await after(50);
          socket.end(
            `HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n{"created": 1, "data": [{"b64_json": "${first}"}, {"b64_json": "${second?.slice(0, 100)}`,
          );
          await after(150);
          child.kill('SIGCONT');
        });
      });
      const child = bench.spawn(['a cat', '-n', '2'], { env: { IMGGEN_BASE_URL: `http://127.0.0.1:${port}` } });
      expect(await ended(child)).toMatchObject({ exit: 7, stdout: 'a-cat-1.png\n' });
      expect(await wholeImages(bench.cwd)).toEqual(['a-cat-1.png']);
    },
  );

  test('by a reset: never a crash', async () => {
    const port = await tcp((socket) => {
      socket.once('data', () => {
        socket.write(
          `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, -100)}`,
          () => socket.resetAndDestroy(),
        );
      });
    });
    const env = { IMGGEN_BASE_URL: `http://127.0.0.1:${port}`, IMGGEN_API_KEY: testKey };
    const { exit, stderr } = await imggen(['a cat'], { env });
    expect(exit).toBe(6);
    expect(stderr).toContain('may have been generated and charged');
  });
});

describe('compression that nobody asked for', () => {
  const bomb = gzipSync(Buffer.alloc(300_000_000), { level: 1 });
  const texts = gzipSync(Buffer.concat([Buffer.from('{"message": "'), Buffer.alloc(300_000_000, 'a')]), { level: 1 });
  const gzip = { 'content-encoding': 'gzip' };

  test('is undone', async () => {
    const api = await puppet((request, response) => {
      response.writeHead(200, gzip);
      response.end(
        gzipSync(
          request.method === 'POST' ? JSON.stringify({ code: 0, data: { urls: [`${api.origin}/cat.png`] } }) : png,
        ),
      );
    });
    const place = new Place();
    expect(await imggen(['a cat'], { gateway: api, place })).toMatchObject({ exit: 0, files: ['a-cat-1.png'] });
    expect(place.sha256('a-cat-1.png')).toBe(sha256(png));
  });

  test.each([
    ['zeros', bomb],
    ['a text', texts],
  ])('does not grow without end: an answer of %s', async (_name, body) => {
    const { exit, files, state } = await against((response) => void response.writeHead(200, gzip).end(body));
    expect({ exit, files, state }).toEqual({ exit: 6, files: [], state: 'unknown' });
  });

  test('nor does a download', async () => {
    const api = await puppet((request, response) => {
      if (request.method === 'POST')
        response.end(JSON.stringify({ code: 0, data: { urls: [`${api.origin}/cat.png`] } }));
      else response.writeHead(200, gzip).end(bomb);
    });
    const { exit, files, stderr } = await imggen(['a cat'], { gateway: api });
    expect({ exit, files }).toEqual({ exit: 7, files: [] });
    expect(stderr).toContain('it is not an image');
  });

  test('is not believed either', async () => {
    const { exit, state } = await against((response) => void response.writeHead(200, gzip).end('{"code": 0}'));
    expect({ exit, state }).toEqual({ exit: 6, state: 'unknown' });
  });
});

test('a proxy that says nothing: --timeout ends it, and nothing was sent', async () => {
  const place = new Place();
  const env = {
    HTTP_PROXY: `http://127.0.0.1:${await tcp()}`,
    IMGGEN_BASE_URL: 'http://1.2.3.4/api/v1',
    IMGGEN_API_KEY: testKey,
    IMGGEN_ALLOW_INSECURE: 'true',
  };
  const { exit, stderr } = await imggen(['a cat', '--timeout', '1'], { place, env });
  expect(exit).toBe(6);
  expect(stderr).toContain('1.2.3.4 did not answer within 1 s');
  expect(stderr).toContain('nothing was sent');
  expect(await stateOf(place)).toBe('failed');
});

test.each([301, 302, 303, 307, 308])(
  'a redirect of the POST (%d) is not followed: the key stays here',
  async (status) => {
    const elsewhere = await gateway();
    const api = await gateway({
      generation: { status, headers: { location: `${elsewhere.origin}/api/v1/image/generation` } },
    });
    const place = new Place();
    const { exit, files, stderr } = await imggen(['a cat'], { gateway: api, place });
    expect({ exit, files }).toEqual({ exit: 6, files: [] });
    expect(stderr).toContain(`it redirects to ${elsewhere.origin}`);
    expect(elsewhere.requests).toEqual([]);
    expect(await stateOf(place)).toBe('failed');
  },
);

test('a redirect from taskUrl is not followed: the key stays here', async () => {
  const elsewhere = await gateway();
  const api = await gateway({
    generation: [{ body: wire('pending.json') }],
    paths: { '/tasks/task-7f3a': { status: 302, headers: { location: `${elsewhere.origin}/tasks/task-7f3a` } } },
  });
  const env = { IMGGEN_TASK_URL: `${api.origin}/tasks/{task_id}` };
  const { exit, stderr } = await imggen(['a cat', '--timeout', '5'], { gateway: api, env });
  expect(exit).not.toBe(0);
  expect(stderr).toContain('redirects');
  expect(elsewhere.requests).toEqual([]);
});

describe('where the API is on the public network', () => {
  // A public address that nothing is sent to: a proxy on loopback stands for the way there.
  const publicApi = {
    IMGGEN_BASE_URL: 'http://1.2.3.4/api/v1',
    IMGGEN_API_KEY: testKey,
    IMGGEN_ALLOW_INSECURE: 'true',
  };

  async function downloads(
    urls: string[],
    paths: Record<string, { status: number; headers: Record<string, string> }> = {},
    env: Record<string, string> = {},
  ) {
    const place = new Place();
    const inside = await gateway();
    const api = await gateway({
      generation: [documented(...urls.map((url) => url.replace('{inside}', inside.origin)))],
      paths,
    });
    const proxy = await proxyTo(api.origin);
    const result = await imggen(['a cat', '-n', String(urls.length), '--json', '--retries', '0'], {
      place,
      env: { ...publicApi, HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, ...env },
    });
    const { failed } = JSON.parse(result.stdout) as { failed: { index: number; reason: string }[] };
    return { ...result, reasons: failed.map(({ reason }) => reason), inside };
  }

  test('images come from the public network', async () => {
    expect(await downloads(['http://1.2.3.5/images/cat.png'])).toMatchObject({ exit: 0, files: ['a-cat-1.png'] });
  });

  test.each([
    [['{inside}/images/cat.png', 'localhost', '[::1]', '10.1.2.3', '172.31.0.1', '192.168.0.1', '169.254.169.254']],
    [['100.64.0.1', '0.0.0.0', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', '[fd00::1]', '[fe80::1]', 'LOCALHOST.']],
    [['[64:ff9b::127.0.0.1]', '[64:ff9b:1::127.0.0.1]', '[2002:7f00:1::]', '[::127.0.0.1]', '[::ffff:0:127.0.0.1]']],
    [['[2001:0:102:304::80ff:fffe]', '[2001:db8::1]', '[fec0::1]', '[4000::1]', '192.0.2.2', '224.0.0.1']],
  ])('not from %j', async (hosts) => {
    const urls = hosts.map((host) => (host.startsWith('{') ? host : `http://${host}/x.png`));
    const { exit, files, reasons, inside } = await downloads(urls);
    expect({ exit, files }).toEqual({ exit: 7, files: [] });
    expect(reasons).toEqual(urls.map(() => expect.stringContaining('is a private address, and the API is not')));
    expect(inside.requests).toEqual([]);
  });

  test('not by a redirect', async () => {
    const { exit, reasons } = await downloads(['http://1.2.3.5/x.png'], {
      '/x.png': { status: 302, headers: { location: 'http://127.0.0.1:9/x.png' } },
    });
    expect(exit).toBe(7);
    expect(reasons).toEqual([expect.stringContaining('127.0.0.1 is a private address')]);
  });

  test('unless allowPrivateDownloads says so', async () => {
    const { exit, inside } = await downloads(
      ['{inside}/images/cat.png'],
      {},
      { IMGGEN_ALLOW_PRIVATE_DOWNLOADS: 'true' },
    );
    expect(exit).toBe(0);
    expect(inside.gets()).toEqual(['/images/cat.png']);
  });

  test('and never in clear, unless allowInsecure says so', async () => {
    const { exit, stderr } = await imggen(['a cat'], { env: { ...publicApi, IMGGEN_ALLOW_INSECURE: undefined } });
    expect(exit).toBe(2);
    expect(stderr).toContain('the API key would travel in clear');
  });
});

test.each(['file:///etc/passwd', 'ftp://127.0.0.1/cat.png', 'javascript:alert(1)', 'http://'])(
  'an image at %s is refused',
  async (url) => {
    const api = await gateway({ generation: [documented(url)] });
    const { exit, files, stderr } = await imggen(['a cat'], { gateway: api });
    expect({ exit, files }).toEqual({ exit: 7, files: [] });
    expect(stderr).toMatch(/is not an http\(s\) URL|is neither a URL nor an image/);
  },
);

test('the name in Content-Disposition is not used', async () => {
  const headers = { 'content-disposition': 'attachment; filename="../../evil.png"', 'content-type': 'image/webp' };
  const api = await gateway({ generation: [documented('{{origin}}/x')], paths: { '/x': [{ headers, body: png }] } });
  expect(await imggen(['a cat'], { gateway: api })).toMatchObject({
    exit: 0,
    stdout: 'a-cat-1.png\n',
    files: ['a-cat-1.png'],
  });
});

describe('of more images than any model makes, the first are taken', () => {
  test('as URLs', async () => {
    const api = await gateway({ generation: [cats(2000)] });
    const { exit, files } = await imggen(['a cat'], { gateway: api });
    expect({ exit, files: files.length, gets: api.gets().length }).toEqual({ exit: 0, files: 64, gets: 64 });
  });

  test('in an answer without end', async () => {
    const { exit, files, stderr, posts } = await against((response) => {
      response.write('{"data": [');
      return endlessly(response, `{"b64_json": "${base64}"},`);
    });
    expect({ exit, files: files.length, posts }).toEqual({ exit: 0, files: 64, posts: 1 });
    expect(stderr).toContain('the answer has more than 64 images');
  });
});

describe('what a server writes', () => {
  const evil = 'x\u001b]0;title\u0007\u001b[2J\r\n\u202egpj.exe\u2066\u0000\u0085\u200f';
  const clean = /^[^\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]*$/u;

  test.each<[string, number, unknown]>([
    ['an error', 400, { error: { type: evil, code: evil, message: evil, param: evil }, request_id: evil }],
    ['a code', 200, { code: evil, message: evil, request_id: evil }],
    ['a task', 200, { code: 0, data: { urls: [], task_id: evil, task_status: evil }, request_id: evil }],
    ['a failed task', 200, { code: 0, data: { urls: [], task_id: evil, task_status: 'failed' }, message: evil }],
    [
      'URLs',
      200,
      {
        code: 0,
        data: { urls: [`http://127.0.0.1:1/${evil}`, evil], expired: evil, usage: { [evil]: 1 } },
        request_id: evil,
      },
    ],
  ])('reaches no terminal: %s', async (_name, status, document) => {
    const place = new Place();
    const api = await gateway({
      generation: { status, body: JSON.stringify(document), headers: { 'x-request-id': 'x‮'.slice(0, 1) } },
    });
    const { stderr } = await imggen(['a cat', '--retries', '0', '--verbose'], { gateway: api, place });
    // One after another: each run is followed by a look at all files, which another would be changing.
    const told: Awaited<ReturnType<typeof imggen>>[] = [];
    for (const args of [['history'], ['history', '--json'], ['resume', '--retries', '0']])
      told.push(await imggen(args, { gateway: api, place }));
    const { runs } = JSON.parse(told[1]!.stdout) as { runs: { run: string }[] };
    const whole = await imggen(['history', runs[0]!.run], { place });
    for (const text of [stderr, ...told.map(({ stdout, stderr }) => stdout + stderr), whole.stdout]) {
      for (const line of text.split('\n')) expect(line).toMatch(clean);
    }
  });

  test.each([
    ['an error page of 10 MB', 500, 'text/html', `<html>${'x'.repeat(10_000_000)}</html>`],
    ['a page of 10 MB', 200, 'text/html', `<html>${'x'.repeat(10_000_000)}</html>`],
    ['a text of 10 MB', 502, 'text/plain', 'x'.repeat(10_000_000)],
    ['JSON of 10 MB', 500, 'application/json', JSON.stringify({ error: { message: 'x'.repeat(10_000_000) } })],
    ['a long message', 400, 'application/json', JSON.stringify({ error: { message: 'x'.repeat(500_000) } })],
  ])('is told in brief: %s', async (_name, status, type, body) => {
    const { exit, stderr } = await against(
      (response) => void response.writeHead(status, { 'content-type': type }).end(body),
    );
    expect(exit).toBe(status === 400 ? 4 : 6);
    expect(stderr.length).toBeLessThan(3000);
  });
});

describe('a download', () => {
  async function downloaded(
    answer: (response: ServerResponse, count: number, headers: Record<string, unknown>) => void,
    args: string[] = [],
  ) {
    const place = new Place();
    let count = 0;
    const api = await puppet((request, response) => {
      if (request.method === 'POST')
        response.end(JSON.stringify({ code: 0, data: { urls: [`${api.origin}/cat.png`] } }));
      else answer(response, (count += 1), request.headers);
    });
    const started = performance.now();
    const result = await imggen(['a cat', ...args], { gateway: api, place });
    return { ...result, place, seconds: (performance.now() - started) / 1000, gets: api.gets().length };
  }

  test('that is to be repeated tomorrow is left to resume', async () => {
    const { exit, gets, stderr, seconds } = await downloaded(
      (response) => void response.writeHead(503, { 'retry-after': '86400' }).end(),
    );
    expect({ exit, gets }).toEqual({ exit: 7, gets: 1 });
    expect(stderr).toContain('imggen resume');
    expect(seconds).toBeLessThan(15);
  });
});
