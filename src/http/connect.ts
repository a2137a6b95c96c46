import { request } from 'node:http';
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { ImggenError } from '../errors.ts';
import { ProxyFault } from './fault.ts';

/** Of an answer's headers, in bytes. */
export const maxHeaderSize = 64 * 1024;

/** How a host is reached. */
export interface Route {
  /** The http(s) URL of a proxy, with a user name and password if it needs them. */
  proxy?: string | undefined;
  /** Looks up the names of servers, in place of the system. A proxy does that by itself. */
  lookup?: LookupFunction | undefined;
}

/**
 * Opens a connection to a URL's host, TLS included, directly or through a proxy (CONNECT). Nothing of a request is sent.
 *
 * @param signal closes the connection, as long as it lives
 * @throws ProxyFault for a failure between here and the proxy; else the error of Node
 */
export async function connect(url: URL, { proxy, lookup }: Route, signal: AbortSignal): Promise<Socket> {
  const server = proxy === undefined ? await tcp(url, signal, lookup) : await tunnel(new URL(proxy), url, signal);
  return await encrypted(server, url);
}

async function tcp({ protocol, hostname, port }: URL, signal: AbortSignal, lookup?: LookupFunction): Promise<Socket> {
  const host = withoutBrackets(hostname);
  return await ready(
    connectTcp({ host, port: portOf({ protocol, port }), signal, ...(lookup && { lookup }) }),
    'connect',
  );
}

/** The connection itself, or TLS over it, as the URL asks for. */
async function encrypted(socket: Socket, { protocol, hostname }: URL): Promise<Socket> {
  if (protocol !== 'https:') return socket;
  const { connect: connectTls } = await import('node:tls');
  const host = withoutBrackets(hostname);
  // RFC 6066 has no addresses as server names; Node would warn.
  const names = isIP(host) ? { host } : { host, servername: host };
  return await ready(connectTls({ socket, ALPNProtocols: ['http/1.1'], ...names }), 'secureConnect');
}

async function tunnel(proxy: URL, target: URL, signal: AbortSignal): Promise<Socket> {
  try {
    const socket = await encrypted(await tcp(proxy, signal), proxy);
    const status = await askFor(target, socket, proxy);
    if (status >= 200 && status < 300) return socket;
    socket.destroy();
    throw new ProxyFault(proxy.host, { status, hasPassword: proxy.password !== '' });
  } catch (error) {
    const cause: unknown = signal.aborted ? signal.reason : error;
    throw cause instanceof ProxyFault || cause instanceof ImggenError ? cause : new ProxyFault(proxy.host, { cause });
  }
}

/** Asks a proxy to connect its socket to a server; resolves with the status of its answer. */
function askFor(target: URL, socket: Socket, { username, password }: URL): Promise<number> {
  const path = `${target.hostname}:${portOf(target)}`;
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  const headers = { host: path, ...(username + password && { 'proxy-authorization': `Basic ${basic}` }) };
  return new Promise((resolve, reject) => {
    request({
      createConnection: () => socket,
      method: 'CONNECT',
      path,
      headers,
      maxHeaderSize,
      insecureHTTPParser: false,
    })
      .once('connect', ({ statusCode = 0 }, _socket, head) => {
        socket.unshift(head);
        resolve(statusCode);
      })
      .on('error', reject)
      .end();
  });
}

/** Resolves when a socket has connected. */
function ready(socket: Socket, event: 'connect' | 'secureConnect'): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket
      .once(event, () => resolve(socket))
      // It stays, so that an error while nobody else listens does not end the process.
      .on('error', reject)
      .once('close', () => reject(new Error('socket hang up')));
  });
}

function portOf({ protocol, port }: Pick<URL, 'protocol' | 'port'>): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}

function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}
