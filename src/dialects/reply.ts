import { type ErrorCode, ImggenError } from '../errors.ts';
import { isObject } from '../json.ts';
import { type Document, type ImageSource, InlineImage, type Reply, type Usage } from './types.ts';

type Fields = { [key: string]: Document };

/** How many images of one answer are taken; no model makes more than ten. */
const imageLimit = 64;
/** How much is taken of a text that is shown, in UTF-16 units. */
const textLimit = 1000;

/** Unix time from here on is in milliseconds: as seconds it would be the year 5138. */
const firstMilliseconds = 1e11;

const pendingStatus =
  /^(pending|queued|queueing|submitted|created|waiting|processing|running|in_progress|in-progress|started)$/i;
const succeededStatus = /^(succeeded|succeed|success|completed|complete|done|finished)$/i;
const failedStatus = /^(failed|failure|fail|error|canceled|cancelled|rejected|expired)$/i;

/** Where a document comes from. */
export interface Origin {
  /** The HTTP status. */
  status: number;
  /** The request id of the answer's headers. */
  requestId: string | null;
  /** The answer's own URL, which relative ones follow from. */
  url: string;
}

/**
 * What one document of an answer says: the gateway's envelope, OpenAI's (with or without `code`), or an event of a
 * stream. A preview or a progress event gives a reply without images.
 *
 * Throws the ImggenError of a refusal: any HTTP status but 2xx; and, where there is no image, any `code` but 0, an
 * `error`, a task that failed.
 */
export function decodeDocument(document: Document, origin: Origin): Reply {
  if (!isFields(document)) throw new ImggenError('bad_answer', 'the answer is not a JSON object');
  const requestId = text(document.request_id) ?? origin.requestId;
  const found = imagesIn(document, origin.url);
  const isPreview = word(document.type).endsWith('.partial_image');
  const images = isPreview ? [] : found;
  const hasImages = images.some(({ kind }) => kind !== 'none');
  const complaint = complaintOf(document);
  const isSuccess = origin.status >= 200 && origin.status <= 299;
  if (!isSuccess || (complaint !== undefined && !hasImages)) throw refusal(document, origin.status, requestId);

  const data = document.data ?? null;
  const task = isFields(data) ? data : document;
  const taskStatus = text(task.task_status);
  if (!hasImages && taskStatus !== null && failedStatus.test(taskStatus)) {
    throw new ImggenError('task_failed', `the task ended as "${taskStatus}"`, {
      cause: text(document.message) ?? undefined,
      requestId: requestId ?? undefined,
    });
  }
  const taskId = word(task.task_id) || null;
  const isOver = succeededStatus.test(taskStatus ?? '');
  return {
    images,
    previews: isPreview ? found.flatMap((source) => (source.kind === 'inline' ? [source.image] : [])) : [],
    warnings: complaint === undefined ? [] : [`the answer has images, and says: ${complaint}`],
    usage: usageIn(document.usage) ?? usageIn(task.usage),
    expires: expiry(task.expired ?? null),
    taskId,
    taskStatus,
    requestId,
    // With a task id, an unknown word or none is no reason to give up what may have been paid for.
    pending: images.length === 0 && !isOver && (taskId !== null || pendingStatus.test(taskStatus ?? '')),
  };
}

/** Whether a document has anything by which the API's documents are known, images or not. */
export function isOfTheApi(document: Document): boolean {
  return (
    isFields(document) &&
    ['code', 'data', 'type', 'created', 'task_id', 'task_status'].some((key) => Object.hasOwn(document, key))
  );
}

/** One reply from the documents of one answer: all images, and the last word on everything else. */
export function mergeReplies(replies: readonly Reply[]): Reply {
  const last = <K extends keyof Reply>(key: K) => replies.findLast((reply) => reply[key] !== null)?.[key] ?? null;
  const images = replies.flatMap((reply) => reply.images).slice(0, imageLimit);
  return {
    images,
    previews: replies.flatMap((reply) => reply.previews),
    warnings: [...new Set(replies.flatMap((reply) => reply.warnings))],
    usage: sumUsage(replies),
    expires: last('expires'),
    taskId: last('taskId'),
    taskStatus: last('taskStatus'),
    requestId: last('requestId'),
    pending: images.length === 0 && replies.some((reply) => reply.pending),
  };
}

/** Each event of a stream tells of its own image. */
function sumUsage(replies: readonly Reply[]): Usage | null {
  const usages = replies.map(({ usage }) => usage).filter((usage) => usage !== null);
  if (usages.length === 0) return null;
  // The names are the server's: one of them may be `constructor`.
  const sum = new Map<string, number>();
  for (const usage of usages)
    for (const [name, count] of Object.entries(usage)) sum.set(name, (sum.get(name) ?? 0) + count);
  return Object.fromEntries(sum);
}

/** The error of an answer that is no document of the API, by its status alone. `text` says what came instead. */
export function refusalWithoutDocument(status: number, requestId: string | null, found: string): ImggenError {
  if (isKnownStatus(status)) return refusal({}, status, requestId);
  return new ImggenError('not_the_api', `the server answered HTTP ${status}, and not as the API does`, {
    cause: found,
    hint: 'check the base URL: imggen config get baseUrl',
    requestId: requestId ?? undefined,
  });
}

/** What speaks against success, where the HTTP status does not; undefined when nothing does. */
function complaintOf(document: Fields): string | undefined {
  const { error, type, code } = document;
  const isRefused = type === 'error' || !isNothing(error);
  const isOddCode = code !== undefined && code !== null && word(code) !== '0';
  if (!isRefused && !isOddCode) return undefined;
  const said = [isOddCode ? `code ${word(code)}` : '', messageOf(document) ?? (isRefused ? word(error) : '')];
  return said.filter(Boolean).join(', ') || 'error';
}

/** Some servers always send the field. */
function isNothing(error: Document | undefined): boolean {
  return error === undefined || error === null || error === '' || (isFields(error) && Object.keys(error).length === 0);
}

function messageOf(document: Fields): string | null {
  const error = isFields(document.error) ? document.error : document;
  return text(document.error) ?? text(error.message) ?? text(document.message) ?? text(document.msg);
}

function refusal(document: Fields, status: number, requestId: string | null): ImggenError {
  const error = isFields(document.error) ? document.error : document;
  const code = word(error.code ?? document.code);
  const kind = `${code} ${word(error.type)}`.trim();
  const message = messageOf(document);
  const reason = classify(status, kind);
  const codeText = code === '' || code === String(status) ? '' : `code ${code}`;
  const where = [`HTTP ${status}`, codeText, requestId ? `request ${requestId}` : ''].filter(Boolean).join(', ');
  return new ImggenError(reason, message ? `${headlines[reason]}: ${message}` : (headlines[reason] as string), {
    cause: where,
    hint: hints[reason],
    requestId: requestId ?? undefined,
  });
}

const headlines: Readonly<Partial<Record<ErrorCode, string>>> = {
  key_refused: 'the API key was refused',
  out_of_credit: 'out of credit',
  rate_limited: 'rate limited',
  server_error: 'the server failed',
  unavailable: 'the server is overloaded',
  rejected: 'the API refused the request',
};

const hints: Readonly<Partial<Record<ErrorCode, string>>> = {
  key_refused: 'store another key: imggen login',
  out_of_credit: "add credit at the gateway's site, then run the same command again",
  rate_limited: 'wait a while, or allow more of them: --retries 5',
  unavailable: 'wait a while; nothing was generated',
};

function isKnownStatus(status: number): boolean {
  return [401, 402, 403, 429].includes(status) || status >= 500;
}

/** The words of an error outrank its status: gateways send "insufficient_credit" under HTTP 400. */
function classify(status: number, kind: string): ErrorCode {
  if (/insufficient_(credit|quota|balance|funds)|billing/i.test(kind)) return 'out_of_credit';
  if (/content_policy|moderation|safety/i.test(kind)) return 'rejected';
  if (/invalid_api_key|unauthori[sz]ed|authentication/i.test(kind)) return 'key_refused';
  if (/rate_?limit|too_many_requests/i.test(kind)) return 'rate_limited';
  const numeric = /^\d{3}\b/.exec(kind);
  const effective = status >= 200 && status < 300 && numeric ? Number(numeric[0]) : status;
  if (effective === 401 || effective === 403) return 'key_refused';
  if (effective === 402) return 'out_of_credit';
  if (effective === 429) return 'rate_limited';
  if (effective === 503) return 'unavailable';
  if (effective >= 500 && effective < 600) return 'server_error';
  return 'rejected';
}

/** Every place where an image may stand: `data`, `data.urls`, or the document itself. */
function imagesIn(document: Fields, base: string): ImageSource[] {
  const { data } = document;
  const entries = isFields(data) ? data.urls : data;
  if (Array.isArray(entries))
    return entries.flatMap((entry) => (isFields(entry) ? sourceOf(entry, base) : source(entry, base)));
  return isFields(data) ? [] : sourceOf(document, base);
}

/** Some servers send both, one of them empty. */
function sourceOf({ b64_json, url }: Fields, base: string): ImageSource[] {
  const [inline] = source(b64_json, base);
  const [linked] = source(url, base);
  if (inline?.kind === 'inline' && linked?.kind === 'url') return [{ ...inline, url: linked.url }];
  return [inline ?? linked ?? []].flat();
}

function source(value: Document | undefined, base: string): ImageSource[] {
  if (value instanceof InlineImage) return [{ kind: 'inline', image: value }];
  if (typeof value !== 'string' || value.trim() === '') return [];
  const url = urlIn(value.trim(), base);
  const shown = value.length > 60 ? `${value.slice(0, 60)}…` : value;
  return [url ? { kind: 'url', url } : { kind: 'none', reason: `"${shown}" is neither a URL nor an image` }];
}

/** The http(s) URL that a text stands for: absolute, without its scheme, or relative. */
function urlIn(value: string, base: string): string | undefined {
  if (/^https?:\/\//i.test(value)) return value;
  const isRelative = /^[^\s:]*\/[^\s]*$/.test(value) || /^[^\s:/]+\.(png|jpe?g|webp|gif|avif)(\?\S*)?$/i.test(value);
  return isRelative && URL.canParse(value, base) ? new URL(value, base).href : undefined;
}

function usageIn(value: Document | undefined): Usage | null {
  if (!isFields(value)) return null;
  const numbers = Object.entries(value).filter((entry): entry is [string, number] => Number.isFinite(entry[1]));
  return numbers.length > 0 ? Object.fromEntries(numbers) : null;
}

/**
 * `expired` has no documented format: ISO 8601, `YYYY-MM-DD HH:MM:SS` (read as UTC, no zone being given) and Unix time in
 * seconds or milliseconds become ISO 8601; anything else stays as it is.
 */
function expiry(value: Document): string | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const written = String(value).trim();
  if (written === '' || written === '0') return null;
  const date = /^\d+(\.\d+)?$/.test(written)
    ? new Date(Number(written) * (Number(written) < firstMilliseconds ? 1000 : 1))
    : new Date(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(written) ? `${written.replace(' ', 'T')}Z` : written);
  return Number.isNaN(date.getTime()) ? clipped(written) : date.toISOString();
}

/** A code or type as text; empty when there is none. */
function word(value: Document | undefined): string {
  if (value === undefined || value === null) return '';
  return clipped(typeof value === 'object' ? JSON.stringify(value) : String(value));
}

function text(value: Document | undefined): string | null {
  return typeof value === 'string' && value !== '' ? clipped(value) : null;
}

function clipped(value: string): string {
  return value.length > textLimit ? `${value.slice(0, textLimit)}…` : value;
}

function isFields(value: Document | undefined): value is Fields {
  return isObject(value) && !(value instanceof InlineImage);
}
