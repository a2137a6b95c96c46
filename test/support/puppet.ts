import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { type Duplex, Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type Answerer, type Gateway, serve } from './gateway.ts';

/**
 * A server on loopback whose answers a test gives by hand, piece by piece: for failures in the middle of one.
 * `imggen(…, { gateway })` takes it as a gateway.
 */
export async function puppet(answer: Answerer): Promise<Gateway> {
  const { close, ...api } = await serve(answer);
  onTestFinished(close);
  return api;
}

/** A TCP server on loopback; its port. */
export async function tcp(accept: (socket: Socket) => void = () => {}): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    accept(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Something that one side waits for and the other lets happen. */
export function event(): { happen: () => void; happened: Promise<void> } {
  let happen = (): void => {};
  const happened = new Promise<void>((resolve) => {
    happen = resolve;
  });
  return { happen, happened };
}

/** Resolves when something is so; the test's own time limit ends a vain wait. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await after(10);
}

/** Resolves after so many milliseconds. */
export function after(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** The certificate and key of localhost, which only NODE_EXTRA_CA_CERTS makes good. */
export const localhostPem = fileURLToPath(new URL('../fixtures/tls/localhost.pem', import.meta.url));

/** The options of a TLS server on localhost. */
export function localhostTls(): { key: Buffer; cert: Buffer } {
  const both = readFileSync(localhostPem);
  return { key: both, cert: both };
}

/** A proxy on loopback that leads every connection to one server, for any host; `https:` when `tls` is given. */
export async function proxyTo(
  origin: string,
  tls?: { key: Buffer; cert: Buffer },
): Promise<{ url: string; hosts: string[] }> {
  const hosts: string[] = [];
  const { port } = new URL(origin);
  const proxy = tls ? createSecureServer(tls) : createServer();
  const sockets = new Set<Duplex>();
  proxy.on('connect', ({ url = '' }: IncomingMessage, socket: Socket) => {
    hosts.push(url);
    const onward = connect(Number(port), '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    for (const [end, other] of [
      [socket, onward],
      [onward, socket],
    ] as [Socket, Socket][]) {
      sockets.add(end);
      end.on('error', () => other.resetAndDestroy());
    }
    socket.pipe(onward).pipe(socket);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.closeAllConnections();
    proxy.close();
  });
  return { url: `${tls ? 'https' : 'http'}://127.0.0.1:${(proxy.address() as AddressInfo).port}`, hosts };
}

/** Writes the same piece until the reader is gone, as fast as it reads. */
export async function endlessly(response: Writable, piece: string | Uint8Array): Promise<void> {
  const pieces = function* () {
    for (;;) yield piece;
  };
  await pipeline(Readable.from(pieces()), response).catch(() => {});
}
