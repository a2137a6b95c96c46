import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf, usageError } from '../errors.ts';
import type { AnswerShape, Context, SandboxStats } from './context.ts';
import { type Fault, FaultPlan } from './faults.ts';
import { loadPainter } from './picture.ts';
import { deliver, json } from './reply.ts';
import { apiPath, route } from './routes.ts';

export interface SandboxOptions {
  /** 0, the default, takes any free one. */
  port?: number;
  /** Before each answer to a generation, in milliseconds. */
  latency?: number;
  /** How an answer carries its images; by default as documented. */
  answer?: AnswerShape;
  faults?: readonly Fault[];
  /** The same seed and requests give the same strikes of the faults. */
  seed?: number;
  /** How long the URLs of images work, in seconds; by default the document's hour. */
  expires?: number;
}

export interface Sandbox {
  /** The base URL for a client: `http://127.0.0.1:PORT/api/v1`. */
  baseUrl: string;
  /** The counts at this moment. */
  stats(): SandboxStats;
  /** Ends every connection and stops listening; again is harmless. */
  close(): Promise<void>;
}

/**
 * Starts the gateway's emulator on the loopback interface.
 * @throws {ImggenError} `usage`: sharp is not installed, or the port is not available
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { port = 0, latency = 0, answer = 'url', faults = [], seed = 1, expires = 3600 } = options;
  const paint = await loadPainter();
  const server = createServer();
  const origin = await listen(server, port);

  const stats: SandboxStats = {
    requests: 0,
    charged: { generations: 0, images: 0 },
    rejected: 0,
    downloads: 0,
    faults: {},
  };
  const context: Context = {
    origin,
    answer,
    latency,
    lifetime: expires * 1000,
    faults: new FaultPlan(faults, seed, stats.faults),
    stats,
    images: new Map(),
    tasks: new Map(),
    paint,
  };
  server.on('request', (request, response) => void serve(request, response, context));
  return {
    baseUrl: origin + apiPath,
    stats: () => structuredClone(stats),
    close: () => close(server),
  };
}

function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      const message = `the sandbox cannot listen on port ${port}: ${messageOf(error)}`;
      reject(usageError(message, 'choose another port, or 0 for any free one'));
    };
    server.once('error', fail);
    try {
      server.listen(port, '127.0.0.1', () => {
        server.off('error', fail);
        resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      });
    } catch (error) {
      fail(error); // a number that is no port at all
    }
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Answers one request. A client that disconnects ends its own request and nothing else. */
async function serve(request: IncomingMessage, response: ServerResponse, context: Context): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  // The client may be gone: a failed write is no failure of the server, and 'close' ends the work.
  response.on('error', () => {});
  const reply = await route(request, context, gone.signal).catch((error: unknown) =>
    json(500, { code: 50000, message: `the sandbox failed: ${messageOf(error)}` }),
  );
  await deliver(reply, response, gone.signal).catch(() => response.destroy());
}
