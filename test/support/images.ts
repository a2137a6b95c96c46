import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';

/** The images of `fixtures/images`, each 8 × 6 pixels. The two of `provenance` carry a C2PA manifest (caBX, APP11). */
export const imageTypes = {
  'cat.png': 'image/png',
  'cat.jpg': 'image/jpeg',
  'cat.webp': 'image/webp',
  'cat.gif': 'image/gif',
  'cat.avif': 'image/avif',
  'provenance.png': 'image/png',
  'provenance.jpg': 'image/jpeg',
} as const;

export type ImageName = keyof typeof imageTypes;

export function isImage(name: string): name is ImageName {
  return Object.hasOwn(imageTypes, name);
}

export function image(name: ImageName): Buffer {
  return readFileSync(new URL(`../fixtures/images/${name}`, import.meta.url));
}

/** A whole PNG of about this many bytes: cat.png with a private chunk before its end. */
export function largePng(bytes: number): Buffer {
  const png = image('cat.png');
  const typed = Buffer.concat([Buffer.from('teSt'), Buffer.alloc(bytes, 7)]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(typed));
  return Buffer.concat([png.subarray(0, -12), length, typed, check, png.subarray(-12)]);
}
