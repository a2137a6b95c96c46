import type { Ora } from 'ora';
import { oneLine } from './sanitize.ts';
import type { Terminal } from './terminal.ts';
import type { Host, Progress } from './types.ts';

/** Progress as a spinner on a terminal, as one plain line a step elsewhere, and as nothing with --quiet. */
export function createProgress(host: Host, terminal: Terminal): Progress {
  if (terminal.isQuiet) return { step() {}, detail() {}, stop() {} };
  return terminal.isInteractive ? new Spinner(host, terminal.paint.level > 0) : new PlainSteps(terminal);
}

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
  #ora: Ora | undefined;
  #text = '';
  #detail = '';
  #startedAt = 0;
  #clock: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(host: Host, coloured: boolean) {
    this.#host = host;
    this.#coloured = coloured;
  }

  step(text: string): void {
    this.#text = oneLine(text);
    this.#detail = '';
    this.#startedAt = Date.now();
    if (this.#clock === undefined) void this.#start();
    else this.#render();
  }

  detail(text: string): void {
    this.#detail = oneLine(text);
    this.#render();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#clock);
    this.#ora?.stop();
  }

  async #start(): Promise<void> {
    this.#clock = setInterval(() => this.#render(), 1000);
    const { default: ora } = await import('ora');
    if (this.#stopped) return;
    // stdin stays as it is: Ctrl-C must reach the process as a signal.
    const options = { stream: this.#host.stderr, discardStdin: false, isEnabled: true, text: this.#line() };
    this.#ora = ora({ ...options, color: this.#coloured ? 'cyan' : false }).start();
  }

  #render(): void {
    if (this.#ora) this.#ora.text = this.#line();
  }

  #line(): string {
    const seconds = Math.floor((Date.now() - this.#startedAt) / 1000);
    const elapsed = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    return [this.#text, this.#detail, elapsed].filter(Boolean).join(' · ');
  }
}
