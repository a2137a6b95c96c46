import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { image, imageTypes, isImage } from './images.ts';

/** A request as the gateway saw it. */
export interface SeenRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** An answer by hand. In a text, `{{origin}}` is the gateway's origin, `{{host}}` its host and `{{cat.png}}` an image in base64. */
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** The body, or its pieces, which go out as chunks of their own. */
  body?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** The connection breaks off before anything was sent (`start`) or after the body (`end`), or says nothing more. */
  broken?: 'start' | 'end' | 'stalled';
  /** How the body ends: by its length (the default for one piece), by chunks, or by the end of the connection. */
  framing?: 'close';
}

/** The same answer always; one after another, and then none; or a function. */
export type Answers = Answer | readonly Answer[] | ((request: SeenRequest) => Answer | Promise<Answer>);

export interface Gateway {
  origin: string;
  /** What a client takes for the API's base URL. */
  baseUrl: string;
  requests: SeenRequest[];
  /** The bodies of the POSTs. */
  posts(): Record<string, unknown>[];
  /** The paths of all other requests. */
  gets(): string[];
}

interface Script {
  /** `POST /api/v1/image/generation`. */
  generation?: Answers;
  /** Other paths; the images of `fixtures/images` are at `/images/…` of themselves. */
  paths?: Readonly<Record<string, Answers>>;
  /** 0 takes any free one. */
  port?: number;
}

const generationPath = '/api/v1/image/generation';
const unscripted: Answer = { status: 599, body: 'the test has no answer for this' };
/** An answer that never comes. */
export const silence = (): Promise<Answer> => new Promise(() => {});

/**
 * A gateway on loopback that gives raw answers, written by hand after the gateway's document: it shares no code with the
 * client and none with the sandbox. The test fails when a request has no answer in the script.
 */
export async function gateway({ generation = [], paths = {}, port = 0 }: Script = {}): Promise<Gateway> {
  const surprises: string[] = [];
  const used = new Map<string, number>();
  const answerTo = async (request: SeenRequest): Promise<Answer> => {
    const place = `${request.method} ${request.path}`;
    const answers = place === `POST ${generationPath}` ? generation : (paths[request.path] ?? fixture(request.path));
    if (typeof answers === 'function') return await answers(request);
    if (!Array.isArray(answers)) return answers as Answer;
    const count = used.get(place) ?? 0;
    used.set(place, count + 1);
    const answer = (answers as readonly Answer[])[count];
    if (answer === undefined) surprises.push(place);
    return answer ?? unscripted;
  };
  const { close, ...api } = await serve(
    async (request, response) => await give(await answerTo(request), response, api.origin),
    port,
  );
  onTestFinished(async () => {
    await close();
    expect(surprises, 'requests without an answer in the script').toEqual([]);
  });
  return api;
}

export type Answerer = (request: SeenRequest, response: ServerResponse) => void | Promise<void>;

/**
 * A server on loopback whose answers a function writes. Its maker closes it.
 * @param port 0 takes any free one
 */
export async function serve(answer: Answerer, port = 0): Promise<Gateway & { close: () => Promise<void> }> {
  const requests: SeenRequest[] = [];
  const server = createServer(async (incoming, response) => {
    response.on('error', () => {});
    const request = await seen(incoming);
    requests.push(request);
    await answer(request, response);
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    baseUrl: `${origin}/api/v1`,
    requests,
    posts: () =>
      requests.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body) as Record<string, unknown>),
    gets: () => requests.filter(({ method }) => method !== 'POST').map(({ path }) => path),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function fixture(path: string): Answer | readonly Answer[] {
  const name = path.replace(/^\/images\//, '').replace(/\?.*$/, '');
  if (!isImage(name)) return [];
  return { headers: { 'content-type': imageTypes[name] }, body: image(name) };
}

async function seen(incoming: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const { method = '', url = '', headers } = incoming;
  return { method, path: url, headers, body: Buffer.concat(chunks).toString() };
}

async function give(
  { status = 200, headers = {}, body = '', broken, framing }: Answer,
  response: ServerResponse,
  origin: string,
): Promise<void> {
  if (broken === 'start') return void response.destroy();
  const pieces = typeof body === 'string' || body instanceof Uint8Array ? [body] : body;
  const bytes = pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(filled(piece, origin)) : piece));
  const whole = pieces === body || broken || framing ? {} : { 'content-length': String(bytes[0]?.length ?? 0) };
  if (framing === 'close') {
    response.useChunkedEncodingByDefault = false;
    response.removeHeader('transfer-encoding');
    response.shouldKeepAlive = false;
  }
  response.writeHead(status, { 'content-type': 'application/json', ...whole, ...headers });
  for (const piece of bytes) await new Promise<void>((resolve) => response.write(piece, () => resolve()));
  if (broken === 'end') response.destroy();
  if (!broken) response.end();
}

function filled(text: string, origin: string): string {
  return text
    .replaceAll('{{origin}}', origin)
    .replaceAll('{{host}}', new URL(origin).host)
    .replace(/\{\{([\w.-]+)\}\}/g, (mark, name: string) => (isImage(name) ? image(name).toString('base64') : mark));
}

/** A raw answer from `fixtures/wire`. */
export function wire(name: string): string {
  return readFileSync(new URL(`../fixtures/wire/${name}`, import.meta.url), 'utf8');
}

/** The documented answer with these URLs. */
export function documented(...urls: string[]): Answer {
  return {
    body: wire('documented.json').replace(
      '"{{origin}}/images/cat.png"',
      urls.map((url) => JSON.stringify(url)).join(', '),
    ),
  };
}

/** The documented answer with `n` images. */
export function cats(n = 1): Answer {
  return documented(...Array.from({ length: n }, () => '{{origin}}/images/cat.png'));
}
