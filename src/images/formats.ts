import type { ImageFormat } from './types.ts';
import { takeLimit, type Walker } from './walk.ts';

/** A walker calls it with width and height in pixels, as soon as it meets them. */
type Found = (width: number, height: number) => void;

interface FormatReader {
  /** Whether the first 12 bytes are this format's. */
  matches(head: Buffer): boolean;
  /** Reads the structure from the first byte on and returns at its end. */
  walk(found: Found): Walker;
}

const startsWith = (head: Buffer, ...bytes: number[]) => bytes.every((byte, index) => head[index] === byte);
const ascii = (head: Buffer, from: number, to: number) => head.toString('latin1', from, to);

/** The formats that are known by their bytes: signature, size, and where a whole file ends. */
export const readers: Readonly<Record<ImageFormat, FormatReader>> = {
  png: { matches: (head) => startsWith(head, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), walk: walkPng },
  jpeg: { matches: (head) => startsWith(head, 0xff, 0xd8, 0xff), walk: walkJpeg },
  webp: { matches: (head) => ascii(head, 0, 4) === 'RIFF' && ascii(head, 8, 12) === 'WEBP', walk: walkWebp },
  gif: { matches: (head) => /^GIF8[79]a/.test(ascii(head, 0, 6)), walk: walkGif },
  avif: { matches: (head) => /^ftypavi[fs]/.test(ascii(head, 4, 12)), walk: walkAvif },
};

/** How many bytes tell the format. */
export const headLength = 12;

/** The format that the first 12 bytes belong to. */
export function formatOf(head: Buffer): ImageFormat | undefined {
  return (Object.keys(readers) as ImageFormat[]).find((format) => readers[format].matches(head));
}

/** PNG (ISO/IEC 15948): chunks of length, type, data, CRC; the last is IEND. */
function* walkPng(found: Found): Walker {
  yield { skip: 8 };
  for (;;) {
    const head = yield { take: 8 };
    let left = head.readUInt32BE(0) + 4;
    const type = ascii(head, 4, 8);
    if (type === 'IHDR') {
      const size = yield { take: 8 };
      left -= 8;
      found(size.readUInt32BE(0), size.readUInt32BE(4));
    }
    yield { skip: left };
    if (type === 'IEND') return;
  }
}

/**
 * JPEG (ITU-T T.81): segments up to a scan, whose data runs to the next marker that is neither a stuffed zero nor a
 * restart; the last marker is EOI.
 */
function* walkJpeg(found: Found): Walker {
  yield { skip: 2 };
  for (;;) {
    yield { until: 0xff };
    yield { skip: 1 };
    let marker = (yield { take: 1 })[0] as number;
    while (marker === 0xff) marker = (yield { take: 1 })[0] as number;
    if (marker === 0xd9) return;
    const alone = marker === 0x00 || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    if (alone) continue;
    let left = (yield { take: 2 }).readUInt16BE(0) - 2;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) {
      const frame = yield { take: 5 };
      left -= 5;
      found(frame.readUInt16BE(3), frame.readUInt16BE(1));
    }
    yield { skip: left };
  }
}

/** WebP (RFC 9649): a RIFF container whose second field is the length of all that follows it. */
function* walkWebp(found: Found): Walker {
  const head = yield { take: 16 };
  const chunk = ascii(head, 12, 16);
  // Chunk length and first fields. The smallest file, lossless, has no more than these.
  const fields = yield { take: chunk === 'VP8L' ? 9 : 14 };
  if (chunk === 'VP8X') found(fields.readUIntLE(8, 3) + 1, fields.readUIntLE(11, 3) + 1);
  else if (chunk === 'VP8L') {
    const bits = fields.readUInt32LE(5);
    found((bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1);
  } else if (chunk === 'VP8 ') found(fields.readUInt16LE(10) & 0x3fff, fields.readUInt16LE(12) & 0x3fff);
  // Chunks are padded to an even length, the file with them.
  const length = head.readUInt32LE(4);
  yield { skip: 8 + length + (length % 2) - head.length - fields.length };
}

/** GIF89a: colour tables, blocks of sub-blocks, and a trailer. */
function* walkGif(found: Found): Walker {
  const head = yield { take: 13 };
  found(head.readUInt16LE(6), head.readUInt16LE(8));
  yield { skip: colourTable(head[10] as number) };
  for (;;) {
    const block = (yield { take: 1 })[0];
    if (block === 0x3b) return;
    if (block === 0x2c) {
      const descriptor = yield { take: 9 };
      yield { skip: colourTable(descriptor[8] as number) + 1 };
    } else {
      yield { skip: 1 };
    }
    for (;;) {
      const length = (yield { take: 1 })[0] as number;
      if (length === 0) break;
      yield { skip: length };
    }
  }
}

function colourTable(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/**
 * AVIF (ISO/IEC 14496-12 boxes): the size stands in the first `ispe` property of `meta`. Nothing marks the end, so the
 * file is whole when the box of the pixels, `mdat`, is.
 */
function* walkAvif(found: Found): Walker {
  for (;;) {
    const head = yield { take: 8 };
    const type = ascii(head, 4, 8);
    const size = head.readUInt32BE(0);
    let left = size - 8;
    if (size === 1) left = Number((yield { take: 8 }).readBigUInt64BE(0)) - 16;
    // A box of size 0 reaches to the end of the file, wherever that is.
    if (size === 0) return;
    if (type === 'meta') {
      const content = yield { take: Math.min(left, takeLimit) };
      left -= content.length;
      const property = content.indexOf('ispe');
      if (property !== -1 && property + 16 <= content.length) {
        found(content.readUInt32BE(property + 8), content.readUInt32BE(property + 12));
      }
    }
    yield { skip: left };
    if (type === 'mdat') return;
  }
}
