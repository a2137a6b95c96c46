import type { Format } from '../request/fields.ts';
import { seededRandom } from './random.ts';

/** A picture without its scene. */
export interface Frame {
  /** In pixels. */
  width: number;
  height: number;
  format: Format;
  transparent: boolean;
  /** Percent, 0 to 100; the quality of jpeg and webp. */
  compression: number;
}

/** All that a picture depends on: the same recipe gives the same bytes on the same machine. */
export interface Recipe extends Frame {
  prompt: string;
  /** The image's number within its generation, from 0; each has a scene of its own. */
  index: number;
}

/** The SVG of a picture without its letters: dunes under a sky, chosen by the prompt and the index. */
export function drawScene({ prompt, index, width, height, transparent }: Recipe): string {
  const random = seededRandom(`${prompt}\n${index}`);
  const between = (low: number, high: number) => round(low + (high - low) * random());
  const unit = Math.min(width, height);
  const blue = between(185, 325);
  const warm = between(-20, 46);

  const stars = Array.from({ length: 60 }, () => {
    const at = `cx="${between(0, width)}" cy="${between(0, height * 0.42)}"`;
    return `<circle ${at} r="${between(unit * 0.0008, unit * 0.0022)}" fill="#fff" opacity="${between(0.15, 0.7)}"/>`;
  });
  const sunAt = `cx="${between(width * 0.15, width * 0.85)}" cy="${between(height * 0.6, height * 0.66)}"`;
  const radius = between(unit * 0.07, unit * 0.11);
  const sun = hsl(warm + 12, 95, 87);
  const dunes = [64, 50, 36, 24].map((lightness, depth) => {
    const base = height * (0.7 + depth * 0.085);
    const swing = height * (0.045 + depth * 0.012);
    const y = () => between(base - swing, base + swing);
    const ridge = `C${width * 0.3} ${y()} ${width * 0.6} ${y()} ${width} ${y()}`;
    return {
      path: `<path d="M0 ${y()}${ridge}V${height}H0Z" fill="url(#dune${depth})"/>`,
      fill: gradient(
        `dune${depth}`,
        [0, hsl(warm - depth * 9, 60 - depth * 5, lightness)],
        [1, hsl(warm - 20 - depth * 14, 44, lightness * 0.56)],
      ),
    };
  });

  const margin = unit * 0.05;
  const plate = `width="${width - 2 * margin}" height="${height - 2 * margin}" rx="${unit * 0.2}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><defs>`,
    // The upper sky and the nearest dune are dark: white letters stand on them.
    gradient('sky', [0, hsl(blue, 60, 14)], [0.4, hsl(blue + between(0, 25), 46, 33)], [0.7, hsl(warm, 82, 68)]),
    '<radialGradient id="glow">',
    // With two stops the glow would end in a visible ring.
    stop(0, sun, 0.9) + stop(0.4, sun, 0.25) + stop(1, sun, 0),
    '</radialGradient>',
    ...dunes.map(({ fill }) => fill),
    // A rounded plate is what a transparent background leaves of the scene.
    `<clipPath id="plate"><rect x="${margin}" y="${margin}" ${plate}/></clipPath>`,
    transparent ? '</defs><g clip-path="url(#plate)">' : '</defs><g>',
    `<rect width="${width}" height="${height}" fill="url(#sky)"/>`,
    ...stars,
    `<circle ${sunAt} r="${4 * radius}" fill="url(#glow)"/><circle ${sunAt} r="${radius}" fill="${sun}"/>`,
    ...dunes.map(({ path }) => path),
    '</g></svg>',
  ].join('');
}

/** A gradient from top to bottom. */
function gradient(id: string, ...stops: [offset: number, colour: string][]): string {
  const inner = stops.map(([offset, colour]) => stop(offset, colour)).join('');
  return `<linearGradient id="${id}" x1="0" y1="0" x2="0" y2="1">${inner}</linearGradient>`;
}

function stop(offset: number, colour: string, opacity = 1): string {
  return `<stop offset="${offset}" stop-color="${colour}" stop-opacity="${opacity}"/>`;
}

function hsl(hue: number, saturation: number, lightness: number): string {
  return `hsl(${round((hue + 360) % 360)},${saturation}%,${round(lightness)}%)`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
