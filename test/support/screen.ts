/** A terminal without colours: text, line ends, cursor movement, erasing, and the cursor's visibility. */
export class Screen {
  readonly #lines: string[][] = [[]];
  #row = 0;
  #column = 0;
  /** The incomplete control sequence at the end of the last chunk. */
  #rest = '';
  cursorVisible = true;
  /** Whether anything was coloured. */
  coloured = false;

  /** The text, without blanks at the ends of lines and empty lines at its end. */
  text(): string {
    const lines = this.#lines.map((line) =>
      Array.from(line, (character) => character ?? ' ')
        .join('')
        .trimEnd(),
    );
    return lines.join('\n').trimEnd();
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
      if (sequence === '') this.#character(text[at] as string);
      else this.#control(sequence);
      at += sequence.length || 1;
    }
  }

  #character(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') this.#moveTo(this.#row + 1);
    else if (character === '\b') this.#column = Math.max(0, this.#column - 1);
    else if (character >= ' ') {
      this.#line()[this.#column] = character;
      this.#column += 1;
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
    else if (command === 'm') this.coloured ||= /[1-9]/.test(parameters);
    else if (sequence === '\u001b[?25l') this.cursorVisible = false;
    else if (sequence === '\u001b[?25h') this.cursorVisible = true;
  }

  #erase(parameters: string): void {
    if (parameters === '2') this.#lines[this.#row] = [];
    else if (parameters === '1') this.#line().fill(' ', 0, this.#column + 1);
    else this.#line().length = Math.min(this.#line().length, this.#column);
  }

  #moveTo(row: number): void {
    while (this.#lines.length <= row) this.#lines.push([]);
    this.#row = row;
  }

  #line(): string[] {
    return this.#lines[this.#row] as string[];
  }
}
