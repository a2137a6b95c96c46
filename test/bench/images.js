// The images of the bench: PNG files by their structure, random bytes by their pixels, the same every time. They are
// made of blocks whose length is a multiple of three, so that their base64 is made of blocks as well and costs the
// server nothing while it sends.
import { createCipheriv, createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

const chunkLength = 65_520;
const chunksInBlock = 4;
const blockCount = 8;
const blockLength = chunksInBlock * (chunkLength + 12);

const random = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
const blocks = Array.from({ length: blockCount }, () =>
  Buffer.concat(
    Array.from({ length: chunksInBlock }, () => pngChunk('IDAT', random.update(Buffer.alloc(chunkLength)))),
  ),
);
const encodedBlocks = blocks.map((block) => encoded(block));
const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const hashes = new Map();

/** The bytes of image number `k` (from 0), in pieces; with `base64`, its text. */
export function* imagePieces(k, bytes, base64) {
  const whole = Math.floor((bytes - 57) / blockLength);
  const size = Buffer.from([0, 0, 4, 0, 0, 0, 4, k, 8, 2, 0, 0, 0]);
  const head = Buffer.concat([signature, pngChunk('IHDR', size)]);
  const rest = blocks[k % blockCount].subarray(0, bytes - whole * blockLength - 57);
  const tail = Buffer.concat([pngChunk('IDAT', rest), pngChunk('IEND', Buffer.alloc(0))]);
  yield base64 ? encoded(head) : head;
  for (let i = 0; i < whole; i += 1) yield (base64 ? encodedBlocks : blocks)[(k + i) % blockCount];
  yield base64 ? encoded(tail) : tail;
}

/** How long an image's base64 is. */
export function encodedLength(bytes) {
  return 4 * Math.ceil(bytes / 3);
}

/** The hash of these images of `bytes` each, one after another. */
export function hashOf(numbers, bytes) {
  const key = `${numbers} ${bytes}`;
  if (!hashes.has(key)) {
    const hash = createHash('sha256');
    for (const k of numbers) for (const piece of imagePieces(k, bytes, false)) hash.update(piece);
    hashes.set(key, hash.digest('hex'));
  }
  return hashes.get(key);
}

function encoded(bytes) {
  return Buffer.from(bytes.toString('base64'), 'latin1');
}

function pngChunk(type, data) {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(typed), 4);
  return Buffer.concat([ends.subarray(0, 4), typed, ends.subarray(4)]);
}
