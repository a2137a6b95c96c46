import type { Typeface } from './typeface.ts';

/**
 * Letters for a machine without fonts: five columns of eight dots for each character of ASCII from the space on, as two
 * hexadecimal digits a column; the lowest bit is the uppermost dot, and the highest one hangs below the baseline.
 */
const glyphs = [
  '0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649562050 0000070000',
  '001c224100 0041221c00 2a1c7f1c2a 08083e0808 0080600000 0808080808 0060600000 2010080402',
  '3e5149453e 00427f4000 4261514946 2141454b31 1814127f10 2745454539 3c4a494930 0171090503',
  '3649494936 064949291e 0036360000 0080760000 0814224100 1414141414 0041221408 0201510906',
  '3e415d594e 7c1211127c 7f49494936 3e41414122 7f4141221c 7f49494941 7f09090901 3e4149497a',
  '7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f020c027f 7f0408107f 3e4141413e',
  '7f09090906 3e4151215e 7f09192946 2649494932 01017f0101 3f4040403f 1f2040201f 3f4038403f',
  '6314081463 0708700807 6151494543 007f414100 0204081020 0041417f00 0402010204 4040404040',
  '0001020400 2054545478 7f48444438 3844444420 384444487f 3854545418 087e090102 18a4a4a47c',
  '7f08040478 00447d4000 4080847d00 7f10284400 00417f4000 7c04780478 7c08040478 3844444438',
  'fc24242418 18242424fc 7c08040408 4854545420 043f444020 3c4040207c 1c2040201c 3c4030403c',
  '4428102844 1ca0a0a07c 4464544c44 0008364100 00007f0000 0041360800 0804081008',
]
  .join(' ')
  .split(' ')
  .map((columns) => Buffer.from(columns, 'hex'));

/** Dots are tenths of the size, so sizes are multiples of ten: dots on whole pixels are sharp. */
const dotsPerSize = 10;
const letterDots = 6;

/** What stands for a mark that ASCII lacks. */
const substitutes: Readonly<Record<string, string>> = {
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  '–': '-',
  '—': '-',
  '…': '...',
  '×': 'x',
  '·': '-',
};

/** The built-in letters: ASCII, accents left out; any other character is a box with its code point in hexadecimal. */
export const pixelTypeface: Typeface = {
  fold: (text) => text.replace(/[‘’“”–—…×·]/g, (mark) => substitutes[mark] ?? mark),
  snap: (size) => Math.max(dotsPerSize, size - (size % dotsPerSize)),
  advance: (grapheme) => dotsOf(grapheme) / dotsPerSize,
  line(text, x, y, size, fill) {
    const dot = size / dotsPerSize;
    const letters = Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
    const width = letters.reduce((sum, letter) => sum + dotsOf(letter), 0);
    let left = Math.round(x - (width * dot) / 2);
    let path = '';
    for (const letter of letters) {
      const glyph = glyphOf(letter);
      path += glyph ? dots(glyph, left, y - 7 * dot, dot) : box(letter, left, y, dot);
      left += dotsOf(letter) * dot;
    }
    return `<path d="${path}" fill="${fill}"/>`;
  },
};

/** The glyph of the letter under its accents, when that is ASCII. */
function glyphOf(grapheme: string): Buffer | undefined {
  return glyphs[(grapheme.normalize('NFD').codePointAt(0) ?? 0) - 0x20];
}

/** The width of a grapheme with the space after it. */
function dotsOf(grapheme: string): number {
  if (glyphOf(grapheme)) return letterDots;
  return hexOf(grapheme).length === 4 ? 9 : 12;
}

/** Four or six digits. */
function hexOf(grapheme: string): string {
  const hex = (grapheme.codePointAt(0) ?? 0).toString(16).toUpperCase();
  return hex.padStart(hex.length > 4 ? 6 : 4, '0');
}

/** SVG path data of a glyph whose upper left corner is given: one rectangle for each run of dots in a column. */
function dots(glyph: Buffer, left: number, top: number, dot: number): string {
  let path = '';
  glyph.forEach((column, index) => {
    for (let row = 0; row < 8; row += 1) {
      let length = 0;
      while ((column >> (row + length)) & 1) length += 1;
      if (length > 0) path += `M${left + index * dot} ${top + row * dot}h${dot}v${length * dot}h${-dot}z`;
      row += length;
    }
  });
  return path;
}

/** A frame around the code point in letters of half the size, on two lines. */
function box(grapheme: string, left: number, baseline: number, dot: number): string {
  const hex = hexOf(grapheme);
  const perLine = hex.length / 2;
  const width = (dotsOf(grapheme) - 1) * dot;
  const height = 9.5 * dot;
  const top = baseline - 8 * dot;
  const half = dot / 2;
  // The inner rectangle runs the other way round, which makes it a hole.
  const outer = `M${left} ${top}h${width}v${height}h${-width}z`;
  const inner = `M${left + half} ${top + half}v${height - dot}h${width - dot}v${dot - height}z`;
  const digits = Array.from(hex, (digit, index) => {
    const glyph = glyphOf(digit);
    const column = left + dot + (index % perLine) * letterDots * half;
    const row = top + dot + Math.floor(index / perLine) * 8 * half;
    return glyph ? dots(glyph, column, row, half) : '';
  });
  return outer + inner + digits.join('');
}
