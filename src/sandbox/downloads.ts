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

const nothing = Buffer.alloc(0);

/**
 * Answers GET and HEAD of an image, whole or one range of it (RFC 9110).
 * @param name the last part of the URL's path
 * @throws {Refusal} 404 unknown, 410 expired, 400 with an API key
 */
export async function download(request: IncomingMessage, name: string, context: Context): Promise<Reply> {
  const { images, faults, stats, paint } = context;
  if (request.method === 'GET') stats.downloads += 1;
  // A store of signed URLs refuses a second kind of authorization, and no client should show its key to it.
  if (request.headers.authorization !== undefined)
    throw gatewayRefusal('malformed', 'an image is fetched without an Authorization header');
  const published = images.get(name);
  if (!published) throw gatewayRefusal('notFound', 'there is no such image');
  if (published.expires <= Date.now()) throw gatewayRefusal('gone', 'this URL has expired');

  const fault = request.method === 'GET' ? faults.strike(downloadFaults) : undefined;
  if (fault === 'download-404') throw gatewayRefusal('notFound', 'there is no such image');
  if (fault === 'download-500') throw upstreamRefusal(500, 'storage_error', 'The image cannot be read.');
  let bytes = fault === 'garbage-download' ? Buffer.from(htmlPage('Sign in')) : await paint(published.recipe);
  if (fault === 'download-truncated') bytes = bytes.subarray(0, Math.floor(bytes.length * 0.7));

  const reply = imageReply(request, bytes, `image/${published.recipe.format}`);
  if (fault === 'download-cut') return { ...reply, delivery: 'cut' };
  return fault === 'slow-download' ? { ...reply, delivery: 'slow' } : reply;
}

function imageReply({ method, headers }: IncomingMessage, bytes: Buffer, contentType: string): Reply {
  const { length } = bytes;
  const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"`;
  const common = { etag, 'accept-ranges': 'bytes' };
  const condition = headers['if-range'];
  const range =
    method === 'GET' && (condition === undefined || condition === etag) ? parseRange(headers.range, length) : null;
  if (range && range.start >= length)
    return {
      status: 416,
      headers: { ...common, 'content-range': `bytes */${length}`, 'content-length': 0 },
      body: nothing,
    };
  const { start, end } = range ?? { start: 0, end: length };
  return {
    status: range ? 206 : 200,
    headers: {
      ...common,
      'content-type': contentType,
      'content-length': end - start,
      ...(range && { 'content-range': `bytes ${start}-${end - 1}/${length}` }),
    },
    body: method === 'HEAD' ? nothing : bytes.subarray(start, end),
  };
}

/** One range, its end excluded and within the length; null for anything else, which a server ignores. */
function parseRange(header = '', length: number): { start: number; end: number } | null {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? [];
  if (first + last === '') return null;
  if (first === '') return { start: Math.max(0, length - Number(last)), end: length };
  const [start, end] = [Number(first), last === '' ? length : Math.min(Number(last) + 1, length)];
  return last !== '' && Number(last) < start ? null : { start, end };
}
