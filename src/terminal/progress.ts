import { Live } from './live.ts';
import { oneLine } from './sanitize.ts';
import type { Terminal } from './terminal.ts';
import type { Host, Progress } from './types.ts';

/** Progress as a spinner on a terminal, as one plain line elsewhere, and as nothing with --quiet. */
export function createProgress(host: Host, terminal: Terminal): Progress {
  if (terminal.isQuiet) return silent;
  return terminal.isInteractive ? new Spinner(host, terminal.paint.level > 0) : new PlainSteps(terminal);
}

export const silent: Progress = { step() {}, detail() {}, stop() {} };

class PlainSteps implements Progress {
  readonly #terminal: Terminal;
  #said = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Only the start of the request is told; its end is the run's last line. */
  step(text: string): void {
    if (!this.#said) this.#terminal.info(oneLine(text));
    this.#said = true;
  }

  detail(): void {}
  stop(): void {}
}

class Spinner implements Progress {
  readonly #host: Host;
  readonly #coloured: boolean;
  #live: Live | undefined;
  #text = '';
  #detail = '';
  #startedAt = 0;

  constructor(host: Host, coloured: boolean) {
    this.#host = host;
    this.#coloured = coloured;
  }

  step(text: string): void {
    this.#text = text;
    this.#startedAt = performance.now();
    this.detail('');
  }

  detail(text: string): void {
    this.#detail = text;
    this.#live ??= new Live(this.#host, this.#coloured, () => [this.#line()]);
    this.#live.draw();
  }

  stop(): void {
    this.#live?.stop();
  }

  #line(): string {
    const seconds = Math.floor((performance.now() - this.#startedAt) / 1000);
    const elapsed = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    return [this.#text, this.#detail, elapsed].filter(Boolean).join(' · ');
  }
}
