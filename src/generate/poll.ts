import { ImggenError } from '../errors.ts';
import type { Values } from '../options/settings.ts';
import { Heard } from '../dialects/decode.ts';
import type { Dialect } from '../dialects/dialect.ts';
import type { Reply } from '../dialects/types.ts';
import { type AnswerReceiver, decoding } from './receive.ts';
import type { Services } from './services.ts';

/** Between two questions after a task, in milliseconds; each wait is half as long again, up to the last. */
const firstWaitMs = 1000;
const longestWaitMs = 10_000;

/**
 * Asks for a pending task at `taskUrl` until it is over or --timeout has passed; then the reply is still pending.
 * A question that fails on the way is asked again. Throws the refusal that a failed task ends in.
 */
export async function pollTask(
  pending: Reply,
  dialect: Dialect,
  { taskUrl, timeout }: Values,
  receiver: AnswerReceiver,
  services: Services,
): Promise<Reply> {
  if (taskUrl === undefined || pending.taskId === null) return pending;
  const { http, apiKey, progress } = services;
  const url = taskUrl.replaceAll('{task_id}', encodeURIComponent(pending.taskId));
  const deadline = Date.now() + timeout * 1000;
  progress.step(`waiting for task ${pending.taskId}`);
  let reply = pending;
  for (
    let waitMs = firstWaitMs;
    reply.pending && Date.now() + waitMs < deadline;
    waitMs = Math.min(waitMs * 1.5, longestWaitMs)
  ) {
    await http.wait(waitMs);
    try {
      const key = await apiKey();
      await receiver.discard();
      const answer = await http.get(
        url,
        { authorization: `Bearer ${key.reveal()}` },
        { redirects: 0, timeoutMs: deadline - Date.now() },
      );
      reply = { ...(await dialect.decode(answer, decoding(receiver, services), new Heard())), taskId: pending.taskId };
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
  }
  return reply;
}

/** An answer that is not the API's points to a wrong `taskUrl`, which waiting does not mend. */
function isPassing(error: unknown): boolean {
  return error instanceof ImggenError && error.repeatable && error.code !== 'bad_answer';
}
