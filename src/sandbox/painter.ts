import { existsSync } from 'node:fs';
import { platform } from 'node:os';
import type Sharp from 'sharp';
import { ImggenError, messageOf } from '../errors.ts';
import { pixelTypeface } from './pixel-typeface.ts';
import type { Recipe } from './recipe.ts';
import { drawScene } from './scene.ts';
import { systemTypeface, type Typeface } from './typeface.ts';

/** Draws and encodes a picture. */
export type Paint = (recipe: Recipe) => Promise<Buffer>;

/** How many encoded pictures are kept: enough for the parts and repeats of the downloads that are under way. */
const kept = 16;

/**
 * Loads sharp and returns the painter, which remembers its last few pictures.
 * @throws {ImggenError} `usage` when sharp is not installed or does not run here
 */
export async function loadPainter(): Promise<Paint> {
  const sharp = await loadSharp();
  const typeface = (await hasFonts(sharp)) ? systemTypeface : pixelTypeface;
  const recent = new Map<string, Promise<Buffer>>();
  return (recipe) => {
    const key = JSON.stringify(recipe);
    const picture = recent.get(key) ?? paint(sharp, recipe, typeface);
    // Deleting first moves a picture that is asked for again to the end of the map's order.
    recent.delete(key);
    recent.set(key, picture);
    const [oldest] = recent.keys();
    if (recent.size > kept && oldest !== undefined) recent.delete(oldest);
    return picture;
  };
}

/** Draws one picture with the given letters. */
export async function paint(sharp: typeof Sharp, recipe: Recipe, typeface: Typeface): Promise<Buffer> {
  const scene = sharp(Buffer.from(drawScene(recipe, typeface)));
  const picture = recipe.transparent ? scene : scene.removeAlpha();
  // Placeholders are wanted quickly; a few more bytes do not matter. sharp's lowest quality is 1.
  const quality = Math.max(1, recipe.compression);
  switch (recipe.format) {
    case 'png':
      return picture.png({ compressionLevel: 3 }).toBuffer();
    case 'jpeg':
      return picture.jpeg({ quality }).toBuffer();
    case 'webp':
      return picture.webp({ quality, effort: 0 }).toBuffer();
  }
}

async function loadSharp(): Promise<typeof Sharp> {
  try {
    const { default: sharp } = await import('sharp');
    // Each picture is drawn once; what libvips would remember of it is never used again.
    sharp.cache(false);
    return sharp;
  } catch (error) {
    throw new ImggenError('usage', 'the sandbox draws its images with sharp, which is not installed', {
      cause: messageOf(error).split('\n')[0],
      hint: 'npm install sharp (with -g when imggen is installed globally)',
    });
  }
}

/** Whether letters can be drawn: without fonts every letter comes out as the same empty box, or not at all. */
async function hasFonts(sharp: typeof Sharp): Promise<boolean> {
  // Without its configuration fontconfig complains on stderr, past everything that could stop it.
  if (platform() === 'linux' && !existsSync('/etc/fonts')) return false;
  const drawn = (letter: string) =>
    sharp(Buffer.from(probe(letter)))
      .raw()
      .toBuffer();
  return !(await drawn('i')).equals(await drawn('W'));
}

function probe(letter: string): string {
  const text = `<text y="20" font-size="20">${letter}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24">${text}</svg>`;
}
