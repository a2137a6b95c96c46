import { fit, lineHeight } from './layout.ts';
import type { Recipe } from './recipe.ts';
import { hash, seededRandom } from './random.ts';
import type { Typeface } from './typeface.ts';

/** The SVG of a picture: dunes under a sky, all from the prompt and the index, with the prompt and "sandbox" on it. */
export function drawScene(recipe: Recipe, typeface: Typeface): string {
  const { prompt, index, width, height, transparent } = recipe;
  const random = seededRandom(hash(`${prompt}\n${index}`));
  const canvas: Canvas = {
    width,
    height,
    unit: Math.min(width, height),
    between: (low, high) => low + (high - low) * random(),
  };
  const palette = choosePalette(canvas);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">`,
    `<defs>${definitions(palette)}${badge(canvas)}</defs>`,
    transparent ? '<g clip-path="url(#badge)">' : '<g>',
    `<rect width="${width}" height="${height}" fill="url(#sky)"/>`,
    stars(canvas),
    sun(canvas, palette),
    ...palette.dunes.map((_, depth) => dune(canvas, depth)),
    caption(canvas, prompt, typeface),
    label(canvas, index, typeface),
    '</g></svg>',
  ].join('');
}

interface Canvas {
  /** In pixels. */
  width: number;
  height: number;
  /** The shorter side: what the size of things follows from. */
  unit: number;
  /** The scene's next random number of that range. */
  between(low: number, high: number): number;
}

/** CSS colours. The upper sky and the nearest dune are dark, because white letters stand on them. */
interface Palette {
  zenith: string;
  sky: string;
  horizon: string;
  sun: string;
  /** From the farthest dune to the nearest one. */
  dunes: readonly { lit: string; shaded: string }[];
}

function choosePalette({ between }: Canvas): Palette {
  const sky = between(185, 325);
  // Warm light at the horizon whatever the colour of the sky, and sand that goes from it towards the shadow.
  const light = between(-20, 46);
  return {
    zenith: hsl(sky, 60, 14),
    sky: hsl(sky + between(0, 25), 46, 33),
    horizon: hsl(light, 82, 68),
    sun: hsl(light + 12, 95, 87),
    dunes: [64, 50, 36, 24].map((lightness, depth) => ({
      lit: hsl(light - depth * 9, 60 - depth * 5, lightness),
      shaded: hsl(light - 20 - depth * 14, 44, lightness * 0.56),
    })),
  };
}

function hsl(hue: number, saturation: number, lightness: number): string {
  return `hsl(${round((hue + 360) % 360)},${saturation}%,${round(lightness)}%)`;
}

function definitions({ zenith, sky, horizon, sun, dunes }: Palette): string {
  return [
    gradient('sky', `0 ${zenith}`, `0.4 ${sky}`, `0.7 ${horizon}`),
    '<radialGradient id="glow">',
    // Three stops: with two, the glow would end in a visible ring.
    `<stop offset="0" stop-color="${sun}" stop-opacity=".9"/>`,
    `<stop offset=".4" stop-color="${sun}" stop-opacity=".25"/>`,
    `<stop offset="1" stop-color="${sun}" stop-opacity="0"/></radialGradient>`,
    // Both sides of a dune darken towards its foot, where the next one begins.
    ...dunes.flatMap(({ lit, shaded }, depth) => [
      gradient(`lit${depth}`, `0 ${lit}`, `0.9 ${shaded}`),
      gradient(`shaded${depth}`, `0 ${shaded}`, `1 ${dunes[depth + 1]?.shaded ?? shaded}`),
    ]),
  ].join('');
}

/** A gradient from top to bottom; its stops are written `offset colour`. */
function gradient(id: string, ...stops: string[]): string {
  const inner = stops.map((stop) => stop.replace(/(\S+) (.+)/, '<stop offset="$1" stop-color="$2"/>')).join('');
  return `<linearGradient id="${id}" x1="0" y1="0" x2="0" y2="1">${inner}</linearGradient>`;
}

/** A rounded plate: what a transparent background leaves of the scene. */
function badge({ width, height, unit }: Canvas): string {
  const margin = unit * 0.05;
  const size = `width="${width - 2 * margin}" height="${height - 2 * margin}" rx="${unit * 0.2}"`;
  return `<clipPath id="badge"><rect x="${margin}" y="${margin}" ${size}/></clipPath>`;
}

function stars({ width, height, unit, between }: Canvas): string {
  return Array.from({ length: 60 }, () => {
    const at = `cx="${round(between(0, width))}" cy="${round(between(0, height * 0.42))}"`;
    const radius = round(unit * between(0.0008, 0.0022));
    return `<circle ${at} r="${radius}" fill="#fff" opacity="${round(between(0.15, 0.7))}"/>`;
  }).join('');
}

function sun({ width, height, unit, between }: Canvas, palette: Palette): string {
  const at = `cx="${round(width * between(0.15, 0.85))}" cy="${round(height * between(0.6, 0.66))}"`;
  const radius = round(unit * between(0.07, 0.11));
  return `<circle ${at} r="${4 * radius}" fill="url(#glow)"/><circle ${at} r="${radius}" fill="${palette.sun}"/>`;
}

/** One dune across the picture: a crest with a peak, and from there a winding edge between light and shade. */
function dune({ width, height, between }: Canvas, depth: number): string {
  const base = height * (0.7 + depth * 0.085);
  const swing = height * (0.045 + depth * 0.012);
  // Drawn with the light from the left, then mirrored or not.
  const flip = between(0, 1) < 0.5 ? ` transform="translate(${width} 0) scale(-1 1)"` : '';
  const peak = point(width * between(0.25, 0.75), base - swing);
  const left = point(0, base + swing * between(0, 1));
  const right = point(width, base + swing * between(0, 1));
  const rise = `C${point(width * 0.15, base + swing)} ${point(peak.x * 0.7, base - swing * 0.6)} ${peak}`;
  const fall = `C${point(peak.x + width * 0.12, base - swing * 0.5)} ${point(width * 0.85, base + swing)} ${right}`;
  const foot = point(peak.x + width * between(-0.2, 0.2), height);
  const edge = `C${point(foot.x + width * 0.15, height * 0.95)} ${point(peak.x - width * 0.12, base + swing)} ${peak}`;
  const floor = `L${point(width, height)}`;
  return [
    `<g${flip}><path d="M${left}${rise}${fall}${floor}L${point(0, height)}Z" fill="url(#lit${depth})"/>`,
    `<path d="M${peak}${fall}${floor}L${foot}${edge}Z" fill="url(#shaded${depth})"/></g>`,
  ].join('');
}

/** A point of a path, in pixels. */
function point(x: number, y: number): { x: number; toString(): string } {
  return { x, toString: () => `${round(x)} ${round(y)}` };
}

/** The prompt, in the upper half. */
function caption({ width, height, unit }: Canvas, prompt: string, typeface: Typeface): string {
  const sizes = [0.1, 0.08, 0.065, 0.052, 0.042, 0.034].map((part) => Math.max(13, unit * part));
  const box = { width: width * 0.82, height: height * 0.44 };
  const { lines, size } = fit(prompt, typeface, box, sizes);
  const middle = height * 0.31;
  const first = middle - ((lines.length - 1) / 2) * size * lineHeight + size * 0.36;
  return lines.map((line, row) => shadowed(typeface, line, width / 2, first + row * size * lineHeight, size)).join('');
}

/** What the picture is, along its lower edge. */
function label({ width, height, unit }: Canvas, index: number, typeface: Typeface): string {
  const size = typeface.snap(Math.max(12, unit * 0.032));
  const text = typeface.fold(`sandbox · ${width}×${height} · #${index + 1}`);
  return shadowed(typeface, text, width / 2, height - unit * 0.09, size);
}

function shadowed(typeface: Typeface, text: string, x: number, y: number, size: number): string {
  const offset = Math.max(1, Math.round(size / 25));
  const [left, baseline] = [Math.round(x), Math.round(y)];
  return (
    typeface.line(text, left + offset, baseline + offset, size, 'rgba(0,0,0,.45)') +
    typeface.line(text, left, baseline, size, '#fff')
  );
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
