import { request } from 'node:http';
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { unescape } from 'node:querystring';
import { ImggenError } from '../errors.ts';
import { ProxyFault } from './fault.ts';

/** The limit for the headers of an answer, in bytes. */
export const maxHeaderSize = 64 * 1024;

/** How a host is reached. */
export interface Route {
  /** The http(s) URL of a proxy, with a user name and password if it needs them. */
  proxy?: string | undefined;
  /** Looks up names in place of the system; not for a proxy, which looks them up itself. */
  lookup?: LookupFunction | undefined;
}

/**
 * Connects to a URL's host, TLS included, directly or through a proxy (CONNECT). Throws ProxyFault for a failure of the
 * proxy, else the error of Node.
 *
 * @param signal closes the connection, now or later
 */
export async function connect(url: URL, { proxy, lookup }: Route, signal: AbortSignal): Promise<Socket> {
  const server = proxy === undefined ? await tcp(url, signal, lookup) : await tunnel(new URL(proxy), url, signal);
  return await encrypted(server, url);
}

async function tcp({ protocol, hostname, port }: URL, signal: AbortSignal, lookup?: LookupFunction): Promise<Socket> {
  const where = { host: withoutBrackets(hostname), port: portOf({ protocol, port }) };
  return await ready(connectTcp({ ...where, signal, ...(lookup && { lookup }) }), 'connect');
}

/** TLS over a connection if the URL asks for it. */
async function encrypted(socket: Socket, { protocol, hostname }: URL): Promise<Socket> {
  if (protocol !== 'https:') return socket;
  const { connect: connectTls } = await import('node:tls');
  const host = withoutBrackets(hostname);
  // An address is no server name (RFC 6066, 3), and Node warns of it.
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

/** Sends CONNECT to a proxy; resolves with the status of its answer. */
function askFor(target: URL, socket: Socket, { username, password }: URL): Promise<number> {
  const path = `${target.hostname}:${portOf(target)}`;
  const basic = Buffer.from(`${unescape(username)}:${unescape(password)}`).toString('base64');
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
      // This listener stays: an error without any would end the process.
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
