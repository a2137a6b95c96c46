import { ImggenError } from '../errors.ts';
import { type Http, shortUrl } from './http.ts';
import { retryDelay, waitBeforeRepeat } from './retry.ts';
import type { Answer } from './types.ts';

/** Bytes of a download and their place in the file. An offset of 0 once more: it starts anew. */
export interface DownloadedChunk {
  offset: number;
  bytes: Uint8Array;
}

export interface DownloadOptions {
  retries: number;
  /** Refuses hosts on this machine or its network. */
  publicOnly: boolean;
}

/** The longest wait before a repeat, in milliseconds. */
const patienceMs = 60_000;

/** The image can no longer be had: its URL has expired, or its bytes are lost. */
export class ImageUnavailable extends ImggenError {}

/**
 * Downloads a URL. After a lost connection, 429 and 5xx it is repeated up to `retries` times, from where it broke off if
 * the server can (RFC 9110: Range with If-Range), else from the start.
 * Throws ImggenError with the reason of the last try: at once `download_failed` for any 4xx, ImageUnavailable for 403, 404 and 410.
 */
export async function* download(
  http: Http,
  url: string,
  { retries, publicOnly }: DownloadOptions,
): AsyncGenerator<DownloadedChunk, void> {
  let offset = 0;
  let validator: string | undefined;
  for (let attempt = 0; ; attempt += 1) {
    let retryAfter: string | undefined;
    try {
      const range =
        offset > 0 && validator !== undefined ? { range: `bytes=${offset}-`, 'if-range': validator } : undefined;
      const answer = await http.get(url, range, { publicOnly });
      retryAfter = answer.headers['retry-after'];
      if (!isWanted(answer)) answer.abandon();
      const isPart = answer.status === 206;
      if ((range && answer.status === 416) || (isPart && startOf(answer) !== offset)) {
        answer.abandon();
        // Without a validator, the next try begins anew.
        validator = undefined;
        throw new ImggenError('network', `${shortUrl(url)} did not send the part that was asked for`);
      }
      checkStatus(url, answer.status);
      if (!isPart) offset = 0;
      validator = validatorOf(answer);
      for await (const bytes of answer.body) {
        yield { offset, bytes };
        offset += bytes.length;
      }
      return;
    } catch (error) {
      if (attempt >= retries || !(error instanceof ImggenError && error.repeatable)) throw error;
      // `imggen resume` can ask again later.
      if (retryDelay(attempt, retryAfter, 1, new Date()) > patienceMs) throw error;
      await http.pause(url, error.message, waitBeforeRepeat(attempt, retryAfter));
    }
  }
}

function isWanted({ status }: Pick<Answer, 'status'>): boolean {
  return status === 200 || status === 206;
}

function checkStatus(url: string, status: number): void {
  if (isWanted({ status })) return;
  const message = `${shortUrl(url)} answered HTTP ${status}`;
  if (status === 429 || status >= 500) throw new ImggenError('network', message);
  if ([403, 404, 410].includes(status))
    throw new ImageUnavailable('download_failed', message, { cause: 'it is gone, or its URL has expired' });
  throw new ImggenError('download_failed', message);
}

/** The offset of a partial answer. */
function startOf({ headers }: Answer): number | undefined {
  const match = /^bytes (\d+)-/.exec(headers['content-range'] ?? '');
  return match ? Number(match[1]) : undefined;
}

/** Only a strong validator promises that the rest belongs to the same bytes. */
function validatorOf({ headers }: Answer): string | undefined {
  const { etag } = headers;
  // A range counts bytes as they are sent; these are decoded.
  if (headers['content-encoding']) return undefined;
  return etag?.startsWith('"') ? etag : headers['last-modified'];
}
