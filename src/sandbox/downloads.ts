import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Context } from './context.ts';
import { gatewayRefusal, upstreamRefusal } from './refusal.ts';
import { htmlPage, type Reply } from './reply.ts';

const downloadFaults = [
  'download-404',
  'download-500',
  'download-cut',
  'download-truncated',
  'slow-download',
  'garbage-download',
] as const;

/**
 * Answers GET and HEAD of an image: whole or one range of it, as RFC 9110 has it.
 * @param name the last part of the URL's path
 * @throws {Refusal} 404 unknown, 410 expired, 400 when the API key came along
 */
export async function download(request: IncomingMessage, name: string, context: Context): Promise<Reply> {
  const { library, faults, stats, paint } = context;
  if (request.method === 'GET') stats.downloads += 1;
  // Stores of signed URLs refuse a second kind of authorization, and no client should show its key to them.
  if (request.headers.authorization !== undefined) {
    throw gatewayRefusal('malformed', 'an image is fetched without an Authorization header');
  }
  const published = library.find(name);
  if (!published) throw gatewayRefusal('notFound', 'there is no such image');
  if (published.expires <= Date.now()) throw gatewayRefusal('gone', 'this URL has expired');

  const fault = request.method === 'GET' ? faults.strike(downloadFaults) : undefined;
  if (fault === 'download-404') throw gatewayRefusal('notFound', 'there is no such image');
  if (fault === 'download-500') {
    throw upstreamRefusal(500, { type: 'server_error', code: 'storage_error', message: 'The image cannot be read.' });
  }
  let bytes = fault === 'garbage-download' ? Buffer.from(htmlPage('Sign in')) : await paint(published.recipe);
  if (fault === 'download-truncated') bytes = bytes.subarray(0, Math.floor(bytes.length * 0.7));

  const reply = imageReply(request, bytes, `image/${published.recipe.format}`);
  if (fault === 'download-cut') return { ...reply, delivery: 'cut' };
  if (fault === 'slow-download') return { ...reply, delivery: 'slow' };
  return reply;
}

function imageReply(request: IncomingMessage, bytes: Buffer, contentType: string): Reply {
  const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"`;
  const headers = { etag, 'accept-ranges': 'bytes' };
  const range = rangeApplies(request, etag) ? parseRange(request.headers.range, bytes) : null;
  if (range === 'unsatisfiable') {
    return {
      status: 416,
      headers: { ...headers, 'content-range': `bytes */${bytes.length}`, 'content-length': 0 },
      body: [],
    };
  }
  const body = range ? bytes.subarray(range.start, range.end + 1) : bytes;
  return {
    status: range ? 206 : 200,
    headers: {
      ...headers,
      'content-type': contentType,
      'content-length': body.length,
      ...(range && { 'content-range': `bytes ${range.start}-${range.end}/${bytes.length}` }),
    },
    body: request.method === 'HEAD' ? [] : [body],
  };
}

/** Whether a part will do: for GET, and with `If-Range` only when the tag is still the same. */
function rangeApplies({ method, headers }: IncomingMessage, etag: string): boolean {
  const condition = headers['if-range'];
  return method === 'GET' && (condition === undefined || condition === etag);
}

/** One range of bytes, both ends included; null for what is not one, which a server ignores. */
function parseRange(header = '', bytes: Buffer): { start: number; end: number } | 'unsatisfiable' | null {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? [];
  if (first === undefined || last === undefined || first + last === '') return null;
  const final = bytes.length - 1;
  if (first === '') {
    const suffix = Number(last);
    return suffix === 0 ? 'unsatisfiable' : { start: Math.max(0, bytes.length - suffix), end: final };
  }
  const start = Number(first);
  const end = last === '' ? final : Math.min(Number(last), final);
  if (last !== '' && Number(last) < start) return null;
  return start > final ? 'unsatisfiable' : { start, end };
}
