import { Chalk } from 'chalk';
import { ImggenError, messageOf } from '../errors.ts';
import { oneLine, safeJson } from './sanitize.ts';
import type { Host } from './types.ts';

export interface TerminalOptions {
  /** Only errors on stderr. */
  quiet?: boolean;
  /** Details and stack traces on stderr. */
  verbose?: boolean;
}

/** The colours that are used for people; `level` is 0 where there are none. */
export type Paint = { readonly level: number } & Readonly<
  Record<'red' | 'yellow' | 'green' | 'cyan' | 'dim', (text: string) => string>
>;

const same = (text: string) => text;
/** Without colours chalk need not be loaded. */
const plain: Paint = { level: 0, red: same, yellow: same, green: same, cyan: same, dim: same };

/**
 * The two output streams. stdout gets data as it is; stderr gets lines for people, without anything that a terminal
 * would obey. The host's redactor cleans stderr and every JSON document of secrets.
 */
export class Terminal {
  readonly #host: Host;
  readonly #options: TerminalOptions;
  #paint: Paint | undefined;
  /** Whether a write has failed: nothing more is written then. */
  #stdoutClosed = false;

  constructor(host: Host, options: TerminalOptions = {}) {
    this.#host = host;
    this.#options = options;
  }

  get paint(): Paint {
    return (this.#paint ??= hasColour(this.#host) ? new Chalk({ level: 1 }) : plain);
  }

  /** Whether stderr is a terminal on which lines may move: not in CI, not on a dumb one. */
  get isInteractive(): boolean {
    const { stderr, env } = this.#host;
    // A spinner cannot count its lines on a pseudo-terminal that reports no columns.
    return stderr.isTTY && stderr.columns > 0 && env.TERM !== 'dumb' && !env.CI;
  }

  get isQuiet(): boolean {
    return this.#options.quiet === true;
  }

  /** Whether a person is there who can be asked. */
  get canAsk(): boolean {
    const { stdin, stderr } = this.#host;
    return stdin.isTTY && stderr.isTTY;
  }

  /** Whether a person sees stdout. */
  get isStdoutTerminal(): boolean {
    return this.#host.stdout.isTTY;
  }

  /** A line for people: not with --quiet. */
  info(line: string): void {
    if (!this.#options.quiet) this.#line(line);
  }

  /** A line for people that stays without its end, for what stdout then adds on a shared terminal. */
  lead(text: string): void {
    if (!this.#options.quiet) this.#host.stderr.write(this.#host.redactor.redact(text));
  }

  warn(line: string): void {
    if (!this.#options.quiet) this.#line(`${this.paint.yellow('warning:')} ${oneLine(line)}`);
  }

  /** A line of --verbose. */
  detail(line: string): void {
    if (this.#options.verbose) this.#line(this.paint.dim(oneLine(line)));
  }

  /** A line that is shown with --quiet too. */
  always(line: string): void {
    this.#line(line);
  }

  /** One line of an error, shown with --quiet too: what happened, its cause, or what to do now. */
  problem(text: string, part: 'error' | 'cause' | 'hint' = 'error'): void {
    const colour = { error: this.paint.red, cause: this.paint.dim, hint: this.paint.cyan }[part];
    this.#line(`${colour(`${part}:`)} ${oneLine(text)}`);
  }

  /** An error in at most three lines, and the stack when it is a fault of imggen or --verbose asks for it. */
  error(error: unknown): void {
    const known = error instanceof ImggenError ? error : undefined;
    this.problem(messageOf(error));
    if (known?.reason) this.problem(known.reason, 'cause');
    const hint = known ? known.hint : 'this is a fault of imggen; please report it with the lines below';
    if (hint) this.problem(hint, 'hint');
    const stack = error instanceof Error ? error.stack : undefined;
    if (stack && (!known || this.#options.verbose)) {
      for (const line of stack.split('\n').slice(1)) this.#line(this.paint.dim(`  ${oneLine(line)}`));
    }
  }

  /** Data: one line on stdout. */
  async data(line: string): Promise<void> {
    await this.bytes(Buffer.from(`${line}\n`));
  }

  /** Data: a JSON document on stdout. */
  async json(value: unknown): Promise<void> {
    await this.data(this.#host.redactor.redact(safeJson(value, 2)));
  }

  /** The same on one line, where more documents may come before it or after. */
  async jsonLine(value: unknown): Promise<void> {
    await this.data(this.#host.redactor.redact(safeJson(value)));
  }

  /**
   * Writes data and waits until stdout has taken it. False when the reader has gone away (`| head`), which is no error.
   * Throws ImggenError `output`.
   */
  bytes(chunk: Uint8Array): Promise<boolean> {
    if (this.#stdoutClosed) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      const { stdout } = this.#host;
      const onError = (error: NodeJS.ErrnoException) => {
        this.#stdoutClosed = true;
        if (error.code === 'EPIPE') resolve(false);
        else reject(new ImggenError('output', 'cannot write to stdout', { cause: error.message }));
      };
      stdout.write(chunk, (error) => (error ? onError(error) : resolve(true)));
    });
  }

  #line(line: string): void {
    this.#host.stderr.write(`${this.#host.redactor.redact(line)}\n`);
  }
}

/** NO_COLOR, FORCE_COLOR, TERM and the terminal's own abilities, as Node reads them. */
function hasColour({ stderr, env }: Host): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return stderr.isTTY && stderr.hasColors(env as Record<string, string>);
}
