import type { Services } from '../../generate/services.ts';
import { formatDuration } from '../../terminal/format.ts';
import { Live } from '../../terminal/live.ts';
import { silent } from '../../terminal/progress.ts';
import { oneLine } from '../../terminal/sanitize.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import type { Host } from '../../terminal/types.ts';
import { type BatchEvent, upToDate } from '../jobs/types.ts';
import { harmless } from './github.ts';
import { Tally } from './tally.ts';
import { count } from './words.ts';

type EventOf<Type extends BatchEvent['type']> = Extract<BatchEvent, { type: Type }>;

/** Shows what happens in a batch. */
export interface BatchReporter {
  /** Throws ImggenError `output` when stdout cannot be written. */
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

class JsonLines implements BatchReporter {
  protected readonly terminal: Terminal;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  async emit(event: BatchEvent): Promise<void> {
    await this.terminal.jsonLine(event);
  }

  ofJob(job: string): ReturnType<BatchReporter['ofJob']> {
    const onRetry = (reason: string, waitMs: number) =>
      void this.emit({ type: 'retry', job, reason, wait_ms: Math.round(waitMs) }).catch(() => {});
    return { progress: silent, onWarning: (text) => this.warn(`${job}: ${text}`), onRetry };
  }

  stop(): void {}

  protected warn(text: string): void {
    this.terminal.warn(text);
  }
}

class PlainLines extends JsonLines {
  protected readonly tally = new Tally();
  readonly #file: string;
  readonly #host: Host;

  constructor(file: string, host: Host, terminal: Terminal) {
    super(terminal);
    this.#file = file;
    this.#host = host;
  }

  override async emit(event: BatchEvent): Promise<void> {
    this.tally.add(event);
    await this.tell(event);
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
        terminal.problem(`${this.#over} ${event.job} (${this.#file}:${event.line}): ${event.error.message}`);
        await this.#paths(event.paths, '');
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
      case 'interrupted':
      case 'skipped':
        break;
    }
  }

  async #saved({ job, paths, elapsed_ms: elapsed }: EventOf<'saved'>): Promise<void> {
    const { terminal } = this;
    const fact = terminal.isQuiet ? '' : `${this.#over} ${formatDuration(elapsed)}  `;
    if (!terminal.isStdoutTerminal) terminal.info(`${fact}${oneLine(job)}`);
    await this.#paths(paths, fact);
  }

  /** Paths as data for a script; where stdout is a terminal, after a fact for people, which the first line has. */
  async #paths(paths: readonly string[], fact: string): Promise<void> {
    if (paths.length === 0) return;
    const lines = this.terminal.isStdoutTerminal
      ? paths.map((path, position) => `${position === 0 ? fact : ' '.repeat(fact.length)}${oneLine(path)}`)
      : paths.map((path) => harmless(path, this.#host));
    await this.terminal.data(lines.join('\n'));
  }

  /** `[3/12]`: how many jobs are over. */
  get #over(): string {
    return `[${this.tally.over}/${this.tally.total}]`;
  }
}

class LiveBlock extends PlainLines {
  readonly #live: Live;

  constructor(file: string, host: Host, terminal: Terminal) {
    super(file, host, terminal);
    this.#live = new Live(host, terminal.paint.level > 0, () => blockOf(this.tally));
  }

  override async emit(event: BatchEvent): Promise<void> {
    this.tally.add(event);
    if (event.type === 'summary') this.stop();
    const isShown = ['planned', 'saved', 'failed', 'summary'].includes(event.type);
    if (isShown) await this.#live.above(() => this.tell(event));
    else this.#live.draw();
  }

  override ofJob(job: string): ReturnType<BatchReporter['ofJob']> {
    const step = (text: string) => this.tally.step(job, text);
    return { ...super.ofJob(job), progress: { step, detail: step, stop() {} } };
  }

  protected override warn(text: string): void {
    void this.#live.above(() => this.terminal.warn(text));
  }

  override stop(): void {
    this.#live.stop();
  }
}

function planned({ jobs, due, up_to_date: fresh, images }: EventOf<'planned'>): string {
  const rest = fresh === 0 ? '' : `, ${fresh} up to date`;
  if (due === 0) return `${count(jobs, 'job')}: everything is ${upToDate}`;
  return `${count(jobs, 'job')}: ${due} to do (${count(images, 'image')} to generate)${rest}`;
}

function summed(summary: EventOf<'summary'>, { upToDate: fresh }: Tally): string {
  const { saved, failed, interrupted, skipped, images, usage, elapsed_ms: elapsed } = summary;
  return [
    `${count(saved, 'job')} done in ${formatDuration(elapsed)}`,
    count(images, 'image'),
    failed > 0 ? `${failed} failed` : '',
    interrupted > 0 ? `${interrupted} interrupted` : '',
    skipped > 0 ? `${skipped} not begun` : '',
    fresh > 0 ? `${fresh} ${upToDate}` : '',
    usage.total_tokens ? `${usage.total_tokens} tokens` : '',
  ]
    .filter(Boolean)
    .join(' · ');
}

/** The live block: the sums, then the jobs under way, longest first. */
function blockOf(tally: Tally): string[] {
  const { over, total, failed, images, tokens, inFlight, leftMs } = tally;
  const head = [
    `${over} of ${total} jobs`,
    failed > 0 ? `${failed} failed` : '',
    count(images, 'image'),
    tokens > 0 ? `${tokens} tokens` : '',
    leftMs === undefined ? '' : `about ${formatDuration(leftMs)} left`,
  ];
  const lines = [...inFlight].map(([job, { startedAt, step }]) =>
    [`· ${job}`, `${Math.floor((performance.now() - startedAt) / 1000)} s`, step].filter(Boolean).join(' · '),
  );
  return [head.filter(Boolean).join(' · '), ...lines];
}
