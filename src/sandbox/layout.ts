import type { Typeface } from './typeface.ts';

/** A text that was fitted into a box: its lines and the size of its letters in pixels. */
interface Block {
  lines: string[];
  size: number;
}

/** From baseline to baseline, in parts of the size. */
export const lineHeight = 1.3;

/** More than any box shows; keeps the work on a long prompt small. In UTF-16 units. */
const longest = 1500;

/** Ends in a mark that belongs to the word after it. */
const opening = /[\p{Ps}\p{Pi}"'#@<]$/u;

const words = new Intl.Segmenter(undefined, { granularity: 'word' });
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * Breaks a text into lines in the largest of the sizes in which it fits into the box; in the smallest one, what is too
 * long ends in an ellipsis.
 * @param box in pixels
 * @param sizes of the letters in pixels, largest first
 */
export function fit(
  text: string,
  typeface: Typeface,
  box: { width: number; height: number },
  sizes: readonly number[],
): Block {
  const pieces = piecesOf(typeface.fold(printable(text)), typeface);
  let block: Block = { lines: [], size: 1 };
  for (const wanted of sizes) {
    const size = typeface.snap(wanted);
    const rows = Math.max(1, Math.floor(box.height / (size * lineHeight)));
    const lines = wrap(pieces, typeface, box.width / size);
    if (lines.length <= rows) return { lines, size };
    block = { lines: ellipsized(lines.slice(0, rows), typeface, box.width / size), size };
  }
  return block;
}

/** What XML allows and a picture can show: no control characters, lone surrogates or changes of direction. */
function printable(text: string): string {
  const start = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return start
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .replace(/[\p{Cs}\u202a-\u202e\u2066-\u2069\ufffe\uffff]/gu, '')
    .trim();
}

/** What stays together on a line: a word with the punctuation that clings to it, in scripts without spaces too. */
interface Piece {
  text: string;
  /** Whether a space goes before it, within a line. */
  spaced: boolean;
  /** In parts of the letters' size, as all widths here. */
  width: number;
}

function piecesOf(text: string, typeface: Typeface): Piece[] {
  const found: Piece[] = [];
  let spaced = false;
  for (const { segment, isWordLike } of words.segment(text)) {
    if (segment === ' ') {
      spaced = true;
      continue;
    }
    const last = found.at(-1);
    const width = widthOf(segment, typeface);
    if (last && !spaced && (!isWordLike || opening.test(last.text))) {
      last.text += segment;
      last.width += width;
    } else {
      found.push({ text: segment, spaced, width });
    }
    spaced = false;
  }
  return found;
}

function wrap(pieces: readonly Piece[], typeface: Typeface, width: number): string[] {
  const space = typeface.advance(' ');
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const piece of pieces) {
    const gap = piece.spaced && line !== '' ? space : 0;
    if (used + gap + piece.width <= width) {
      line += (gap > 0 ? ' ' : '') + piece.text;
      used += gap + piece.width;
      continue;
    }
    if (line !== '') lines.push(line);
    const parts = chop(piece.text, typeface, width);
    lines.push(...parts.slice(0, -1));
    line = parts.at(-1) ?? '';
    used = widthOf(line, typeface);
  }
  return line === '' ? lines : [...lines, line];
}

/** A piece that may be wider than a line, in parts that are not. */
function chop(text: string, typeface: Typeface, width: number): string[] {
  const parts: string[] = [];
  let part = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const advance = typeface.advance(segment);
    if (part !== '' && used + advance > width) {
      parts.push(part);
      part = '';
      used = 0;
    }
    part += segment;
    used += advance;
  }
  return [...parts, part];
}

function ellipsized(lines: string[], typeface: Typeface, width: number): string[] {
  const ellipsis = typeface.fold('…');
  const last = Array.from(graphemes.segment(lines.at(-1) ?? ''), ({ segment }) => segment);
  while (last.length > 0 && widthOf(last.join('') + ellipsis, typeface) > width) last.pop();
  return [...lines.slice(0, -1), last.join('').trimEnd() + ellipsis];
}

function widthOf(text: string, typeface: Typeface): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += typeface.advance(segment);
  return width;
}
