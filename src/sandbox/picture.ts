import { existsSync } from 'node:fs';
import { platform } from 'node:os';
import type { default as Sharp, OverlayOptions } from 'sharp';
import { importSharp } from '../renditions/sharp.ts';
import { drawScene, type Recipe } from './scene.ts';

/** Draws and encodes a picture. */
export type Paint = (recipe: Recipe) => Promise<Buffer>;

/**
 * Loads sharp and returns a painter.
 * @throws {ImggenError} `usage` when sharp is not installed or does not run here
 */
export async function loadPainter(): Promise<Paint> {
  const sharp = await importSharp(
    'the sandbox draws its images with sharp, which is not installed',
    'npm install sharp (with -g when imggen is installed globally)',
  );
  const lettered = await hasFonts(sharp);
  return (recipe) => paint(sharp, recipe, lettered);
}

async function paint(sharp: typeof Sharp, recipe: Recipe, lettered: boolean): Promise<Buffer> {
  const scene = sharp(Buffer.from(drawScene(recipe)));
  if (lettered) scene.composite(await letters(sharp, recipe));
  const picture = recipe.transparent ? scene : scene.removeAlpha();
  // sharp's lowest quality is 1.
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

/** The prompt in the upper half of the picture, and a line at its foot that says what the picture is. */
async function letters(sharp: typeof Sharp, { prompt, index, width, height }: Recipe): Promise<OverlayOptions[]> {
  const unit = Math.min(width, height);
  const box = { width: Math.round(width * 0.82), height: Math.round(height * 0.44) };
  const text = printable(prompt);
  // At this size the text about fills the box: a letter takes 0.6 by 1.3 of its size, and lines have ragged ends.
  const filling = 0.8 * Math.sqrt((box.width * box.height) / (text.length * 0.6 * 1.3));
  const lines = [
    { text, size: Math.min(filling, unit * 0.1), middle: height * 0.3 },
    { text: `sandbox · ${width}×${height} · #${index + 1}`, size: Math.max(unit * 0.034, 11), middle: height * 0.91 },
  ];
  return await Promise.all(
    lines.map(async ({ text, size, middle }) => {
      const { data, info } = await write(sharp, text, size, box);
      const [left, top] = [(width - info.width) / 2, middle - info.height / 2].map(Math.round);
      return { input: data, left: left as number, top: top as number };
    }),
  );
}

/** White text with letters of a size in pixels, wrapped, and scaled down where it would leave the box. */
function write(sharp: typeof Sharp, text: string, size: number, box: { width: number; height: number }) {
  const escaped = text.replace(/[&<>]/g, (mark) => `&#${mark.charCodeAt(0)};`);
  const image = sharp({
    text: {
      text: `<span foreground="white">${escaped}</span>`,
      font: `sans-serif ${Math.max(1, Math.round(size))}`,
      // A point is a pixel.
      dpi: 72,
      width: box.width,
      align: 'center',
      wrap: 'word-char',
      rgba: true,
    },
  });
  return image
    .resize({ ...box, fit: 'inside', withoutEnlargement: true })
    .png()
    .toBuffer({ resolveWithObject: true });
}

/** More of a prompt would be too small to read. In UTF-16 units. */
const longest = 400;

/** The beginning of a text, without the characters that Pango's markup refuses; never empty. */
function printable(text: string): string {
  const start = text.length > longest ? `${text.slice(0, longest)}…` : text;
  const clean = start.replace(/[\p{Cs}\ufffe\uffff]/gu, '').replace(/[\s\p{Cc}]+/gu, ' ');
  return clean.trim() || '?';
}

/** Whether letters can be drawn: without fonts Pango draws the same empty box for each of them. */
async function hasFonts(sharp: typeof Sharp): Promise<boolean> {
  // Without its configuration fontconfig writes a complaint to stderr by itself.
  if (platform() === 'linux' && !existsSync('/etc/fonts')) return false;
  const widthOf = async (letter: string) => (await sharp({ text: { text: letter, dpi: 72 } }).metadata()).width;
  return (await widthOf('i')) !== (await widthOf('W'));
}
