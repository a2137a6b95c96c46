import type { Services } from '../../generate/services.ts';
import { Tally } from './tally.ts';
import { type BatchEvent, type EventError, upToDate } from '../jobs/types.ts';
import { Board } from '../../terminal/board.ts';
import { formatDuration } from '../../terminal/format.ts';
import { oneLine } from '../../terminal/sanitize.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import type { Host, Progress } from '../../terminal/types.ts';
import { harmless } from './github.ts';

/** Who is told of what happens in a batch. */
export interface BatchReporter {
  emit(event: BatchEvent): Promise<void>;
  /** What one job tells while it is under way. */
  ofJob(job: string): Pick<Services, 'progress' | 'onWarning' | 'onRetry'>;
  stop(): void;
}

/** JSON Lines with `--json`, a live block on a terminal, else one line a finished job. */
export function createReporter(json: boolean, file: string, host: Host, terminal: Terminal): BatchReporter {
  if (json) return new JsonLines(terminal);
  return terminal.isInteractive && !terminal.isQuiet
    ? new LiveBlock(file, host, terminal)
    : new PlainLines(file, host, terminal);
}

const silent: Progress = { step() {}, detail() {}, stop() {} };

class JsonLines implements BatchReporter {
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  async emit(event: BatchEvent): Promise<void> {
    await this.#terminal.jsonLine(event);
  }

  ofJob(job: string): ReturnType<BatchReporter['ofJob']> {
    return {
      progress: silent,
      onWarning: (text) => this.#terminal.warn(`${job}: ${text}`),
      onRetry: (reason, waitMs) =>
        void this.emit({ type: 'retry', job, reason, wait_ms: Math.round(waitMs) }).catch(() => {}),
    };
  }

  stop(): void {}
}

class PlainLines implements BatchReporter {
  protected readonly tally = new Tally();
  protected readonly terminal: Terminal;
  readonly #file: string;
  readonly #host: Host;

  constructor(file: string, host: Host, terminal: Terminal) {
    this.#file = file;
    this.#host = host;
    this.terminal = terminal;
  }

  async emit(event: BatchEvent): Promise<void> {
    this.tally.add(event);
    await this.tell(event);
  }

  ofJob(job: string): ReturnType<BatchReporter['ofJob']> {
    return {
      progress: silent,
      onWarning: (text) => this.warn(`${job}: ${text}`),
      onRetry: (reason, waitMs) =>
        void this.emit({ type: 'retry', job, reason, wait_ms: Math.round(waitMs) }).catch(() => {}),
    };
  }

  stop(): void {}

  protected warn(text: string): void {
    this.terminal.warn(text);
  }

  protected async tell(event: BatchEvent): Promise<void> {
    const { terminal, tally } = this;
    switch (event.type) {
      case 'planned':
        terminal.info(planned(event));
        break;
      case 'saved':
        await this.#saved(event);
        break;
      case 'failed':
        terminal.problem(`${this.count()} ${event.job} (${this.#file}:${event.line}): ${reasonOf(event.error)}`);
        break;
      case 'summary':
        if (tally.total > 0) terminal.info(terminal.paint.dim(summed(event, tally)));
        break;
      case 'retry':
        terminal.info(
          `${oneLine(event.job)}: ${oneLine(event.reason)}, trying again in ${formatDuration(event.wait_ms)}`,
        );
        break;
      case 'started':
      case 'skipped':
        break;
    }
  }

  /** Where stdout is a terminal, a path is nobody's data, and one line says it all. */
  async #saved({ job, paths, elapsed_ms: elapsed }: Extract<BatchEvent, { type: 'saved' }>): Promise<void> {
    const { terminal } = this;
    const fact = terminal.isQuiet ? '' : `${this.count()} ${formatDuration(elapsed)}  `;
    if (!terminal.isStdoutTerminal) terminal.info(`${fact}${oneLine(job)}`);
    const lines = terminal.isStdoutTerminal
      ? paths.map((path, position) => `${position === 0 ? fact : ' '.repeat(fact.length)}${oneLine(path)}`)
      : paths.map((path) => harmless(path, this.#host));
    await terminal.data(lines.join('\n'));
  }

  /** `[3/12]`: how many jobs are over. */
  protected count(): string {
    return `[${this.tally.over}/${this.tally.total}]`;
  }
}

class LiveBlock extends PlainLines {
  readonly #board: Board;

  constructor(file: string, host: Host, terminal: Terminal) {
    super(file, host, terminal);
    this.#board = new Board(host, terminal.paint.level > 0, () => blockOf(this.tally));
  }

  override async emit(event: BatchEvent): Promise<void> {
    this.tally.add(event);
    if (event.type === 'summary') this.stop();
    const isSilent = event.type === 'started' || event.type === 'retry' || event.type === 'skipped';
    if (isSilent) this.#board.draw();
    else await this.#board.above(() => this.tell(event));
  }

  override ofJob(job: string): ReturnType<BatchReporter['ofJob']> {
    const step = (text: string) => this.tally.step(job, text);
    return { ...super.ofJob(job), progress: { step, detail: step, stop() {} } };
  }

  protected override warn(text: string): void {
    void this.#board.above(() => this.terminal.warn(text));
  }

  override stop(): void {
    this.#board.stop();
  }
}

function planned({ jobs, due, up_to_date: fresh, images }: Extract<BatchEvent, { type: 'planned' }>): string {
  const rest = fresh === 0 ? '' : `, ${fresh} up to date`;
  if (due === 0) return `${count(jobs, 'job')}: everything is ${upToDate}`;
  return `${count(jobs, 'job')}: ${due} to do (${count(images, 'image')} to generate)${rest}`;
}

function summed(
  { saved, failed, skipped, images, usage, elapsed_ms: elapsed }: Extract<BatchEvent, { type: 'summary' }>,
  { upToDate: fresh }: Tally,
): string {
  return [
    `${count(saved, 'job')} done in ${formatDuration(elapsed)}`,
    count(images, 'image'),
    failed > 0 ? `${failed} failed` : '',
    skipped > 0 ? `${skipped} not begun` : '',
    fresh > 0 ? `${fresh} ${upToDate}` : '',
    usage.total_tokens ? `${usage.total_tokens} tokens` : '',
  ]
    .filter(Boolean)
    .join(' · ');
}

/** The live block: the sums, then what is in flight, longest first. */
function blockOf(tally: Tally): string[] {
  const { over, total, failed, images, tokens, inFlight, leftMs } = tally;
  const head = [
    `${over} of ${total} jobs`,
    failed > 0 ? `${failed} failed` : '',
    count(images, 'image'),
    tokens > 0 ? `${tokens} tokens` : '',
    leftMs === undefined ? '' : `about ${formatDuration(leftMs)} left`,
  ];
  const lines = [...inFlight].map(
    ([job, { startedAt, step }]) =>
      `· ${job} · ${Math.floor((performance.now() - startedAt) / 1000)} s${step && ` · ${step}`}`,
  );
  return [head.filter(Boolean).join(' · '), ...lines];
}

/** A failure in one line. */
export function reasonOf({ message, cause }: EventError): string {
  return cause === null ? message : `${message}: ${cause}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
