import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publicLookup } from '../../src/http/address.ts';
import { connect } from '../../src/http/connect.ts';
import { ImggenError } from '../../src/errors.ts';
import { Http, type HttpOptions } from '../../src/http/http.ts';
import { gateway, silence } from '../support/gateway.ts';
import { imggen, testKey } from '../support/imggen.ts';
import { after, freePort, localhostPem, localhostTls, proxyTo, tcp } from '../support/puppet.ts';

/** A public address that nothing is sent to: a proxy on loopback stands for the way there. */
const elsewhere = '1.2.3.4';

function http(options: Partial<HttpOptions> = {}): Http {
  return new Http({
    env: {},
    signal: new AbortController().signal,
    userAgent: 'test',
    trace: () => {},
    ...options,
  });
}

/** The ways from a client to a port of this machine. */
const ways: Record<string, (port: number, scheme?: string) => Promise<{ url: string; env: Record<string, string> }>> = {
  directly: (port, scheme = 'http') => Promise.resolve({ url: `${scheme}://127.0.0.1:${port}/v1`, env: {} }),
  'through a proxy': async (port, scheme = 'http') => {
    const { url } = await proxyTo(`http://127.0.0.1:${port}`);
    return { url: `${scheme}://${elsewhere}/v1`, env: { HTTP_PROXY: url, HTTPS_PROXY: url } };
  },
};

/** A client, and the URL of a server that does this with each connection. */
async function led(way: string, accept: (socket: Socket) => void, options: Partial<HttpOptions> = {}) {
  const { url, env } = await ways[way]!(await tcp(accept));
  return { client: http({ env, ...options }), url };
}

/** Answers the first bytes of a connection. */
const saying =
  (bytes: string, then: (socket: Socket) => void = () => {}) =>
  (socket: Socket) =>
    void socket.once('data', () => socket.write(bytes, () => then(socket)));

/** How a POST ends: its answer, or what is known when it failed. */
async function post(client: Http, url: string, timeoutMs = 5000) {
  let received = '';
  try {
    const answer = await client.post(url, {}, Buffer.from('{}'), timeoutMs);
    for await (const bytes of answer.body) received += Buffer.from(bytes).toString('latin1');
    return { status: answer.status, received };
  } catch (error) {
    if (!(error instanceof ImggenError)) throw error;
    const host = new RegExp(new URL(url).host, 'g');
    const { code, charged, repeatable, reason } = error;
    return { code, message: error.message.replace(host, 'HOST'), reason, charged, repeatable, received };
  }
}

const ok = 'HTTP/1.1 200 OK\r\n';
const lost = {
  code: 'network',
  message: 'the connection to HOST was lost before the answer was complete',
  repeatable: true,
};
const improper = { code: 'bad_answer', message: 'the answer of HOST is not proper HTTP' };

describe.each(Object.keys(ways))('an answer that comes %s', (name) => {
  /** Asks a server that says this once it has the request, and then closes the connection, or resets it. */
  async function answered(
    bytes: string | Buffer,
    end: 'end' | 'resetAndDestroy' | 'stays' = 'end',
    timeoutMs?: number,
  ) {
    const { client, url } = await led(name, (socket) => {
      socket.once('data', async () => {
        socket.write(bytes);
        // A reset that is there together with the last bytes looks like an end to libuv.
        if (end === 'resetAndDestroy') await after(50);
        if (end !== 'stays') socket[end]();
      });
    });
    return await post(client, url, timeoutMs);
  }

  test.each<[string, string | Buffer, string]>([
    ['a length', `${ok}content-length: 4\r\n\r\nbody`, 'body'],
    ['chunks', `${ok}transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`, 'body'],
    ['the end of the connection', `${ok}\r\nbody`, 'body'],
    ['nothing', `${ok}content-length: 0\r\n\r\n`, ''],
    [
      'something before it',
      `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${ok}content-length: 4\r\n\r\nbody`,
      'body',
    ],
    ['compression', Buffer.concat([Buffer.from(`${ok}content-encoding: gzip\r\n\r\n`), gzipSync('body')]), 'body'],
  ])('is read: with %s', async (_name, bytes, received) => {
    expect(await answered(bytes)).toEqual({ status: 200, received });
  });

  test.each<[string, string, 'end' | 'resetAndDestroy', object]>([
    ['before its start', '', 'end', { ...lost, reason: 'the server closed the connection' }],
    ['in its headers', `${ok}content-le`, 'end', lost],
    ['before its length', `${ok}content-length: 9\r\n\r\nbody`, 'end', { ...lost, received: 'body' }],
    [
      'before its last chunk',
      `${ok}transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n`,
      'end',
      { ...lost, received: 'body' },
    ],
    ['by a reset, before its length', `${ok}content-length: 9\r\n\r\nbody`, 'resetAndDestroy', lost],
    ['by a reset, without a length', `${ok}\r\nbody`, 'resetAndDestroy', lost],
  ])('and breaks off %s', async (_name, bytes, end, expected) => {
    expect(await answered(bytes, end)).toMatchObject({ ...expected, charged: 'maybe' });
  });

  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['two lengths', `${ok}content-length: 4\r\ncontent-length: 5\r\n\r\nbody`],
    ['a length and chunks', `${ok}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`],
    ['a chunk of no length', `${ok}transfer-encoding: chunked\r\n\r\nfour\r\nbody\r\n0\r\n\r\n`],
    ['a header without end', `${ok}x: ${'x'.repeat(70_000)}\r\n\r\n`],
  ])('is refused for %s', async (_name, bytes) => {
    expect(await answered(bytes)).toMatchObject({ ...improper, charged: 'maybe' });
  });

  test('and switches to another protocol is lost', async () => {
    const switching = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
    expect(await answered(switching, 'stays')).toMatchObject({ ...lost, charged: 'maybe' });
  });

  test('too late is waited for as long as --timeout says', async () => {
    const late = { code: 'timeout', message: 'HOST did not answer within 0.5 s', charged: 'maybe' };
    expect(await answered(ok, 'stays', 500)).toMatchObject({ ...late, received: '' });
    expect(await answered(`${ok}\r\nbody`, 'stays', 500)).toMatchObject({ ...late, received: 'body' });
  });

  test('may be ended by the user at any moment', async () => {
    for (const bytes of ['', ok, `${ok}\r\nbody`]) {
      const interruption = new AbortController();
      const interrupt = () => void setTimeout(() => interruption.abort(new Error('enough')), 50);
      const { client, url } = await led(name, saying(bytes, interrupt), { signal: interruption.signal });
      await expect(post(client, url)).rejects.toThrow('enough');
    }
  });

  test('early, before all of a long request was taken, is read', async () => {
    const { client, url } = await led(name, (socket) => {
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 4\r\n\r\nlong');
      });
    });
    const answer = await client.post(url, {}, Buffer.alloc(30_000_000), 5000);
    for await (const bytes of answer.body) expect(Buffer.from(bytes).toString()).toBe('long');
    expect(answer.status).toBe(413);
  });

  test('has a connection of its own', async () => {
    const sockets = new Set<Socket>();
    const { client, url } = await led(name, (socket) => {
      sockets.add(socket);
      saying(`${ok}content-length: 2\r\n\r\n{}`)(socket);
    });
    for (let k = 0; k < 3; k += 1) {
      for await (const _ of (await client.get(url)).body);
      expect(await post(client, url)).toMatchObject({ status: 200 });
    }
    expect(sockets.size).toBe(6);
  });

  test('has its headers in UTF-8, and the values of one name together', async () => {
    const headers = 'x-name: 猫\r\nx-more: 1\r\nx-more: 2\r\netag: "a"\r\netag: "b"';
    const { client, url } = await led(name, saying(`${ok}${headers}\r\ncontent-length: 0\r\n\r\n`));
    const answer = await client.get(url);
    expect(answer.headers).toMatchObject({ 'x-name': '猫', 'x-more': '1, 2', etag: '"a", "b"' });
  });
});

describe.each(Object.keys(ways))('a POST that goes out %s', (name) => {
  const unsent = { charged: 'no' };

  test('is known not to be sent when nothing listens', async () => {
    const { url, env } = await ways[name]!(await freePort());
    expect(await post(http({ env }), url)).toMatchObject({ ...unsent, code: 'network', repeatable: true });
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is known not to be sent when the certificate is not trusted: %s',
    async (maxVersion) => {
      const { port, requests } = await secure({ maxVersion });
      const { url, env } = await ways[name]!(port, 'https');
      const message = 'no secure connection to HOST';
      expect(await post(http({ env }), url)).toMatchObject({ ...unsent, message, repeatable: false });
      expect(requests).toEqual([]);
    },
  );

  test('is known to be sent or not beside another of the same path', async () => {
    const silent = await gateway({ generation: silence });
    const { url, env } = await ways[name]!(Number(new URL(silent.origin).port));
    const path = '/api/v1/image/generation';
    const client = http({ env: { ...env, HTTPS_PROXY: `http://127.0.0.1:${await tcp()}` } });
    const deaf = new URL(name === 'directly' ? `https://127.0.0.1:${await tcp()}` : `https://${elsewhere}`);
    const urls = [new URL(path, url), new URL(path, deaf)];
    const outcomes = await Promise.all(urls.map(({ href }) => post(client, href, 500)));
    expect(outcomes).toMatchObject([{ charged: 'maybe' }, unsent]);
  });

  test('may have a stream for its body, of a known length', async () => {
    const api = await gateway({ paths: { '/v1': {} } });
    const { url, env } = await ways[name]!(Number(new URL(api.origin).port));
    const open = async function* () {
      for (const piece of ['one', 'two']) yield Buffer.from(piece);
    };
    expect((await http({ env }).post(url, {}, { length: 6, open }, 5000)).status).toBe(200);
    expect(api.requests).toMatchObject([{ body: 'onetwo', headers: { 'content-length': '6' } }]);
  });

  test('is not redirected: the redirect is its answer', async () => {
    const other = await gateway();
    const headers = { location: `${other.origin}/v1` };
    const api = await gateway({ paths: { '/v1': { status: 307, headers } } });
    const { url, env } = await ways[name]!(Number(new URL(api.origin).port));
    expect(await post(http({ env }), url)).toMatchObject({ status: 307 });
    expect(other.requests).toEqual([]);
  });
});

test('a POST to a name without an address is known not to be sent', async () => {
  const reason = expect.stringContaining('name');
  expect(await post(http(), 'http://gateway.invalid/')).toMatchObject({ reason, charged: 'no' });
});

describe.each(Object.keys(ways))('a GET that goes out %s', (name) => {
  const stallMs = 500;
  const body = 'x'.repeat(200_000);

  /** Reads all of an answer, with a pause after its first bytes. */
  async function got(client: Http, url: string, pauseMs = 0): Promise<number> {
    let length = 0;
    for await (const bytes of (await client.get(url)).body) {
      if (length === 0) await after(pauseMs);
      length += bytes.length;
    }
    return length;
  }

  test.each([
    ['before it answers', '', 'HOST did not answer within 0.5 s', undefined],
    ['in the body', `${ok}content-length: 9\r\n\r\nbody`, lost.message, 'it said nothing for 0.5 s'],
  ])('is given up when the server is silent %s', async (_name, bytes, message, reason) => {
    const { client, url } = await led(name, saying(bytes), { stallMs });
    const failure: unknown = await got(client, url).catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: message.replace('HOST', new URL(url).host), reason, repeatable: true });
  });

  test('is not given up while its reader takes longer than the server may', async () => {
    const answer = `${ok}content-length: ${body.length}\r\n\r\n${body}`;
    const { client, url } = await led(name, saying(answer), { stallMs });
    expect(await got(client, url, 2 * stallMs)).toBe(body.length);
  });
});

test('a connection is refused to a name that has a private address', async () => {
  const port = await tcp();
  const connection = connect(
    new URL(`http://localhost:${port}`),
    { lookup: publicLookup() },
    new AbortController().signal,
  );
  await expect(connection).rejects.toThrow('localhost is a private address, and the API is not');
});

test('a redirect into this machine is refused when the API is public', async () => {
  const inside = await gateway();
  const redirect = saying(`HTTP/1.1 302 Found\r\nlocation: ${inside.origin}/\r\n\r\n`);
  const { client, url } = await led('through a proxy', redirect);
  await expect(client.get(url, {}, { publicOnly: true })).rejects.toThrow('127.0.0.1 is a private address');
  expect(inside.requests).toEqual([]);
});

test('a connection that takes too long is given up, and a proxy is named', async () => {
  const deaf = `127.0.0.1:${await tcp()}`;
  const client = http({ env: { HTTPS_PROXY: `http://${deaf}` }, connectMs: 200 });
  const failures = await Promise.all([deaf, elsewhere].map((host) => post(client, `https://${host}/`)));
  const reason = 'it did not answer in time';
  expect(failures).toMatchObject([
    { message: 'cannot connect to HOST', reason, charged: 'no' },
    { message: `cannot connect to the proxy ${deaf}`, reason, charged: 'no' },
  ]);
});

/** A server with a certificate that only NODE_EXTRA_CA_CERTS makes good. */
async function secure(options: { maxVersion?: 'TLSv1.2' | 'TLSv1.3' } = {}) {
  const requests: string[] = [];
  const server = createSecureServer({ ...localhostTls(), ...options }, (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const image = readFileSync(new URL('../fixtures/images/cat.png', import.meta.url));
    const { port } = server.address() as AddressInfo;
    request
      .resume()
      .on('end', () =>
        response.end(
          request.method === 'GET'
            ? image
            : JSON.stringify({ code: 0, data: { urls: [`https://localhost:${port}/cat.png`] } }),
        ),
      );
  }).listen(0);
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, requests };
}

test('TLS works, with an authority of the user', async () => {
  const { port, requests } = await secure();
  const env = {
    IMGGEN_BASE_URL: `https://localhost:${port}`,
    IMGGEN_API_KEY: testKey,
    NODE_EXTRA_CA_CERTS: localhostPem,
  };
  expect(await imggen(['a cat'], { env })).toMatchObject({ exit: 0, files: ['a-cat-1.png'] });
  expect(requests).toEqual(['POST /image/generation', 'GET /cat.png']);
  const { exit, stderr } = await imggen(['a cat'], { env: { ...env, NODE_EXTRA_CA_CERTS: undefined } });
  expect(exit).toBe(6);
  expect(stderr).toContain('NODE_EXTRA_CA_CERTS=<file>');
});
