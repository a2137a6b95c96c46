import { randomUUID } from 'node:crypto';
import type { CheckedRequest } from './check.ts';
import type { Context } from './context.ts';
import { json, type Part, type Reply, sized } from './reply.ts';
import type { Recipe } from './scene.ts';

/** A generation that was charged. */
interface Generation {
  request: CheckedRequest;
  requestId: string;
  taskId: string;
  /** When it began, in milliseconds since 1970. */
  started: number;
}

/** Answers a generation in the shape that the request asks for, else in the configured one. */
export async function answerGeneration(generation: Generation, context: Context): Promise<Reply> {
  const { request, requestId } = generation;
  const { n, frame } = request;
  const inGateway = (urls: string[]) => envelope(requestId, succeeded(generation, urls, context));
  if (request.stream) return streamed(generation, await paintAll(request, context));
  switch (request.base64 ? 'b64_json' : context.answer) {
    case 'url':
      return json(200, inGateway(publishAll(generation, context)));
    case 'openai-url':
      return json(200, openAi(generation, 'url', publishAll(generation, context)));
    case 'data-uri': {
      const urls = Array<string>(n).fill(`data:image/${frame.format};base64,${imageMark}`);
      return withImages(inGateway(urls), await paintAll(request, context));
    }
    case 'b64_json': {
      const marks = Array<string>(n).fill(imageMark);
      return withImages(openAi(generation, 'b64_json', marks), await paintAll(request, context));
    }
  }
}

/**
 * Answers with a task instead of images, and keeps its result for later.
 * @param delay until the task is over, in milliseconds
 */
export function answerPending(generation: Generation, delay: number, context: Context): Reply {
  const data = succeeded(generation, publishAll(generation, context), context);
  context.tasks.put(generation.taskId, { ready: Date.now() + delay, data });
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

function succeeded(
  { request, taskId, started }: Generation,
  urls: string[],
  { lifetime }: Context,
): Record<string, unknown> {
  const seconds = Math.round((Date.now() - started) / 1000);
  return {
    urls,
    usage: { images: urls.length, seconds, ...tokensOf(request, request.n) },
    expired: new Date(started + lifetime).toISOString(),
    task_id: taskId,
    task_status: 'succeeded',
  };
}

function openAi({ request, started }: Generation, key: 'url' | 'b64_json', images: string[]): Record<string, unknown> {
  const data = images.map((image) => ({ [key]: image }));
  return { created: Math.floor(started / 1000), data, usage: tokensOf(request, request.n) };
}

/** Server-sent events, one for each image: the gateway's dialect has no partial images. */
function streamed({ request, started }: Generation, images: Buffer[]): Reply {
  const event = {
    type: 'image_generation.completed',
    b64_json: imageMark,
    created_at: Math.floor(started / 1000),
    size: `${request.frame.width}x${request.frame.height}`,
    output_format: request.frame.format,
    usage: tokensOf(request, 1),
  };
  const frame = `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
  const body = filled(`${frame.repeat(images.length)}data: [DONE]\n\n`, images);
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
    images.put(name, { recipe, expires });
    return `${origin}/images/${name}`;
  });
}

function paintAll(request: CheckedRequest, { paint }: Context): Promise<Buffer[]> {
  return Promise.all(recipesOf(request).map(paint));
}

function recipesOf({ prompt, n, frame }: CheckedRequest): Recipe[] {
  return Array.from({ length: n }, (_, index) => ({ prompt, index, ...frame }));
}

/** Holds the place of an image's base64 in a text. No answer repeats the client's words, so the mark is unique. */
const imageMark = '<image>';

function withImages(answer: Record<string, unknown>, images: readonly Buffer[]): Reply {
  return sized(200, 'application/json', filled(JSON.stringify(answer), images));
}

function filled(text: string, images: readonly Buffer[]): Part[] {
  return text.split(imageMark).flatMap((piece, index) => {
    const image = images[index];
    return image ? [piece, { base64: image }] : [piece];
  });
}
