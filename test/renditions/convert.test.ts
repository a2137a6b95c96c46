import { join } from 'node:path';
import sharp, { type Color } from 'sharp';
import { describe, expect, test } from 'vitest';
import { convertImage } from '../../src/renditions/convert.ts';
import { ensureConverter } from '../../src/renditions/sharp.ts';
import type { RenditionSpec } from '../../src/renditions/spec.ts';
import { image } from '../support/images.ts';
import { Place } from '../support/place.ts';

const nothing: RenditionSpec = { resize: null, fit: 'inside', convert: null, quality: null };
const red = { r: 255, g: 0, b: 0 };

/** A plain picture. */
const plain = (width: number, height: number, background: Color = red) =>
  sharp({ create: { width, height, channels: 4, background } });

/** Converts a picture, and looks at the result with sharp. */
async function converted(picture: Uint8Array, spec: Partial<RenditionSpec>) {
  const place = new Place();
  place.write('in', picture);
  await convertImage(join(place.cwd, 'in'), { ...nothing, ...spec }, join(place.cwd, 'out'));
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
    ['lies inside the size', { resize: { width: 100, height: 100 } }, '100x50'],
    ['lies inside the size, the other way round', { resize: { width: 300, height: 20 } }, '40x20'],
    ['has the width', { resize: { width: 100, height: null } }, '100x50'],
    ['has the height', { resize: { width: null, height: 100 } }, '200x100'],
    ['is not enlarged', { resize: { width: 1000, height: 1000 } }, '400x200'],
    ['is not enlarged to a width', { resize: { width: 1000, height: null } }, '400x200'],
    ['covers the size', { resize: { width: 100, height: 100 }, fit: 'cover' }, '100x100'],
    ['covers a larger size', { resize: { width: 500, height: 300 }, fit: 'cover' }, '500x300'],
    ['covers a width', { resize: { width: 800, height: null }, fit: 'cover' }, '800x400'],
    ['is contained in the size', { resize: { width: 100, height: 100 }, fit: 'contain' }, '100x100'],
    ['is contained in a larger size', { resize: { width: 500, height: 500 }, fit: 'contain' }, '500x500'],
  ])('%s', async (_name, spec, size) => {
    expect((await converted(await source, spec)).size).toBe(size);
  });

  test('is padded with nothing, and with white where nothing is no colour', async () => {
    const spec = { resize: { width: 100, height: 100 }, fit: 'contain' } as const;
    const png = await converted(await plain(400, 200).removeAlpha().png().toBuffer(), spec);
    expect([await png.pixel(50, 2), await png.pixel(50, 50)]).toEqual([
      [0, 0, 0, 0],
      [255, 0, 0, 255],
    ]);
    const jpeg = await converted(await source, { ...spec, convert: 'jpeg', quality: 100 });
    expect(await jpeg.pixel(50, 2)).toEqual([255, 255, 255, 255]);
  });
});

describe('a converted image', () => {
  test.each([
    ['webp', 'webp'],
    ['avif', 'heif'],
    ['jpeg', 'jpeg'],
    ['png', 'png'],
  ] as const)('is %s, from every format', async (convert, format) => {
    for (const name of ['cat.png', 'cat.jpg', 'cat.webp', 'cat.gif', 'cat.avif'] as const) {
      const { metadata } = await converted(image(name), { convert });
      expect([name, metadata.format, metadata.width, metadata.height]).toEqual([name, format, 8, 6]);
    }
  });

  test.each(['png', 'jpg', 'webp', 'gif', 'avif'] as const)(
    'keeps the format %s when none is asked for',
    async (format) => {
      const bytes = image(`cat.${format}`);
      const { metadata, size } = await converted(bytes, { resize: { width: 4, height: null } });
      expect([metadata.format, size]).toEqual([(await sharp(bytes).metadata()).format, '4x3']);
    },
  );

  test('has white where it was transparent, in jpeg alone', async () => {
    const source = await plain(20, 20, { ...red, alpha: 0 })
      .png()
      .toBuffer();
    expect(await (await converted(source, { convert: 'jpeg' })).pixel(10, 10)).toEqual([255, 255, 255, 255]);
    for (const convert of ['png', 'webp', 'avif'] as const)
      expect((await (await converted(source, { convert })).pixel(10, 10))[3]).toBe(0);
  });

  test('has the quality that was asked for', async () => {
    const noise = await sharp({
      create: {
        width: 64,
        height: 64,
        channels: 3,
        background: red,
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    })
      .png()
      .toBuffer();
    for (const convert of ['webp', 'avif', 'jpeg'] as const) {
      const [low, high] = [
        await converted(noise, { convert, quality: 1 }),
        await converted(noise, { convert, quality: 100 }),
      ];
      expect(low.bytes.length).toBeLessThan(high.bytes.length);
    }
    // sharp would take it for a number of colours.
    const [low, high] = [
      await converted(noise, { convert: 'png', quality: 1 }),
      await converted(noise, { convert: 'png' }),
    ];
    expect(low.bytes).toEqual(high.bytes);
  });

  test('stands upright, in sRGB, without metadata', async () => {
    const source = await plain(40, 20)
      .jpeg()
      .withExif({ IFD0: { Copyright: 'somebody' } })
      .withMetadata({ orientation: 6, icc: 'p3' })
      .toBuffer();
    expect(await sharp(source).metadata()).toMatchObject({ orientation: 6, width: 40 });
    const { metadata, size } = await converted(source, { convert: 'png' });
    expect(size).toBe('20x40');
    expect(metadata).toMatchObject({ space: 'srgb', depth: 'uchar' });
    for (const key of ['exif', 'icc', 'iptc', 'xmp', 'orientation'] as const) expect(metadata[key]).toBeUndefined();
  });

  test('is turned before it is resized', async () => {
    const source = await plain(40, 20).jpeg().withMetadata({ orientation: 6 }).toBuffer();
    expect((await converted(source, { resize: { width: 10, height: null } })).size).toBe('10x20');
  });

  test('has eight bits a channel, whatever the original has', async () => {
    const source = await plain(8, 8).toColourspace('rgb16').png().toBuffer();
    expect((await sharp(source).metadata()).depth).toBe('ushort');
    expect((await converted(source, { convert: 'png' })).metadata.depth).toBe('uchar');
  });

  test('is the first picture of an animation', async () => {
    const frames = await Promise.all(
      [red, { r: 0, g: 0, b: 255 }].map((colour) => plain(10, 10, colour).png().toBuffer()),
    );
    const source = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    expect((await sharp(source).metadata()).pages).toBe(2);
    for (const convert of ['webp', 'png', null] as const) {
      const { metadata, pixel, size } = await converted(source, { convert });
      expect([metadata.pages ?? 1, size, (await pixel(5, 5))[0]]).toEqual([1, '10x10', expect.closeTo(255, -1)]);
    }
  });

  test('many at once come out right', async () => {
    const sizes = await Promise.all(
      Array.from(
        { length: 12 },
        async (_, k) =>
          (
            await converted(await plain(40, 20).png().toBuffer(), {
              resize: { width: k + 1, height: null },
              fit: 'cover',
            })
          ).metadata.width,
      ),
    );
    expect(sizes).toEqual(Array.from({ length: 12 }, (_, k) => k + 1));
  });
});

describe('what cannot be converted', () => {
  test.each([
    ['is no image', Buffer.from('no image at all')],
    ['is damaged', Buffer.concat([image('cat.png').subarray(0, 60), Buffer.alloc(40)])],
    ['is empty', Buffer.alloc(0)],
    ['is a drawing', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')],
  ])('is told: what %s', async (_name, bytes) => {
    await expect(converted(bytes, { resize: { width: 4, height: 4 } })).rejects.toMatchObject({
      code: 'incomplete',
      message: 'the image cannot be converted',
      reason: expect.stringMatching(/\w/),
    });
  });

  test('is told: an image that would fill the memory', async () => {
    // 20,000 × 20,000 pixels in a few bytes: its header alone says so.
    const huge = Buffer.from(image('cat.png'));
    huge.writeUInt32BE(20_000, 16);
    huge.writeUInt32BE(20_000, 20);
    const { crc32 } = await import('node:zlib');
    huge.writeUInt32BE(crc32(huge.subarray(12, 29)), 29);
    await expect(converted(huge, { convert: 'webp' })).rejects.toMatchObject({
      code: 'incomplete',
      reason: expect.stringContaining('pixel limit'),
    });
  });

  test('is told: an image that is gone, whatever its path says', async () => {
    const place = new Place();
    const gone = convertImage(
      join(place.cwd, 'permission denied', 'read-only.png'),
      { ...nothing, convert: 'png' },
      join(place.cwd, 'out'),
    );
    await expect(gone).rejects.toMatchObject({ code: 'incomplete', reason: expect.stringContaining('missing') });
  });

  test('is no matter of the image when the place is at fault', async () => {
    const place = new Place();
    place.write('in.png', image('cat.png'));
    const target = join(place.cwd, 'nowhere', 'out.png');
    await expect(convertImage(join(place.cwd, 'in.png'), { ...nothing, convert: 'png' }, target)).rejects.toMatchObject(
      { code: 'output' },
    );
    for (const convert of ['png', 'webp', 'avif', 'jpeg'] as const) {
      const full = convertImage(join(place.cwd, 'in.png'), { ...nothing, convert }, '/dev/full');
      await expect(full, convert).rejects.toMatchObject({ code: 'output', exit: 8 });
    }
  });
});

test('this build of sharp writes every format', async () => {
  await expect(ensureConverter(['webp', 'avif', 'jpeg', 'png', null])).resolves.toBeUndefined();
});
