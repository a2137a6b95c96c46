// What all programs of the bench talk to: an API on loopback that keeps nothing, in a process of its own. It reads from
// the path what it is to answer, answers at once, and sends no faster than it is read.
import { createServer } from 'node:http';
import { pipeline } from 'node:stream';
import { encodedLength, imagePieces } from './images.js';

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    const { type, length, pieces } = answerTo(request);
    response.writeHead(200, { 'content-type': type, 'content-length': length });
    // A client that is gone is no matter of the server's.
    pipeline(pieces, response, () => {});
  });
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.once('disconnect', () => {
  server.closeAllConnections();
  server.close();
});

/** `GET /image/<k>/<bytes>/…` is an image; a POST to `/<url|base64|sse>/<n>/<bytes>/…` an answer with n of them. */
function answerTo({ method, url, headers }) {
  const [, kind, first, second] = url.split('/');
  const bytes = Number(second);
  if (method === 'GET') return { type: 'image/png', length: bytes, pieces: imagePieces(Number(first), bytes, false) };
  const numbers = Array.from({ length: Number(first) }, (_, k) => k);
  if (kind === 'url') {
    const data = numbers.map((k) => ({ url: `http://${headers.host}/image/${k}/${bytes}/${k + 1}.png` }));
    const text = Buffer.from(JSON.stringify({ created: 1_750_000_000, data }));
    return { type: 'application/json', length: text.length, pieces: [text] };
  }
  const parts = kind === 'sse' ? eventParts(numbers) : documentParts(numbers);
  const length = parts.reduce((sum, part) => sum + (typeof part === 'number' ? encodedLength(bytes) : part.length), 0);
  return { type: kind === 'sse' ? 'text/event-stream' : 'application/json', length, pieces: piecesOf(parts, bytes) };
}

/** The text of an answer in which numbers stand for the base64 of images. */
function documentParts(numbers) {
  const entries = numbers.flatMap((k) => [k === 0 ? '{"b64_json":"' : '"},{"b64_json":"', k]);
  return ['{"created":1750000000,"data":[', ...entries, '"}],"usage":{"total_tokens":100}}'];
}

function eventParts(numbers) {
  const type = 'image_generation.completed';
  const events = numbers.flatMap((k) => [
    `event: ${type}\ndata: {"type":"${type}","b64_json":"`,
    k,
    '","usage":{"total_tokens":100}}\n\n',
  ]);
  return [...events, 'data: [DONE]\n\n'];
}

function* piecesOf(parts, bytes) {
  for (const part of parts) {
    if (typeof part === 'number') yield* imagePieces(part, bytes, true);
    else yield Buffer.from(part);
  }
}
