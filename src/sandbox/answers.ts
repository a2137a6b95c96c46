import { randomUUID } from 'node:crypto';
import type { CheckedRequest } from './check.ts';
import { type Context, keep } from './context.ts';
import { json, type Reply } from './reply.ts';
import type { Recipe } from './scene.ts';

/** A generation that was charged. */
interface Generation {
  request: CheckedRequest;
  requestId: string;
  taskId: string;
  /** When it began, in milliseconds since 1970. */
  started: number;
}

/** How long a task is kept, in milliseconds. */
const taskLifetime = 3_600_000;

/** Answers a generation in the shape that the request asks for, else in the configured one. */
export async function answerGeneration(generation: Generation, context: Context): Promise<Reply> {
  const { request, requestId } = generation;
  if (request.stream) return streamed(generation, await paintAll(request, context));
  const inGateway = (urls: string[]) => json(200, envelope(requestId, succeeded(generation, urls, context)));
  switch (request.base64 ? 'b64_json' : context.answer) {
    case 'url':
      return inGateway(publishAll(generation, context));
    case 'data-uri': {
      const images = await paintAll(request, context);
      return inGateway(images.map((image) => `data:image/${request.frame.format};base64,${image}`));
    }
    case 'openai-url':
      return json(200, openAi(generation, 'url', publishAll(generation, context)));
    case 'b64_json':
      return json(200, openAi(generation, 'b64_json', await paintAll(request, context)));
  }
}

/**
 * Answers with a task instead of images, and keeps its result for later.
 * @param delay until the task is over, in milliseconds
 */
export function answerPending(generation: Generation, delay: number, context: Context): Reply {
  const data = succeeded(generation, publishAll(generation, context), context);
  keep(context.tasks, generation.taskId, { ready: Date.now() + delay, data }, taskLifetime);
  return json(200, envelope(generation.requestId, pendingTask(generation.taskId)));
}

/** The `data` of a task that is not over. */
export function pendingTask(taskId: string): Record<string, unknown> {
  return { urls: [], task_id: taskId, task_status: 'pending' };
}

/** The gateway's envelope around any `data`. */
export function envelope(requestId: string, data: unknown): Record<string, unknown> {
  return { code: 0, data, message: 'success', request_id: requestId };
}

function succeeded({ request, taskId, started }: Generation, urls: string[], { lifetime }: Context) {
  const seconds = Math.round((Date.now() - started) / 1000);
  return {
    urls,
    usage: { images: urls.length, seconds, ...tokensOf(request, request.n) },
    expired: new Date(started + lifetime).toISOString(),
    task_id: taskId,
    task_status: 'succeeded',
  };
}

function openAi({ request, started }: Generation, key: 'url' | 'b64_json', images: string[]) {
  const data = images.map((image) => ({ [key]: image }));
  return { created: Math.floor(started / 1000), data, usage: tokensOf(request, request.n) };
}

/** Server-sent events, one for each image: the gateway's dialect has no partial images. */
function streamed({ request, started }: Generation, images: string[]): Reply {
  const type = 'image_generation.completed';
  const events = images.map((image) => {
    const event = {
      type,
      b64_json: image,
      created_at: Math.floor(started / 1000),
      size: `${request.frame.width}x${request.frame.height}`,
      output_format: request.frame.format,
      usage: tokensOf(request, 1),
    };
    return `event: ${type}\ndata: ${JSON.stringify(event)}\n\n`;
  });
  const body = Buffer.from(`${events.join('')}data: [DONE]\n\n`);
  return { status: 200, headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }, body };
}

/** Invented counts of a plausible order: four characters a token, and more for larger images. */
function tokensOf({ prompt, frame }: CheckedRequest, images: number): Record<string, number> {
  const input = Math.ceil([...prompt].length / 4);
  const output = images * Math.round((frame.width * frame.height) / 1024);
  return { input_tokens: input, total_tokens: input + output, output_tokens: output };
}

/** Gives each image a URL. The fault `expired` lets one expire at once. */
function publishAll({ request, started }: Generation, { origin, images, faults, lifetime }: Context): string[] {
  return recipesOf(request).map((recipe) => {
    const name = `${randomUUID()}.${recipe.format}`;
    const expires = faults.strike(['expired']) ? started : started + lifetime;
    // A URL is known to have expired for as long again.
    keep(images, name, { recipe, expires }, 2 * lifetime);
    return `${origin}/images/${name}`;
  });
}

/** The images in base64. */
function paintAll(request: CheckedRequest, { paint }: Context): Promise<string[]> {
  return Promise.all(recipesOf(request).map(async (recipe) => (await paint(recipe)).toString('base64')));
}

function recipesOf({ prompt, n, frame }: CheckedRequest): Recipe[] {
  return Array.from({ length: n }, (_, index) => ({ prompt, index, ...frame }));
}
