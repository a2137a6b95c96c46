import type { Ora } from 'ora';
import { oneLine } from './sanitize.ts';
import type { Host } from './types.ts';

/** How often the block is drawn anew, in milliseconds: elapsed times are in seconds. */
const redrawMs = 1000;

/** A block of lines that stays at the bottom of the terminal while others scroll past above it. */
export class Board {
  readonly #host: Host;
  readonly #lines: () => readonly string[];
  readonly #coloured: boolean;
  readonly #clock: NodeJS.Timeout;
  #ora: Ora | undefined;
  #stopped = false;

  readonly #follow = (): void => this.draw();

  /** @param lines what the block shows at this moment; the first line has the spinner */
  constructor(host: Host, coloured: boolean, lines: () => readonly string[]) {
    this.#host = host;
    this.#coloured = coloured;
    this.#lines = lines;
    this.#clock = setInterval(this.#follow, redrawMs);
    // Before anything is drawn in the new size: a line that wraps would take others with it when it goes.
    host.stderr.on('resize', this.#follow);
    void this.#start();
  }

  draw(): void {
    if (this.#ora) this.#ora.text = this.#text();
  }

  /** Writes something above the block: at once, as terminals take it, so that the block cannot come between. */
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
    this.#host.stderr.off('resize', this.#follow);
    this.#ora?.stop();
  }

  async #start(): Promise<void> {
    const { default: ora } = await import('ora');
    if (this.#stopped) return;
    // stdin stays as it is: Ctrl-C must reach the process as a signal.
    const options = { stream: this.#host.stderr, discardStdin: false, isEnabled: true, text: this.#text() };
    this.#ora = ora({ ...options, color: this.#coloured ? 'cyan' : false }).start();
  }

  /** No line may wrap, and the block must be lower than the terminal. */
  #text(): string {
    const { columns, rows } = this.#host.stderr;
    return this.#lines()
      .slice(0, Math.max(1, rows - 2))
      .map((line) => cut(oneLine(line), columns - 3))
      .join('\n');
  }
}

/** The start of a line that fits: counted as if every character beyond ASCII were wide. */
function cut(line: string, width: number): string {
  let used = 0;
  let end = 0;
  for (const character of line) {
    used += character < '\u0080' ? 1 : 2;
    if (used > width - 1) return `${line.slice(0, end)}…`;
    end += character.length;
  }
  return line;
}
