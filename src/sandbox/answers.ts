import type { CheckedRequest } from './check.ts';
import type { AnswerShape, Context } from './context.ts';
import type { Recipe } from './recipe.ts';
import { json, type Part, type Reply, sized } from './reply.ts';

/** A generation that was charged and is to be answered. */
interface Generation {
  request: CheckedRequest;
  requestId: string;
  taskId: string;
  /** When it began, in milliseconds since 1970. */
  started: number;
}

/** The answer to a generation, in the shape that is configured or that the request asks for. */
export async function answerGeneration(generation: Generation, context: Context): Promise<Reply> {
  const { request } = generation;
  if (request.stream) return streamed(generation, await paintAll(request, context));
  const shape: AnswerShape = request.base64 ? 'b64_json' : context.answer;
  switch (shape) {
    case 'url':
      return json(200, envelope(generation.requestId, succeeded(generation, publishAll(generation, context), context)));
    case 'data-uri': {
      const urls = Array<string>(request.n).fill(`data:image/${request.format};base64,${imageMark}`);
      const answer = JSON.stringify(envelope(generation.requestId, succeeded(generation, urls, context)));
      return sized(200, 'application/json', withImages(answer, await paintAll(request, context)));
    }
    case 'openai-url':
      return json(
        200,
        openAi(
          generation,
          publishAll(generation, context).map((url) => ({ url })),
        ),
      );
    case 'b64_json': {
      const answer = JSON.stringify(
        openAi(
          generation,
          Array.from({ length: request.n }, () => ({ b64_json: imageMark })),
        ),
      );
      return sized(200, 'application/json', withImages(answer, await paintAll(request, context)));
    }
  }
}

/**
 * Answers with a task instead of images (NOTES, `task_status` with no URLs), and remembers what it will have made.
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

/** The document's envelope, around any `data`. */
export function envelope(requestId: string, data: unknown): Record<string, unknown> {
  return { code: 0, data, message: 'success', request_id: requestId };
}

function succeeded(generation: Generation, urls: string[], { lifetime }: Context): Record<string, unknown> {
  const tokens = tokensOf(generation.request, generation.request.n);
  return {
    urls,
    usage: { images: urls.length, seconds: Math.round((Date.now() - generation.started) / 1000), ...tokens },
    expired: new Date(generation.started + lifetime).toISOString(),
    task_id: generation.taskId,
    task_status: 'succeeded',
  };
}

function openAi({ request, started }: Generation, data: unknown[]): Record<string, unknown> {
  return { created: Math.floor(started / 1000), data, usage: tokensOf(request, request.n) };
}

/** Server-sent events as NOTES has them. The gateway's dialect has no partial images, so each image is one event. */
function streamed({ request, started }: Generation, images: Buffer[]): Reply {
  const event = {
    type: 'image_generation.completed',
    b64_json: imageMark,
    created_at: Math.floor(started / 1000),
    size: `${request.width}x${request.height}`,
    output_format: request.format,
    usage: tokensOf(request, 1),
  };
  const frame = `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
  const body = withImages(`${frame.repeat(images.length)}data: [DONE]\n\n`, images);
  return { status: 200, headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }, body };
}

/** Invented, but of the right order and the same every time: four characters a token, and more for larger images. */
function tokensOf({ prompt, width, height }: CheckedRequest, images: number): Record<string, number> {
  const input = Math.ceil([...prompt].length / 4);
  const output = images * Math.round((width * height) / 1024);
  return { input_tokens: input, total_tokens: input + output, output_tokens: output };
}

function publishAll({ request, started }: Generation, { library, faults, lifetime }: Context): string[] {
  return recipesOf(request).map((recipe) => {
    const expired = faults.strike(['expired']) !== undefined;
    return library.publish(recipe, expired ? started : started + lifetime);
  });
}

function paintAll(request: CheckedRequest, { paint }: Context): Promise<Buffer[]> {
  return Promise.all(recipesOf(request).map(paint));
}

function recipesOf({ prompt, n, width, height, format, transparent, compression }: CheckedRequest): Recipe[] {
  return Array.from({ length: n }, (_, index) => ({ prompt, index, width, height, format, transparent, compression }));
}

/** Stands in a text where the base64 of the next image belongs; no answer repeats the client's words. */
const imageMark = '<image>';

function withImages(text: string, images: readonly Buffer[]): Part[] {
  return text.split(imageMark).flatMap((piece, index) => {
    const image = images[index];
    return image ? [piece, { base64: image }] : [piece];
  });
}
