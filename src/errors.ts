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

/** The reasons that imggen gives for a failure, each with the exit code that it ends in. */
const exitOf = {
  bug: 1,
  usage: 2,
  config: 2,
  no_api_key: 3,
  key_refused: 3,
  rejected: 4,
  task_failed: 4,
  out_of_credit: 5,
  rate_limited: 5,
  network: 6,
  timeout: 6,
  server_error: 6,
  unavailable: 6,
  not_the_api: 6,
  bad_answer: 6,
  incomplete: 7,
  pending: 7,
  output: 8,
  out_of_date: 9,
  interrupted: 130,
  terminated: 143,
} as const satisfies Record<string, ExitCode>;

export type ErrorCode = keyof typeof exitOf;

/** The exit code that a reason ends in. */
export function exitOfCode(code: ErrorCode): ExitCode {
  return exitOf[code];
}

export interface ErrorDetails {
  /** Why it happened, when that helps; shown as the second line. */
  cause?: string | undefined;
  /** What the user can do now; shown as the last line. */
  hint?: string | undefined;
  /** The gateway's id of the request, to quote to its support. */
  requestId?: string | undefined;
}

/** A failure that has a reason, an exit code and, mostly, a way out. Whoever knows the reason makes it. */
export class ImggenError extends Error {
  override name = 'ImggenError';
  readonly code: ErrorCode;
  readonly exit: ExitCode;
  readonly reason: string | undefined;
  readonly hint: string | undefined;
  readonly requestId: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message);
    this.code = code;
    this.exit = exitOfCode(code);
    this.reason = details.cause;
    this.hint = details.hint;
    this.requestId = details.requestId;
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
