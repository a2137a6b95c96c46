import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { proxyFor } from '../../src/http/proxies.ts';
import { documented, gateway } from '../support/gateway.ts';
import { imggen, testKey } from '../support/imggen.ts';
import { localhostPem, localhostTls, proxyTo, tcp } from '../support/puppet.ts';

/** A run whose API is behind a proxy that answers each CONNECT like this; `asked` has what the proxy was sent. */
async function behind(answer: (socket: Socket) => void, user = '', retries = 1) {
  const asked: string[] = [];
  const port = await tcp((socket) => {
    socket.once('data', (bytes) => {
      asked.push(bytes.toString());
      answer(socket);
    });
  });
  const env = {
    HTTPS_PROXY: `http://${user}127.0.0.1:${port}`,
    IMGGEN_BASE_URL: 'https://gateway.example/api/v1',
    IMGGEN_API_KEY: testKey,
  };
  const { exit, stderr } = await imggen(['a cat', '--timeout', '5', '--retries', String(retries)], { env });
  return { exit, stderr: stderr.replaceAll(String(port), 'PORT'), asked };
}

describe('a proxy that', () => {
  test('closes the connection is tried once, and once more for each of --retries', async () => {
    const { exit, stderr, asked } = await behind((socket) => socket.end());
    expect({ exit, tries: asked.length }).toEqual({ exit: 6, tries: 2 });
    expect(stderr).toContain(
      'error: cannot connect to the proxy 127.0.0.1:PORT\ncause: the proxy closed the connection',
    );
    expect(stderr).toContain('nothing was sent');
  });

  test('does not speak HTTP is named, and not the API', async () => {
    const { exit, stderr, asked } = await behind((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    expect({ exit, tries: asked.length }).toEqual({ exit: 6, tries: 1 });
    expect(stderr).toContain('error: the answer of the proxy 127.0.0.1:PORT is not proper HTTP');
  });

  test.each([
    ['', 'cause: it asks for a user name and a password (HTTP 407)'],
    ['ada:s%3Acret@', 'cause: it does not accept this user name and password (HTTP 407)'],
  ])('wants a password, and got "%s", is asked once', async (user, cause) => {
    const refusal = 'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n';
    const { exit, stderr, asked } = await behind((socket) => socket.end(refusal), user);
    expect({ exit, tries: asked.length }).toEqual({ exit: 6, tries: 1 });
    expect(stderr).toContain(`error: the proxy 127.0.0.1:PORT refused to connect to gateway.example\n${cause}`);
    expect(stderr).toContain('hint: HTTPS_PROXY=http://user:password@host:port');
    expect(stderr).not.toContain('cret');
    const sent = /proxy-authorization: Basic (\S+)/i.exec(asked[0] ?? '')?.[1] ?? '';
    expect(Buffer.from(sent, 'base64').toString()).toBe(user && 'ada:s:cret');
  });

  test.each([
    [403, 1],
    [502, 2],
  ])('answers %d is asked %d times with --retries 1', async (status, tries) => {
    const { exit, stderr, asked } = await behind((socket) => socket.end(`HTTP/1.1 ${status} No\r\n\r\n`));
    expect({ exit, tries: asked.length }).toEqual({ exit: 6, tries });
    expect(stderr).toContain(`refused to connect to gateway.example\ncause: it answered HTTP ${status}`);
  });

  test('is reached by https: leads to the API, and nothing of Node is on stderr', async () => {
    const api = await gateway({ generation: documented('http://1.2.3.4/images/cat.png') });
    const { url } = await proxyTo(api.origin, localhostTls());
    const env = {
      HTTP_PROXY: url.replace('//', '//ada:100%@'),
      IMGGEN_BASE_URL: 'http://1.2.3.4/api/v1',
      IMGGEN_API_KEY: testKey,
      IMGGEN_ALLOW_INSECURE: 'true',
    };
    const { exit, stderr } = await imggen(['a cat'], { env: { ...env, NODE_EXTRA_CA_CERTS: localhostPem } });
    expect(exit, stderr).toBe(0);
    expect(stderr).not.toContain('Warning');
    const untrusted = await imggen(['a cat', '--retries', '0'], { env });
    expect(untrusted.exit).toBe(6);
    expect(untrusted.stderr).toContain('error: no secure connection to the proxy 127.0.0.1:');
  });
});

test.each(['directly', 'through a proxy'])(
  'https: to a port of plain HTTP, %s, is named in plain words',
  async (way) => {
    const api = await gateway();
    const url = way === 'directly' ? new URL(api.origin).host : '1.2.3.4';
    const env = {
      HTTPS_PROXY: (await proxyTo(api.origin)).url,
      IMGGEN_BASE_URL: `https://${url}/api/v1`,
      IMGGEN_API_KEY: testKey,
    };
    const { exit, stderr } = await imggen(['a cat'], { env });
    expect(exit).toBe(6);
    expect(stderr).toContain(`error: no secure connection to ${url}\ncause: it does not speak TLS at this port\n`);
    expect(stderr).toContain('hint: check the port; if it speaks plain HTTP, write http: in its URL');
    expect(stderr).not.toMatch(/SSL|NODE_EXTRA_CA_CERTS/);
  },
);

test.each([
  ['', 'http://a.example/ http://x.a.example/ http://port.example:8080/ https://tls.example/ http://dot.example/'],
  ['', 'http://x.star.example/ http://10.0.0.1/ http://[2001:db8::1]/ http://localhost/ http://127.0.0.1/'],
  ['http', 'http://b.example/ http://xa.example/ http://port.example/ http://tls.example/'],
  ['https', 'https://b.example/'],
])('with NO_PROXY, the proxy "%s" is that of %s', (proxy, urls) => {
  const noProxy = 'A.example, port.example:8080,tls.example:443 .dot.example,*.star.example,10.0.0.1,[2001:db8::1]';
  for (const url of urls.split(' ')) {
    expect(proxyFor(url, { httpProxy: 'http', httpsProxy: 'https', noProxy }), url).toBe(proxy || undefined);
    expect(proxyFor(url, { httpProxy: 'http', httpsProxy: '', noProxy: '*' }), url).toBeUndefined();
  }
});

test('https without a proxy of its own takes the other, and not the other way round', () => {
  expect(proxyFor('https://a.example/', { httpProxy: 'http', httpsProxy: '', noProxy: '' })).toBe('http');
  expect(proxyFor('http://a.example/', { httpProxy: '', httpsProxy: 'https', noProxy: '' })).toBeUndefined();
});
