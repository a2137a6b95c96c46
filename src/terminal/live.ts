import { stripVTControlCharacters } from 'node:util';
import type { Ora } from 'ora';
import { oneLine } from './sanitize.ts';
import type { Host } from './types.ts';

/** How often the lines are read anew, in milliseconds: elapsed times are in seconds. */
const redrawMs = 1000;

/** Control sequences: what is written from now on is cut at the right margin, or goes on in the next row. */
const [noWrap, wrap] = ['\u001b[?7l', '\u001b[?7h'];

/** A line, or a block of lines, with a spinner: it stays at the bottom of the terminal while others scroll past above. */
export class Live {
  readonly #host: Host;
  readonly #lines: () => readonly string[];
  readonly #coloured: boolean;
  readonly #clock: NodeJS.Timeout;
  #ora: Ora | undefined;
  #widthOf: (text: string) => number = () => 0;
  #stopped = false;

  readonly #resized = (): void => this.#drawAnew();

  /** @param lines what to show at this moment; the first line has the spinner */
  constructor(host: Host, coloured: boolean, lines: () => readonly string[]) {
    this.#host = host;
    this.#coloured = coloured;
    this.#lines = lines;
    this.#clock = setInterval(() => this.draw(), redrawMs);
    host.stderr.on('resize', this.#resized);
    void this.#start();
  }

  /** Shows what the lines are now, with the next turn of the spinner. */
  draw(): void {
    const ora = this.#ora;
    if (!ora) return;
    const before = ora.text;
    ora.text = this.#text();
    // So that #drawAnew() knows how many lines are drawn.
    if (ora.text.split('\n').length !== before.split('\n').length) ora.render();
  }

  /** Writes something above the lines: at once, as terminals take it, so that the lines cannot come between. */
  async above(write: () => Promise<void> | void): Promise<void> {
    this.draw();
    this.#ora?.clear();
    const written = write();
    if (!this.#stopped) this.#ora?.render();
    await written;
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#clock);
    this.#host.stderr.off('resize', this.#resized);
    this.#ora?.stop();
  }

  async #start(): Promise<void> {
    const [{ default: ora }, { default: stringWidth }] = await Promise.all([import('ora'), import('string-width')]);
    if (this.#stopped) return;
    // Terminals disagree on what joins to one emoji: the sum of the parts is never too little.
    this.#widthOf = (text) => Array.from(text).reduce((sum, character) => sum + stringWidth(character), 0);
    // stdin stays as it is: Ctrl-C must reach the process as a signal.
    const options = { stream: this.#host.stderr, discardStdin: false, isEnabled: true, text: this.#text() };
    this.#ora = ora({ ...options, color: this.#coloured ? 'cyan' : false }).start();
  }

  /**
   * A terminal that became narrower has wrapped the drawn lines: they take more rows than ora counts. The resize event
   * may come late, after lines in the new width were drawn; the upper rows of the wrapped ones are then still there.
   */
  #drawAnew(): void {
    const ora = this.#ora;
    if (!ora) return;
    const stream = this.#host.stderr;
    const drawn = stripVTControlCharacters(ora.text).split('\n');
    const rows = drawn.map((line, k) => Math.ceil((this.#widthOf(line) + (k === 0 ? 2 : 0)) / stream.columns) || 1);
    const more = rows.reduce((sum, count) => sum + count, 0) - drawn.length;
    ora.text = this.#text();
    ora.clear();
    stream.write(`${more > 0 ? `\u001b[${more}A` : ''}\u001b[J\r`);
  }

  /** No line may wrap, and the block must be lower than the terminal. */
  #text(): string {
    const { columns, rows } = this.#host.stderr;
    const lines = this.#lines()
      .slice(0, Math.max(1, rows - 2))
      .map((line) => this.#cut(oneLine(line), columns - 3));
    return `${noWrap}${lines.join('\n')}${wrap}`;
  }

  /** The start of a line that fits into some columns. */
  #cut(line: string, columns: number): string {
    let used = 0;
    let end = 0;
    for (const character of line) {
      used += this.#widthOf(character);
      if (used > columns - 1) return this.#widthOf(line) > columns ? `${line.slice(0, end)}…` : line;
      end += character.length;
    }
    return line;
  }
}
