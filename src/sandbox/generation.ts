import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerGeneration, answerPending, envelope, pendingTask } from './answers.ts';
import { checkRequest } from './check.ts';
import type { Context } from './context.ts';
import { gatewayRefusal, Refusal, upstreamRefusal } from './refusal.ts';
import { dropped, html, json, type Reply } from './reply.ts';

/** How long the fault `pending` keeps a task pending, in milliseconds. */
const taskDelay = 500;

/** The largest body, in bytes: the longest prompt, every character an escaped surrogate pair, twice. */
const bodyLimit = 1_000_000;

/** Faults that refuse the request; nothing is charged. */
const refusals = {
  reject: upstreamRefusal(400, 'content_policy_violation', 'Your request was rejected by the safety system.', 'prompt'),
  '401': invalidKey('Incorrect API key provided.'),
  '402': upstreamRefusal(402, 'insufficient_credit', 'Your credit is not sufficient for this request.'),
  credit: upstreamRefusal(400, 'insufficient_credit', 'Your credit is not sufficient for this request.'),
  '429': upstreamRefusal(429, 'rate_limit_exceeded', 'Too many requests. Try again in 1 second.'),
  '500': upstreamRefusal(500, 'internal_error', 'The server had an error while processing your request.'),
  '502': new Refusal(502, '502 Bad Gateway'),
  '503': upstreamRefusal(503, 'overloaded', 'The engine is currently overloaded.'),
  '504': new Refusal(504, '504 Gateway Time-out'),
} as const;
const refusalFaults = Object.keys(refusals) as (keyof typeof refusals)[];
const chargedFaults = ['drop-after', 'cut', 'slow', 'garbage', 'pending'] as const;

/**
 * `POST /image/generation`: checks the request, charges for it, and answers after the configured latency.
 * @param signal aborts when the client is gone and ends the latency; what was charged stays charged
 */
export async function generate(request: IncomingMessage, context: Context, signal: AbortSignal): Promise<Reply> {
  const requestId = randomUUID();
  context.stats.requests += 1;
  const reply = await decide(request, requestId, context).catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error;
    context.stats.rejected += 1;
    return error.reply(requestId);
  });
  if (context.latency > 0) await sleep(context.latency, undefined, { signal });
  return reply;
}

async function decide(request: IncomingMessage, requestId: string, context: Context): Promise<Reply> {
  const started = Date.now();
  const text = await readBody(request);
  checkKey(request);
  checkContentType(request);
  const checked = checkRequest(text);

  const fault = context.faults.strike([...refusalFaults, 'drop-before', ...chargedFaults]);
  if (fault === 'drop-before') return dropped;
  if (fault !== undefined && fault in refusals) throw refusals[fault as keyof typeof refusals];

  context.stats.charged.generations += 1;
  context.stats.charged.images += checked.n;
  const generation = { request: checked, requestId, taskId: randomUUID(), started };
  if (fault === 'drop-after') return dropped;
  if (fault === 'garbage') return html(200, 'Welcome');
  if (fault === 'pending') return answerPending(generation, taskDelay, context);
  const reply = await answerGeneration(generation, context);
  return fault === 'cut' || fault === 'slow' ? { ...reply, delivery: fault } : reply;
}

/**
 * `GET /tasks/<id>`: the state of a task. The gateway's document has no such endpoint; its URL here is
 * `<base URL>/tasks/{task_id}`.
 * @throws {Refusal} 401 without a key, 404 unknown
 */
export function queryTask(request: IncomingMessage, id: string, context: Context): Reply {
  checkKey(request);
  const task = context.tasks.get(id);
  if (!task) throw gatewayRefusal('notFound', `there is no task ${id}`);
  return json(200, envelope(randomUUID(), Date.now() < task.ready ? pendingTask(id) : task.data));
}

/** Reads to the end even beyond the limit: a client that still writes would not see the answer. */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= bodyLimit) chunks.push(chunk);
  }
  if (length > bodyLimit) throw gatewayRefusal('tooLarge', `the body is longer than ${bodyLimit} bytes`);
  return Buffer.concat(chunks).toString();
}

/** Any key is good. */
function checkKey({ headers }: IncomingMessage): void {
  if (headers.authorization === undefined) throw invalidKey('You did not provide an API key.');
  if (!/^Bearer \S+$/.test(headers.authorization)) throw invalidKey('The Authorization header is not "Bearer <key>".');
}

function checkContentType({ headers }: IncomingMessage): void {
  const [type = ''] = (headers['content-type'] ?? '').split(';');
  if (type.trim().toLowerCase() === 'application/json') return;
  throw gatewayRefusal('wrongType', 'the Content-Type must be application/json');
}

function invalidKey(message: string): Refusal {
  return upstreamRefusal(401, 'invalid_api_key', message);
}
