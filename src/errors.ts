/** What each exit code means to a script. `imggen help exit-codes` prints this table. */
export const exitCodes = {
  0: 'all images saved',
  1: 'a fault of imggen itself (a bug)',
  2: 'usage: bad flag, value, file or config',
  3: 'no API key, or the key was refused (401, 403)',
  4: 'the API refused the request: invalid parameter, content policy, failed task',
  5: 'out of credit or still rate limited after the retries (402, 429, insufficient_credit)',
  6: "network: cannot connect, TLS, timeout, 5xx, an answer that is not the API's",
  7: 'incomplete: some images are not saved; `imggen resume` fetches what can still be had',
  8: 'cannot write the output',
  9: '`batch --check`: something is out of date',
  130: 'interrupted by SIGINT (Ctrl-C)',
  143: 'interrupted by SIGTERM',
} as const;

export type ExitCode = keyof typeof exitCodes;

/** Whether a generation may have been charged. */
export type Charged = 'no' | 'maybe' | 'yes';

/** What follows from the reason of a failure. */
interface Consequences {
  exit: ExitCode;
  /**
   * What the reason says of a generation that fails with it. Where `maybe` depends on whether the request had left, the
   * error itself says `no` if it had not.
   */
  charged: Charged;
  /** Whether the same request may succeed a moment later. */
  repeatable?: true;
  /** Whether every other job of a batch would fail in the same way. */
  endsBatch?: true;
}

/** Every reason that imggen gives for a failure. */
const reasons = {
  bug: { exit: 1, charged: 'maybe' },
  usage: { exit: 2, charged: 'no' },
  config: { exit: 2, charged: 'no' },
  no_api_key: { exit: 3, charged: 'no', endsBatch: true },
  key_refused: { exit: 3, charged: 'no', endsBatch: true },
  rejected: { exit: 4, charged: 'no' },
  task_failed: { exit: 4, charged: 'no' },
  out_of_credit: { exit: 5, charged: 'no', endsBatch: true },
  rate_limited: { exit: 5, charged: 'no', repeatable: true },
  network: { exit: 6, charged: 'maybe', repeatable: true },
  not_secure: { exit: 6, charged: 'maybe' },
  timeout: { exit: 6, charged: 'maybe', repeatable: true },
  server_error: { exit: 6, charged: 'maybe', repeatable: true },
  unavailable: { exit: 6, charged: 'no', repeatable: true },
  proxy_failed: { exit: 6, charged: 'no' },
  not_the_api: { exit: 6, charged: 'no' },
  bad_answer: { exit: 6, charged: 'maybe', repeatable: true },
  download_failed: { exit: 6, charged: 'no' },
  incomplete: { exit: 7, charged: 'yes' },
  pending: { exit: 7, charged: 'yes' },
  output: { exit: 8, charged: 'maybe' },
  out_of_date: { exit: 9, charged: 'no' },
  interrupted: { exit: 130, charged: 'maybe' },
  terminated: { exit: 143, charged: 'maybe' },
} as const satisfies Record<string, Consequences>;

export type ErrorCode = keyof typeof reasons;

/** The exit code that a reason ends in. */
export function exitOfCode(code: ErrorCode): ExitCode {
  return reasons[code].exit;
}

/** The hint after a generation of which nobody can say whether it was charged. */
export function hintMayBeCharged(run: string): string {
  return `it may have been generated and charged: look at your usage before you repeat it (run ${run})`;
}

export interface ErrorDetails {
  /** Why it happened, when that helps; shown as the second line. */
  cause?: string | undefined;
  /** What the user can do now; shown as the last line. */
  hint?: string | undefined;
  /** The API's id of the request, to quote to its support. */
  requestId?: string | undefined;
  /** Where the place of the failure knows more than its reason: `no` when the request had not left. */
  charged?: Charged | undefined;
}

/** A failure that has a reason, an exit code and, mostly, a way out. The code that knows the reason makes the error. */
export class ImggenError extends Error {
  override name = 'ImggenError';
  readonly code: ErrorCode;
  readonly reason: string | undefined;
  readonly hint: string | undefined;
  readonly requestId: string | undefined;
  readonly charged: Charged;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message);
    this.code = code;
    this.reason = details.cause;
    this.hint = details.hint;
    this.requestId = details.requestId;
    this.charged = details.charged ?? reasons[code].charged;
  }

  get exit(): ExitCode {
    return exitOfCode(this.code);
  }

  get repeatable(): boolean {
    const row: Consequences = reasons[this.code];
    return row.repeatable === true;
  }

  get endsBatch(): boolean {
    const row: Consequences = reasons[this.code];
    return row.endsBatch === true;
  }
}

/** A mistake in what the user gave: exit 2, nothing was sent. */
export function usageError(message: string, hint?: string): ImggenError {
  return new ImggenError('usage', message, { hint });
}

/** The text of anything that was thrown; a system error keeps its code (`ENOSPC: no space left on device`). */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
