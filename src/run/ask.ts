import { type ErrorCode, ImggenError } from '../errors.ts';
import type { RunLog } from '../journal/run-log.ts';
import type { Answered, JournalSource } from '../journal/types.ts';
import type { Values } from '../options/settings.ts';
import type { ImageSource, Reply } from '../wire/types.ts';
import { decodeAnswer } from './decode.ts';
import type { Plan } from './plan.ts';
import { pollTask } from './poll.ts';
import type { AnswerReceiver, ReceivedBlob } from './receive.ts';
import type { Services } from './services.ts';

/** Failures by which it is known that nothing was generated. Any other, after the request had left, says nothing. */
const surelyNot: readonly ErrorCode[] = [
  'key_refused',
  'rejected',
  'task_failed',
  'out_of_credit',
  'rate_limited',
  'unavailable',
  'not_the_api',
];

/**
 * The part of a run that costs money: the POST and its answer. When it returns, the journal has the answer, and the
 * images that stood in it are on the disk. When it throws, the journal says whether the generation may have happened,
 * and has every image that had arrived whole.
 */
export async function ask(plan: Plan, values: Values, receiver: AnswerReceiver, log: RunLog, services: Services): Promise<void> {
  const { http, progress, key } = services;
  const { n, model } = plan.request;
  progress.step(`generating ${n === 1 ? 'an image' : `${n} images`} with ${model}`);
  let sent = false;
  try {
    const answer = await http.post(
      plan.dialect.endpoint(values.baseUrl),
      { authorization: `Bearer ${key?.reveal()}`, 'content-type': 'application/json' },
      JSON.stringify(plan.body),
      {
        timeoutMs: values.timeout * 1000,
        retries: values.retries,
        retryUnknown: values.retryUnknown,
        onSent: (isSent) => {
          sent = isSent;
        },
      },
    );
    const reply = await decodeAnswer(answer, receiver, services);
    recordAnswer(reply, receiver, log);
    if (reply.pending) recordAnswer(await pollTask(reply, values, receiver, services), receiver, log);
  } catch (error) {
    if (log.run.answered === null) recordFailure(error, sent, receiver, log);
    throw withWayOut(error, log);
  }
}

/** Puts what the API said into the journal, and which part file each of its images is in. */
export function recordAnswer({ images, ...reply }: Reply, receiver: AnswerReceiver, log: RunLog): void {
  const received = images.map((image) => (image.kind === 'inline' ? receiver.take(image.blob) : undefined));
  log.add({ type: 'answered', ...reply, sources: images.map((image, k) => sourceOf(image, received[k])) });
  received.forEach((blob, k) => {
    if (!blob) return;
    if ('stored' in blob) log.add({ type: 'stored', index: k + 1, ...blob.stored });
    else log.add({ type: 'lost', index: k + 1, reason: blob.reason });
  });
}

function sourceOf(image: ImageSource, received: ReceivedBlob | undefined): JournalSource {
  if (image.kind === 'url') return { url: image.url };
  return { part: received && 'stored' in received ? received.stored.part : '' };
}

function recordFailure(error: unknown, sent: boolean, receiver: AnswerReceiver, log: RunLog): void {
  const known = error instanceof ImggenError ? error : undefined;
  const type = sent && !surelyNot.includes(known?.code as ErrorCode) ? 'unknown' : 'failed';
  const problem = { code: known?.code ?? 'bug', message: known?.message ?? String(error), requestId: known?.requestId ?? null };
  log.add({ type, ...problem });
  const whole = receiver.takeStored();
  if (whole.length === 0) return;
  const nothing = { usage: null, expires: null, taskId: null, taskStatus: null, requestId: problem.requestId, pending: false };
  log.add({ type: 'answered', ...nothing, sources: whole.map(({ part }) => ({ part })) } satisfies Answered);
  whole.forEach((stored, k) => log.add({ type: 'stored', index: k + 1, ...stored }));
}

/** An error as the user should hear it, given what the journal knows. */
function withWayOut(error: unknown, { run }: RunLog): unknown {
  if (!(error instanceof ImggenError) || run.problem?.state !== 'unknown') return error;
  return new ImggenError(error.code, error.message, {
    cause: error.reason,
    requestId: error.requestId,
    hint: `it may have been generated and charged: look at your usage before you repeat it (run ${run.asked.run})`,
  });
}
