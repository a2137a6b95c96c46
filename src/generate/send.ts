import { dirname } from 'node:path';
import { hintMayBeCharged, ImggenError } from '../errors.ts';
import { ensureWritable, privateMode } from '../files/part.ts';
import type { RunLog } from '../journal/run-log.ts';
import type { JournalSource } from '../journal/types.ts';
import { retryDelay, waitBeforeRepeat } from '../http/retry.ts';
import type { Answer } from '../http/types.ts';
import type { Secret } from '../options/secret.ts';
import type { Values } from '../options/settings.ts';
import { Heard } from '../dialects/decode.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { mergeReplies } from '../dialects/reply.ts';
import type { ImageSource, Reply } from '../dialects/types.ts';
import type { StoredPart } from '../images/types.ts';
import { partPlace } from './deliver.ts';
import type { Plan } from './plan.ts';
import { pollTask } from './poll.ts';
import { type AnswerReceiver, decoding } from './receive.ts';
import type { Services } from './services.ts';

/**
 * The part of a run that costs money: the POST and its answer. When it returns, the journal has the answer, and the
 * images that stood in it are on the disk. When it throws, the journal says whether the generation may have happened,
 * and has every image that had arrived whole.
 */
export async function send(
  plan: Plan,
  values: Values,
  receiver: AnswerReceiver,
  log: RunLog,
  services: Services,
): Promise<void> {
  const { n, model } = plan.request;
  const attempts = new Attempts(plan, values, receiver, services);
  try {
    await checkPlaces(plan, partPlace(plan.names, services.state).directory);
    const key = await services.apiKey();
    services.progress.step(`generating ${n === 1 ? 'an image' : `${n} images`} with ${model}`);
    const reply = await attempts.run(key);
    recordAnswer(reply, receiver, log);
    if (reply.images.every(({ kind }) => kind === 'none')) recordTexts(attempts.heard, log);
    warnOf(reply, n, services);
    if (reply.pending) await awaitTask(reply, plan.dialect, values, receiver, log, services);
  } catch (error) {
    if (log.run.answered === null) recordFailure(error, attempts, receiver, log);
    throw withWayOut(error, log);
  }
}

/**
 * A generation that is sent until it is answered. What surely was not processed is repeated, up to `--retries` times;
 * what may have been processed only with --retry-unknown.
 */
class Attempts {
  /** Whether one of the tries may have been charged. */
  mayBeCharged = false;
  /** What the last answer has said, also when it broke off. */
  heard = new Heard();
  readonly #plan: Plan;
  readonly #values: Values;
  readonly #receiver: AnswerReceiver;
  readonly #services: Services;

  constructor(plan: Plan, values: Values, receiver: AnswerReceiver, services: Services) {
    this.#plan = plan;
    this.#values = values;
    this.#receiver = receiver;
    this.#services = services;
  }

  /** Throws the ImggenError of the last try. */
  async run(key: Secret): Promise<Reply> {
    const { timeout, retries, baseUrl } = this.#values;
    const { http, pace, onRetry } = this.#services;
    const { url, headers, body } = this.#plan.dialect.encode(this.#plan.request, baseUrl);
    const all = { authorization: `Bearer ${key.reveal()}`, ...headers };
    for (let attempt = 0; ; attempt += 1) {
      let answer: Answer | undefined;
      await pace?.turn();
      try {
        answer = await http.post(url, all, body, timeout * 1000);
        await this.#receiver.discard();
        this.heard = new Heard();
        return await this.#plan.dialect.decode(answer, decoding(this.#receiver, this.#services), this.heard);
      } catch (error) {
        const charged = error instanceof ImggenError ? error.charged : 'maybe';
        if (charged !== 'no') this.mayBeCharged = true;
        if (!(error instanceof ImggenError)) throw error;
        const retryAfter = answer?.headers['retry-after'];
        const waitMs = waitBeforeRepeat(attempt, retryAfter);
        // A server that is overloaded asks everybody to wait, not this generation alone.
        const isOverload = answer !== undefined && charged === 'no' && error.repeatable;
        if (isOverload) pace?.hold(waitMs);
        // To wait longer than for an answer helps nobody: the user is told instead.
        const isTooLong = retryDelay(attempt, retryAfter, 1, new Date()) > timeout * 1000;
        if (attempt >= retries || isTooLong || !this.#mayRepeat(error)) throw error;
        const why = answer && answer.status >= 300 ? `HTTP ${answer.status}` : error.message;
        onRetry(why, waitMs);
        if (isOverload && pace) http.tellRetry(url, why, waitMs);
        else await http.pause(url, why, waitMs);
      }
    }
  }

  #mayRepeat({ repeatable, charged }: ImggenError): boolean {
    // What has arrived whole is worth more than another try.
    return repeatable && (charged === 'no' || (this.#values.retryUnknown && this.#receiver.left.length === 0));
  }
}

function warnOf({ images, warnings }: Reply, n: number, { onWarning }: Services): void {
  for (const warning of warnings) onWarning(warning);
  if (images.length > n)
    onWarning(`the API sent ${images.length} images, and ${n} ${n === 1 ? 'was' : 'were'} asked for`);
}

/** Nothing is sent before it is known that the images can be written. */
async function checkPlaces({ names, id }: Plan, directory: string): Promise<void> {
  const directories = new Set([directory, ...(names?.naming.targets ?? []).map(({ path }) => dirname(path))]);
  for (const place of directories) await ensureWritable(place, id, names ? undefined : privateMode);
  names?.ensureReplaceable();
}

/** Asks for a pending task, and records what became of it: after one that failed nobody needs to ask again. */
export async function awaitTask(
  pending: Reply,
  dialect: Dialect,
  values: Values,
  receiver: AnswerReceiver,
  log: RunLog,
  services: Services,
): Promise<void> {
  try {
    const reply = await pollTask(pending, dialect, values, receiver, services);
    if (!reply.pending) recordAnswer(reply, receiver, log);
  } catch (error) {
    const isOver = error instanceof ImggenError && error.code === 'task_failed';
    if (isOver) recordAnswer({ ...pending, images: [], taskStatus: 'failed', pending: false }, receiver, log);
    throw error;
  }
}

/** Puts what the API said into the journal, and where each of its images is. */
function recordAnswer(
  { images, previews: _previews, warnings: _warnings, ...reply }: Reply,
  receiver: AnswerReceiver,
  log: RunLog,
): void {
  const received = images.map(whereIs);
  for (const image of received) if ('stored' in image) receiver.take(image.stored);
  // Images that arrived whole and stand in no document: it broke off before its end.
  for (const stored of receiver.left) {
    received.push({ stored });
    receiver.take(stored);
  }
  log.add({ type: 'answered', ...reply, sources: received.map(sourceOf) });
  for (const [k, image] of received.entries()) {
    if ('stored' in image) log.add({ type: 'stored', index: k + 1, ...image.stored });
    else if ('reason' in image) log.add({ type: 'lost', index: k + 1, reason: image.reason });
  }
}

type Received = { url: string } | { stored: StoredPart } | { reason: string };

function whereIs(image: ImageSource): Received {
  if (image.kind !== 'inline') return image;
  const { outcome } = image.image;
  return 'reason' in outcome && image.url !== undefined ? { url: image.url } : outcome;
}

function sourceOf(image: Received): JournalSource | null {
  if ('url' in image) return { url: image.url };
  return 'stored' in image ? { part: image.stored.part } : null;
}

function recordFailure(error: unknown, { mayBeCharged, heard }: Attempts, receiver: AnswerReceiver, log: RunLog): void {
  const known = error instanceof ImggenError ? error : undefined;
  const type = mayBeCharged ? 'unknown' : 'failed';
  const requestId = known?.requestId ?? null;
  log.add({ type, code: known?.code ?? 'bug', message: known?.message ?? String(error), requestId });
  const reply = mergeReplies(heard.replies);
  if (reply.images.length > 0 || receiver.left.length > 0)
    recordAnswer({ ...reply, requestId: reply.requestId ?? requestId, pending: false }, receiver, log);
  else if (heard.isSuccess) recordTexts(heard, log);
}

/** What the API said where an image was not found in it: perhaps a person finds one. */
function recordTexts(heard: Heard, log: RunLog): void {
  for (const text of heard.texts) log.add({ type: 'document', text });
}

/** An error as the user should hear it, given what the journal knows. */
function withWayOut(error: unknown, { run }: RunLog): unknown {
  if (!(error instanceof ImggenError)) return error;
  const { code, message, reason: cause, requestId } = error;
  const isPending = run.answered?.pending === true;
  if (!isPending && run.problem?.state !== 'unknown') return error;
  const hint = isPending
    ? `its task is paid for and not finished: imggen resume ${run.asked.run}`
    : hintMayBeCharged(run.asked.run);
  return new ImggenError(code, message, { cause, requestId, hint });
}
