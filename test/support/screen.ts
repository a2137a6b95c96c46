/** A row of the screen: what each column shows, '' in the second column of a wide character. */
interface Row {
  cells: string[];
  /** Whether it goes on where the row before it had no more room. */
  isWrapped: boolean;
}

/**
 * As much of a terminal as a program needs that moves within its last lines: text, line ends, wrapping, cursor movement,
 * erasing, and the cursor's visibility. It wraps its lines anew when its width changes, as most terminals do. Colours
 * are left out.
 */
export class Screen {
  #rows: Row[] = [{ cells: [], isWrapped: false }];
  #row = 0;
  #column = 0;
  #columns: number;
  /** The control sequence at the end of the last write, as far as it goes. */
  #rest = '';
  /** Whether text goes on in the next row where a row has no more room; else it is cut. */
  #wraps = true;
  cursorVisible = true;
  /** Whether anything was coloured. */
  coloured = false;

  constructor(columns: number) {
    this.#columns = columns;
  }

  /** The lines, each whole, without blanks at their ends and empty lines at the end. */
  text(): string {
    return this.#lines()
      .map((cells) =>
        Array.from(cells, (cell) => cell ?? ' ')
          .join('')
          .trimEnd(),
      )
      .join('\n')
      .trimEnd();
  }

  /** Wraps every line anew; the cursor stays behind the character that it was behind. */
  resize(columns: number): void {
    const before = this.#rows.slice(0, this.#row + 1).filter(({ isWrapped }) => !isWrapped).length - 1;
    const start = this.#rows.findLastIndex(({ isWrapped }, row) => row <= this.#row && !isWrapped);
    const offset = (this.#row - start) * this.#columns + this.#column;
    this.#columns = columns;
    const rows: Row[] = [];
    for (const [line, cells] of this.#lines().entries()) {
      if (line === before) this.#row = rows.length + Math.floor(offset / columns);
      const end = Math.max(cells.length, 1);
      for (let from = 0; from < end; from += columns)
        rows.push({ cells: cells.slice(from, from + columns), isWrapped: from > 0 });
    }
    this.#column = offset % columns;
    this.#rows = rows;
    this.#moveTo(this.#row);
  }

  write(data: string): void {
    const text = this.#rest + data;
    this.#rest = '';
    for (let at = 0; at < text.length;) {
      const [sequence = ''] = /^\u001b(\[[0-9;?]*[A-Za-z]|[^[])/.exec(text.slice(at)) ?? [];
      if (text[at] === '\u001b' && sequence === '') {
        this.#rest = text.slice(at);
        return;
      }
      const character = sequence === '' ? String.fromCodePoint(text.codePointAt(at) as number) : '';
      if (sequence === '') this.#character(character);
      else this.#control(sequence);
      at += sequence.length || character.length;
    }
  }

  /** The cells of the lines, whatever they are wrapped to. */
  #lines(): string[][] {
    const lines: string[][] = [];
    for (const { cells, isWrapped } of this.#rows) {
      if (isWrapped) lines.at(-1)?.push(...cells);
      else lines.push([...cells]);
    }
    return lines;
  }

  #character(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') this.#moveTo(this.#row + 1);
    else if (character === '\b') this.#column = Math.max(0, this.#column - 1);
    else if (character >= ' ') {
      const width = widthOf(character);
      if (this.#column + width > this.#columns && !this.#wraps) return;
      if (this.#column + width > this.#columns) {
        this.#moveTo(this.#row + 1);
        this.#current.isWrapped = true;
        this.#column = 0;
      }
      this.#current.cells[this.#column] = character;
      if (width === 2) this.#current.cells[this.#column + 1] = '';
      this.#column += width;
    }
  }

  #control(sequence: string): void {
    const [, parameters = '', command] = /^\u001b\[([0-9;?]*)([A-Za-z])$/.exec(sequence) ?? [];
    const count = Number(parameters || 1);
    if (command === 'A') this.#moveTo(Math.max(0, this.#row - count));
    else if (command === 'B') this.#moveTo(this.#row + count);
    else if (command === 'C') this.#column += count;
    else if (command === 'D') this.#column = Math.max(0, this.#column - count);
    else if (command === 'G') this.#column = count - 1;
    else if (command === 'K') this.#erase(parameters);
    else if (command === 'J') this.#eraseBelow();
    else if (command === 'm') this.coloured ||= /[1-9]/.test(parameters);
    else if (sequence === '\u001b[?7l') this.#wraps = false;
    else if (sequence === '\u001b[?7h') this.#wraps = true;
    else if (sequence === '\u001b[?25l') this.cursorVisible = false;
    else if (sequence === '\u001b[?25h') this.cursorVisible = true;
  }

  #erase(parameters: string): void {
    const { cells } = this.#current;
    if (parameters === '2') this.#current.cells = [];
    else if (parameters === '1') cells.fill(' ', 0, this.#column + 1);
    else cells.length = Math.min(cells.length, this.#column);
    // A line that ends here goes on nowhere.
    const next = this.#rows[this.#row + 1];
    if (next && parameters !== '1') next.isWrapped = false;
  }

  #eraseBelow(): void {
    this.#erase('');
    this.#rows.length = this.#row + 1;
  }

  #moveTo(row: number): void {
    while (this.#rows.length <= row) this.#rows.push({ cells: [], isWrapped: false });
    this.#row = row;
  }

  get #current(): Row {
    return this.#rows[this.#row] as Row;
  }
}

const wide = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}]/u;

/** The columns that a text takes: two for East Asian writing and emoji, one for everything else. */
export function widthOf(text: string): number {
  return [...text].reduce((sum, character) => sum + (wide.test(character) ? 2 : 1), 0);
}
