/** Letters for SVG. Sizes and coordinates are in pixels, advances in parts of the size. */
export interface Typeface {
  /** Brings a text into a form that the typeface can show best. */
  fold(text: string): string;
  /** A size near the given one in which it looks right. */
  snap(size: number): number;
  /** The width of one grapheme; an estimate on the wide side where it cannot be known. */
  advance(grapheme: string): number;
  /** One line, centred on x, standing on the baseline y. */
  line(text: string, x: number, y: number, size: number, fill: string): string;
}

const pictures = /^[\p{Emoji_Presentation}\p{Extended_Pictographic}]/u;
/** The East Asian scripts with their punctuation and full-width forms. */
const squares = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff00-\uffef]/u;

/** The machine's own fonts. What they lack, Pango draws as a box with the code point in it. */
export const systemTypeface: Typeface = {
  fold: (text) => text,
  snap: Math.round,
  advance(grapheme) {
    if (pictures.test(grapheme)) return 1.35;
    if (squares.test(grapheme)) return 1;
    if (/^[ iIjlftr.,:;!'|()[\]]/.test(grapheme)) return 0.38;
    if (/^[mwMW@%—…]/.test(grapheme)) return 0.98;
    return /^\p{Lu}/u.test(grapheme) ? 0.72 : 0.6;
  },
  line(text, x, y, size, fill) {
    const at = `x="${x}" y="${y}" font-size="${size}" fill="${fill}"`;
    return `<text ${at} font-family="sans-serif" text-anchor="middle">${escapeXml(text)}</text>`;
  },
};

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
