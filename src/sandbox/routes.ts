import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Context } from './context.ts';
import { download } from './downloads.ts';
import { generate, queryTask } from './generation.ts';
import { gatewayRefusal, Refusal } from './refusal.ts';
import { json, type Reply } from './reply.ts';

/** The path of the gateway's base URL. */
export const apiPath = '/api/v1';

/** A new API is a row here, with a check of its requests and replies of its own. */
interface Route {
  methods: readonly string[];
  /** Matches the whole path; its group is the name of the image or task. */
  path: RegExp;
  answer(request: IncomingMessage, context: Context, signal: AbortSignal, name: string): Reply | Promise<Reply>;
}

const routes: readonly Route[] = [
  {
    methods: ['POST'],
    path: new RegExp(`^${apiPath}/image/generation$`),
    answer: generate,
  },
  {
    methods: ['GET'],
    path: new RegExp(`^${apiPath}/tasks/([^/]+)$`),
    answer: (request, context, _signal, name) => queryTask(request, name, context),
  },
  {
    methods: ['GET', 'HEAD'],
    path: /^\/images\/([^/]+)$/,
    answer: (request, context, _signal, name) => download(request, name, context),
  },
  {
    methods: ['GET'],
    path: /^\/sandbox\/stats$/,
    answer: (_request, { stats }) => json(200, stats),
  },
];

/**
 * Answers a request by the row that its path and method match; a refusal becomes a reply here.
 * @param signal aborts when the client is gone
 */
export async function route(request: IncomingMessage, context: Context, signal: AbortSignal): Promise<Reply> {
  try {
    const [path = ''] = (request.url ?? '').split('?');
    const found = routes.find((candidate) => candidate.path.test(path));
    if (!found) throw gatewayRefusal('notFound', `there is nothing at ${path}`);
    const { methods, answer } = found;
    if (!methods.includes(request.method ?? '')) {
      throw gatewayRefusal('wrongMethod', `${path} takes ${methods.join(', ')}`, { allow: methods.join(', ') });
    }
    return await answer(request, context, signal, found.path.exec(path)?.[1] ?? '');
  } catch (error) {
    if (error instanceof Refusal) return error.reply(randomUUID());
    throw error;
  }
}
