import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ImggenError } from '../../src/errors.ts';
import { Http, type HttpOptions } from '../../src/http/http.ts';
import { proxyFor } from '../../src/http/proxies.ts';
import { gateway, silence } from '../support/gateway.ts';
import { imggen, testKey } from '../support/imggen.ts';
import { after, freePort, proxyTo, tcp } from '../support/puppet.ts';

const pem = fileURLToPath(new URL('../fixtures/tls/localhost.pem', import.meta.url));
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
const ways: Record<string, (port: number) => Promise<{ url: string; env: Record<string, string> }>> = {
  directly: (port) => Promise.resolve({ url: `http://127.0.0.1:${port}/v1`, env: {} }),
  'through a proxy': async (port) => ({
    url: `http://${elsewhere}/v1`,
    env: { HTTP_PROXY: (await proxyTo(`http://127.0.0.1:${port}`)).url },
  }),
};

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
    const port = await tcp((socket) => {
      socket.once('data', async () => {
        socket.write(bytes);
        // A reset that is there together with the last bytes looks like an end to libuv.
        if (end === 'resetAndDestroy') await after(50);
        if (end !== 'stays') socket[end]();
      });
    });
    const { url, env } = await ways[name]!(port);
    return await post(http({ env }), url, timeoutMs);
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
    ['before its start', '', 'end', { ...lost, reason: 'it was closed by the other side' }],
    ['in its headers', `${ok}content-le`, 'end', lost],
    ['before its length', `${ok}content-length: 9\r\n\r\nbody`, 'end', { ...lost, received: 'body' }],
    [
      'before its last chunk',
      `${ok}transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n`,
      'end',
      { ...lost, received: 'body' },
    ],
    ['by a reset, before its length', `${ok}content-length: 9\r\n\r\nbody`, 'resetAndDestroy', lost],
    // undici takes that for its end.
    ...(name === 'directly'
      ? [
          ['by a reset, without a length', `${ok}\r\nbody`, 'resetAndDestroy', lost] as [
            string,
            string,
            'resetAndDestroy',
            object,
          ],
        ]
      : []),
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
    const late = { code: 'timeout', message: 'HOST did not answer within 0.2 s', charged: 'maybe' };
    expect(await answered(ok, 'stays', 200)).toMatchObject({ ...late, received: '' });
    expect(await answered(`${ok}\r\nbody`, 'stays', 200)).toMatchObject({ ...late, received: 'body' });
  });

  test('may be ended by the user at any moment', async () => {
    for (const bytes of ['', ok, `${ok}\r\nbody`]) {
      const interruption = new AbortController();
      const port = await tcp((socket) => {
        socket.once('data', () =>
          socket.write(bytes, () => void setTimeout(() => interruption.abort(new Error('enough')), 50)),
        );
      });
      const { url, env } = await ways[name]!(port);
      await expect(post(http({ env, signal: interruption.signal }), url)).rejects.toThrow('enough');
    }
  });

  test('early, before all of a long request was taken, is read', async () => {
    const port = await tcp((socket) => {
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 4\r\n\r\nlong');
      });
    });
    const { url, env } = await ways[name]!(port);
    const answer = await http({ env }).post(url, {}, Buffer.alloc(30_000_000), 5000);
    for await (const bytes of answer.body) expect(Buffer.from(bytes).toString()).toBe('long');
    expect(answer.status).toBe(413);
  });

  test('has a connection of its own', async () => {
    const sockets = new Set<Socket>();
    const port = await tcp((socket) => {
      sockets.add(socket);
      socket.on('data', () => socket.write(`${ok}content-length: 2\r\n\r\n{}`));
    });
    const { url, env } = await ways[name]!(port);
    const client = http({ env });
    for (let k = 0; k < 3; k += 1) {
      for await (const _ of (await client.get(url)).body);
      expect(await post(client, url)).toMatchObject({ status: 200 });
    }
    expect(sockets.size).toBe(6);
  });

  test('has its headers in UTF-8, and the values of one name together', async () => {
    const port = await tcp((socket) => {
      socket.on('data', () =>
        socket.write(
          `${ok}x-name: 猫\r\nx-more: 1\r\nx-more: 2\r\netag: "a"\r\netag: "b"\r\ncontent-length: 0\r\n\r\n`,
        ),
      );
    });
    const { url, env } = await ways[name]!(port);
    const { headers } = await http({ env }).get(url);
    expect(headers).toMatchObject({ 'x-name': '猫', 'x-more': '1, 2', etag: '"a", "b"' });
  });
});

describe('what was not sent', () => {
  test('is known when nothing listens', async () => {
    expect(await post(http(), `http://127.0.0.1:${await freePort()}/`)).toMatchObject({
      message: 'cannot connect to HOST',
      charged: 'no',
      repeatable: true,
    });
  });

  test('is known when the name is not', async () => {
    expect(await post(http(), 'http://gateway.invalid/')).toMatchObject({
      reason: expect.stringContaining('name'),
      charged: 'no',
    });
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('is known when the certificate is not trusted: %s', async (maxVersion) => {
    const { url, requests } = await secure({ maxVersion });
    const outcome = await post(http(), url);
    expect(outcome).toMatchObject({
      message: 'no secure connection to HOST',
      charged: 'no',
      repeatable: false,
    });
    expect(requests).toEqual([]);
  });

  test('is known for each of several POSTs at once, of the same path', async () => {
    const silent = await gateway({ generation: silence });
    const [path, deaf] = ['/api/v1/image/generation', await tcp()];
    const client = http();
    const outcomes = await Promise.all(
      [`${silent.origin}${path}`, `https://127.0.0.1:${deaf}${path}`].map((url) => post(client, url, 500)),
    );
    expect(outcomes).toMatchObject([{ charged: 'maybe' }, { charged: 'no' }]);
  });

  test('is known so behind proxies as well', async () => {
    const silent = await gateway({ generation: silence });
    const env = { HTTP_PROXY: (await proxyTo(silent.origin)).url, HTTPS_PROXY: `http://127.0.0.1:${await tcp()}` };
    const client = http({ env });
    const urls = ['http', 'https'].map((scheme) => `${scheme}://${elsewhere}/api/v1/image/generation`);
    const outcomes = await Promise.all(urls.map((url) => post(client, url, 500)));
    expect(outcomes).toMatchObject([{ charged: 'maybe' }, { charged: 'no' }]);
  });
});

/** A server with a certificate that only NODE_EXTRA_CA_CERTS makes good. */
async function secure(options: { maxVersion?: 'TLSv1.2' | 'TLSv1.3' } = {}) {
  const requests: string[] = [];
  const both = readFileSync(pem);
  const server = createSecureServer({ key: both, cert: both, ...options }, (request, response) => {
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
  return { url: `https://localhost:${(server.address() as AddressInfo).port}`, requests };
}

test('TLS works, with an authority of the user', async () => {
  const { url, requests } = await secure();
  const env = { IMGGEN_BASE_URL: url, IMGGEN_API_KEY: testKey, NODE_EXTRA_CA_CERTS: pem };
  expect(await imggen(['a cat'], { env })).toMatchObject({ exit: 0, files: ['a-cat-1.png'] });
  expect(requests).toEqual(['POST /image/generation', 'GET /cat.png']);
  const { exit, stderr } = await imggen(['a cat'], { env: { ...env, NODE_EXTRA_CA_CERTS: undefined } });
  expect(exit).toBe(6);
  expect(stderr).toContain('NODE_EXTRA_CA_CERTS=<file>');
});

test.each([
  ['http://a.example/', undefined],
  ['http://b.example/', 'http'],
  ['https://b.example/', 'https'],
  ['http://x.a.example/', undefined],
  ['http://xa.example/', 'http'],
  ['http://port.example:8080/', undefined],
  ['http://port.example/', 'http'],
  ['https://tls.example/', undefined],
  ['http://tls.example/', 'http'],
  ['http://dot.example/', undefined],
  ['http://x.star.example/', undefined],
  ['http://10.0.0.1/', undefined],
  ['http://[2001:db8::1]/', undefined],
  ['http://localhost/', undefined],
])('the proxy of %s is %s', (url, proxy) => {
  const noProxy = 'A.example, port.example:8080,tls.example:443 .dot.example,*.star.example,10.0.0.1,[2001:db8::1]';
  const named = proxyFor(url, { httpProxy: 'http', httpsProxy: 'https', noProxy });
  expect(named).toBe(proxy);
  expect(proxyFor(url, { httpProxy: 'http', httpsProxy: '', noProxy: '*' })).toBeUndefined();
});

test('https without a proxy of its own takes the other, and not the other way round', () => {
  expect(proxyFor('https://a.example/', { httpProxy: 'http', httpsProxy: '', noProxy: '' })).toBe('http');
  expect(proxyFor('http://a.example/', { httpProxy: '', httpsProxy: 'https', noProxy: '' })).toBeUndefined();
});
