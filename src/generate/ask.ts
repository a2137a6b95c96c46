import { dirname } from 'node:path';
import { type ErrorCode, ImggenError } from '../errors.ts';
import { ensureWritable, privateMode } from '../files/part.ts';
import type { RunLog } from '../journal/run-log.ts';
import type { JournalSource } from '../journal/types.ts';
import type { Values } from '../options/settings.ts';
import type { ImageSource, Reply } from '../dialects/types.ts';
import { mergeReplies } from '../dialects/reply.ts';
import { decodeAnswer, newSeen, type Seen } from './decode.ts';
import { partPlace } from './deliver.ts';
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
export async function ask(
  plan: Plan,
  values: Values,
  receiver: AnswerReceiver,
  log: RunLog,
  services: Services,
): Promise<void> {
  const { http, progress } = services;
  const { n, model } = plan.request;
  // Whether the last try may have been processed, and whether one before it may.
  const fate = { sent: false, unknown: false };
  let seen = newSeen();
  try {
    await checkPlaces(plan, partPlace(plan.names, services.state).directory);
    const key = await services.apiKey();
    progress.step(`generating ${n === 1 ? 'an image' : `${n} images`} with ${model}`);
    const reply = await http.post(
      plan.dialect.endpoint(values.baseUrl),
      { authorization: `Bearer ${key.reveal()}`, 'content-type': 'application/json' },
      JSON.stringify(plan.body),
      {
        timeoutMs: values.timeout * 1000,
        retries: values.retries,
        // What has arrived whole is worth more than another try.
        retryUnknown: () => values.retryUnknown && !receiver.hasStored,
        onSent: (sent) => {
          fate.sent = sent;
        },
        onUnknown: () => {
          fate.unknown = true;
        },
        onRetry: services.onRetry,
      },
      async (answer) => {
        await receiver.discard();
        seen = newSeen();
        return await decodeAnswer(answer, receiver, services, seen);
      },
    );
    recordAnswer(reply, receiver, log);
    if (reply.images.length === 0) recordDocuments(seen, log);
    if (reply.pending) await awaitTask(reply, values, receiver, log, services);
  } catch (error) {
    if (log.run.answered === null) recordFailure(error, fate, seen, receiver, log);
    throw withWayOut(error, log);
  }
}

/** Nothing is sent before it is known that the images can be written. */
async function checkPlaces({ names, id }: Plan, directory: string): Promise<void> {
  const directories = new Set([directory, ...(names?.naming.targets ?? []).map(({ path }) => dirname(path))]);
  for (const place of directories) await ensureWritable(place, id, names ? undefined : privateMode);
}

/** Asks for a pending task, and records what became of it: after one that failed nobody needs to ask again. */
export async function awaitTask(
  pending: Reply,
  values: Values,
  receiver: AnswerReceiver,
  log: RunLog,
  services: Services,
): Promise<void> {
  try {
    const reply = await pollTask(pending, values, receiver, services);
    if (!reply.pending) recordAnswer(reply, receiver, log);
  } catch (error) {
    const isOver = error instanceof ImggenError && error.code === 'task_failed';
    if (isOver) recordAnswer({ ...pending, images: [], taskStatus: 'failed', pending: false }, receiver, log);
    throw error;
  }
}

/** Puts what the API said into the journal, and where each of its images is. */
function recordAnswer({ images, ...reply }: Reply, receiver: AnswerReceiver, log: RunLog): void {
  const received = images.map((image) => receivedOf(image, receiver));
  // Images that arrived whole and stand in no document: it broke off before its end.
  received.push(...receiver.takeStored().map((stored) => ({ stored })));
  log.add({ type: 'answered', ...reply, sources: received.map(sourceOf) });
  for (const [k, image] of received.entries()) {
    if ('stored' in image) log.add({ type: 'stored', index: k + 1, ...image.stored });
    else if ('reason' in image) log.add({ type: 'lost', index: k + 1, reason: image.reason });
  }
}

function receivedOf(image: ImageSource, receiver: AnswerReceiver): ReceivedBlob | { url: string } {
  if (image.kind === 'url') return { url: image.url };
  const received = receiver.take(image.blob);
  return 'reason' in received && image.url !== undefined ? { url: image.url } : received;
}

function sourceOf(image: ReceivedBlob | { url: string }): JournalSource | null {
  if ('url' in image) return { url: image.url };
  return 'stored' in image ? { part: image.stored.part } : null;
}

function recordFailure(
  error: unknown,
  fate: { sent: boolean; unknown: boolean },
  seen: Seen,
  receiver: AnswerReceiver,
  log: RunLog,
): void {
  const known = error instanceof ImggenError ? error : undefined;
  const type = fate.unknown || (fate.sent && !surelyNot.includes(known?.code as ErrorCode)) ? 'unknown' : 'failed';
  const requestId = known?.requestId ?? null;
  log.add({ type, code: known?.code ?? 'bug', message: known?.message ?? String(error), requestId });
  const reply = mergeReplies(seen.replies);
  if (reply.images.length > 0 || receiver.hasStored) {
    recordAnswer({ ...reply, requestId: reply.requestId ?? requestId, pending: false }, receiver, log);
  } else if (type === 'unknown') {
    recordDocuments(seen, log);
  }
}

/** What the API said where no image was found in it: perhaps a person finds one. */
function recordDocuments({ documents }: Seen, log: RunLog): void {
  for (const document of documents) log.add({ type: 'document', text: JSON.stringify(document) });
}

/** An error as the user should hear it, given what the journal knows. */
function withWayOut(error: unknown, { run }: RunLog): unknown {
  if (!(error instanceof ImggenError)) return error;
  const { code, message, reason: cause, requestId } = error;
  const isPending = run.answered?.pending === true;
  if (!isPending && run.problem?.state !== 'unknown') return error;
  const hint = isPending
    ? `its task is paid for and not finished: imggen resume ${run.asked.run}`
    : `it may have been generated and charged: look at your usage before you repeat it (run ${run.asked.run})`;
  return new ImggenError(code, message, { cause, requestId, hint });
}
