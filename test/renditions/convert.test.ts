import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import sharp, { type Color } from 'sharp';
import { describe, expect, test } from 'vitest';
import { convertImage } from '../../src/renditions/convert.ts';
import type { RenditionSpec } from '../../src/renditions/spec.ts';
import { image } from '../support/images.ts';
import { Place } from '../support/place.ts';

const red = { r: 255, g: 0, b: 0 };
const formats = ['png', 'webp', 'avif', 'jpeg'] as const;

const plain = (width: number, height: number, background: Color = red) =>
  sharp({ create: { width, height, channels: 4, background } });

function convert(source: string, target: string, spec: Partial<RenditionSpec>): Promise<void> {
  return convertImage(source, { resize: null, fit: 'inside', convert: null, quality: null, ...spec }, target);
}

/** Converts a picture, and looks at the result with sharp. */
async function converted(picture: Uint8Array, spec: Partial<RenditionSpec>) {
  const place = new Place();
  place.write('in', picture);
  await convert(join(place.cwd, 'in'), join(place.cwd, 'out'), spec);
  const bytes = place.read('out');
  const metadata = await sharp(bytes).metadata();
  const pixel = async (left: number, top: number) => [
    ...(await sharp(bytes).ensureAlpha().extract({ left, top, width: 1, height: 1 }).raw().toBuffer()),
  ];
  return { metadata, size: `${metadata.width}x${metadata.height}`, pixel, bytes };
}

describe('a resized image', () => {
  const source = plain(400, 200).png().toBuffer();

  test.each<[string, Partial<RenditionSpec>, string]>([
    ['lies inside the size', { resize: { width: 300, height: 20 } }, '40x20'],
    ['is not enlarged', { resize: { width: 1000, height: 1000 } }, '400x200'],
    ['is not enlarged to a width', { resize: { width: 1000, height: null } }, '400x200'],
    ['covers a larger size', { resize: { width: 500, height: 300 }, fit: 'cover' }, '500x300'],
    ['covers a width', { resize: { width: 800, height: null }, fit: 'cover' }, '800x400'],
    ['is contained in a larger size', { resize: { width: 500, height: 500 }, fit: 'contain' }, '500x500'],
  ])('%s', async (_name, spec, size) => {
    expect((await converted(await source, spec)).size).toBe(size);
  });

  test('is padded with nothing, and in jpeg with white', async () => {
    const spec = { resize: { width: 100, height: 100 }, fit: 'contain' } as const;
    const png = await converted(await plain(400, 200).removeAlpha().png().toBuffer(), spec);
    expect(await png.pixel(50, 2)).toEqual([0, 0, 0, 0]);
    expect(await png.pixel(50, 50)).toEqual([255, 0, 0, 255]);
    const jpeg = await converted(await source, { ...spec, convert: 'jpeg', quality: 100 });
    expect(await jpeg.pixel(50, 2)).toEqual([255, 255, 255, 255]);
  });
});

describe('a converted image', () => {
  test.each(['png', 'jpg', 'webp', 'gif', 'avif'] as const)(
    'made from %s has the format that is asked for, else that of its original',
    async (name) => {
      const bytes = image(`cat.${name}`);
      for (const convert of formats) {
        const { metadata, size } = await converted(bytes, { convert });
        expect([metadata.format, size]).toEqual([convert === 'avif' ? 'heif' : convert, '8x6']);
      }
      const { metadata, size } = await converted(bytes, { resize: { width: 4, height: null } });
      expect([metadata.format, size]).toEqual([(await sharp(bytes).metadata()).format, '4x3']);
    },
  );

  test.each(formats)('in %s shows what was transparent as white in jpeg alone', async (convert) => {
    const transparent = plain(20, 20, { ...red, alpha: 0 });
    const pixel = await (await converted(await transparent.png().toBuffer(), { convert })).pixel(10, 10);
    if (convert === 'jpeg') expect(pixel).toEqual([255, 255, 255, 255]);
    else expect(pixel[3]).toBe(0);
  });

  test('has the quality that was asked for; png has none', async () => {
    const grain = { type: 'gaussian', mean: 128, sigma: 60 } as const;
    const create = { width: 64, height: 64, channels: 3, background: red, noise: grain } as const;
    const noise = await sharp({ create }).png().toBuffer();
    for (const convert of formats) {
      const low = await converted(noise, { convert, quality: 1 });
      const high = await converted(noise, { convert, quality: 100 });
      // sharp takes the quality of a png for a number of colours.
      if (convert === 'png') expect(low.bytes).toEqual(high.bytes);
      else expect(low.bytes.length).toBeLessThan(high.bytes.length);
    }
  });

  test('stands upright before it is resized, in sRGB, without metadata', async () => {
    const source = await plain(40, 20)
      .jpeg()
      .withExif({ IFD0: { Copyright: 'somebody' } })
      .withMetadata({ orientation: 6, icc: 'p3' })
      .toBuffer();
    expect(await sharp(source).metadata()).toMatchObject({ orientation: 6, width: 40 });
    const { metadata, size } = await converted(source, { convert: 'png', resize: { width: 10, height: null } });
    expect(size).toBe('10x20');
    expect(metadata).toMatchObject({ space: 'srgb', depth: 'uchar' });
    for (const key of ['exif', 'icc', 'iptc', 'xmp', 'orientation'] as const) expect(metadata[key]).toBeUndefined();
  });

  test('has eight bits a channel, whatever the original has', async () => {
    const source = await plain(8, 8).toColourspace('rgb16').png().toBuffer();
    expect((await sharp(source).metadata()).depth).toBe('ushort');
    expect((await converted(source, { convert: 'png' })).metadata.depth).toBe('uchar');
  });

  test('is the first picture of an animation', async () => {
    const colours = [red, { r: 0, g: 0, b: 255 }];
    const frames = await Promise.all(colours.map((colour) => plain(10, 10, colour).png().toBuffer()));
    const animation = sharp(frames, { join: { animated: true } });
    const source = await animation.gif().toBuffer();
    expect((await sharp(source).metadata()).pages).toBe(2);
    for (const convert of ['webp', 'png', null] as const) {
      const { metadata, pixel, size } = await converted(source, { convert });
      expect([metadata.pages ?? 1, size, (await pixel(5, 5))[0]]).toEqual([1, '10x10', expect.closeTo(255, -1)]);
    }
  });

  test('is the right one when many are made at once', async () => {
    const source = await plain(40, 20).png().toBuffer();
    const widths = Array.from({ length: 12 }, (_, k) => k + 1);
    const made = widths.map((width) => converted(source, { resize: { width, height: null }, fit: 'cover' }));
    expect((await Promise.all(made)).map(({ metadata }) => metadata.width)).toEqual(widths);
  });
});

describe('an image cannot be converted', () => {
  /** 20,000 × 20,000 pixels in a few bytes: its header alone says so. */
  const huge = Buffer.from(image('cat.png'));
  huge.writeUInt32BE(20_000, 16);
  huge.writeUInt32BE(20_000, 20);
  huge.writeUInt32BE(crc32(huge.subarray(12, 29)), 29);

  test.each([
    ['that is none', Buffer.from('no image at all'), /\w/],
    ['that is damaged', Buffer.concat([image('cat.png').subarray(0, 60), Buffer.alloc(40)]), /\w/],
    ['that is empty', Buffer.alloc(0), /\w/],
    ['that is a drawing', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), /\w/],
    ['that would fill the memory', huge, /pixel limit/],
  ])('%s', async (_name, bytes, reason) => {
    await expect(converted(bytes, { resize: { width: 4, height: 4 } })).rejects.toMatchObject({
      code: 'incomplete',
      message: 'the image cannot be converted',
      reason: expect.stringMatching(reason),
    });
  });

  test('that is gone, whatever its path says', async () => {
    const { cwd } = new Place();
    const gone = convert(join(cwd, 'permission denied', 'read-only.png'), join(cwd, 'out'), { convert: 'png' });
    await expect(gone).rejects.toMatchObject({ code: 'incomplete', reason: expect.stringContaining('missing') });
  });

  test.each(formats)('to a place that is full or missing, in %s: the error names the place', async (format) => {
    const place = new Place();
    place.write('in.png', image('cat.png'));
    for (const target of ['/dev/full', join(place.cwd, 'nowhere', 'out.png')])
      await expect(convert(join(place.cwd, 'in.png'), target, { convert: format })).rejects.toMatchObject({
        code: 'output',
        message: `cannot write ${target}`,
      });
  });
});
