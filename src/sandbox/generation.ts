import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerGeneration, answerPending, envelope, pendingTask } from './answers.ts';
import { readBody } from './body.ts';
import { checkRequest } from './check.ts';
import type { Context } from './context.ts';
import { gatewayRefusal, Refusal, upstreamRefusal } from './refusal.ts';
import { html, json, refused, type Reply } from './reply.ts';

/** How long the fault `pending` keeps a task pending, in milliseconds. */
const taskDelay = 500;

/** Nothing is charged for these. */
const refusalFaults = {
  reject: () =>
    upstreamRefusal(400, {
      type: 'invalid_request_error',
      code: 'content_policy_violation',
      message: 'Your request was rejected by the safety system.',
      param: 'prompt',
    }),
  '401': () => invalidKey('Incorrect API key provided.'),
  '402': () => outOfCredit(402),
  credit: () => outOfCredit(400),
  '429': () =>
    upstreamRefusal(
      429,
      { type: 'rate_limit_error', code: 'rate_limit_exceeded', message: 'Too many requests. Try again in 1 second.' },
      { 'retry-after': '1' },
    ),
  '500': () => serverError(500, 'internal_error', 'The server had an error while processing your request.'),
  '502': () => new Refusal(502, '502 Bad Gateway'),
  '503': () => serverError(503, 'overloaded', 'The engine is currently overloaded.'),
  '504': () => new Refusal(504, '504 Gateway Time-out'),
} as const;
const refusalKinds = Object.keys(refusalFaults) as (keyof typeof refusalFaults)[];

const answerFaults = [...refusalKinds, 'drop-before', 'drop-after', 'cut', 'slow', 'garbage', 'pending'] as const;

/**
 * `POST /image/generation`: checks the request, charges for it, and answers after the configured latency.
 * @param signal aborts the latency when the client is gone; what was charged stays charged
 */
export async function generate(request: IncomingMessage, context: Context, signal: AbortSignal): Promise<Reply> {
  const requestId = randomUUID();
  context.stats.requests += 1;
  let reply: Reply;
  try {
    reply = await decide(request, requestId, context);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    context.stats.rejected += 1;
    reply = refused(error, requestId);
  }
  if (context.latency > 0) await sleep(context.latency, undefined, { signal });
  return reply;
}

async function decide(request: IncomingMessage, requestId: string, context: Context): Promise<Reply> {
  const started = Date.now();
  const text = await readBody(request);
  checkKey(request);
  checkContentType(request);
  const checked = checkRequest(text);

  const fault = context.faults.strike(answerFaults);
  if (isRefusal(fault)) throw refusalFaults[fault]();
  if (fault === 'drop-before') return dropped;

  context.stats.charged.generations += 1;
  context.stats.charged.images += checked.n;
  if (fault === 'drop-after') return dropped;
  if (fault === 'garbage') return html(200, 'Welcome');
  const generation = { request: checked, requestId, taskId: randomUUID(), started };
  if (fault === 'pending') return answerPending(generation, taskDelay, context);
  return { ...(await answerGeneration(generation, context)), delivery: fault };
}

/**
 * `GET /tasks/<id>`: how a task goes that was answered as pending. The document has no such endpoint; the URL is
 * `<base URL>/tasks/{task_id}`.
 * @throws {Refusal} 401 without a key, 404 unknown
 */
export function queryTask(request: IncomingMessage, id: string, context: Context): Reply {
  checkKey(request);
  const task = context.tasks.get(id);
  if (!task) throw gatewayRefusal('notFound', `there is no task ${id}`);
  return json(200, envelope(randomUUID(), Date.now() < task.ready ? pendingTask(id) : task.data));
}

const dropped: Reply = { status: 0, headers: {}, body: [], delivery: 'drop' };

function isRefusal(fault: string | undefined): fault is keyof typeof refusalFaults {
  return fault !== undefined && Object.hasOwn(refusalFaults, fault);
}

/** The document: "Authorization: Bearer sk-xxxxxx". Any key is good. */
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
  return upstreamRefusal(401, { type: 'invalid_request_error', code: 'invalid_api_key', message });
}

function outOfCredit(status: number): Refusal {
  const message = 'Your credit is not sufficient for this request.';
  return upstreamRefusal(status, { type: 'invalid_request_error', code: 'insufficient_credit', message });
}

function serverError(status: number, code: string, message: string): Refusal {
  return upstreamRefusal(status, { type: 'server_error', code, message });
}
