import { type ErrorCode, type ErrorDetails, ImggenError } from '../errors.ts';

/** A failure of the network, with what is known of the request's fate. */
export class NetworkFault extends ImggenError {
  /** False when the request surely never left: then, and only then, a generation may be sent again. */
  readonly sent: boolean;
  /** Whether another try could help. */
  readonly passing: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails & { sent: boolean; passing?: boolean }) {
    super(code, message, details);
    this.sent = details.sent;
    this.passing = details.passing ?? true;
  }
}

const notTrusted =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|EPROTO$|ERR_SSL_)/;
const causes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name could not be looked up',
  ENETUNREACH: 'the network is not reachable',
  EHOSTUNREACH: 'the host is not reachable',
  ETIMEDOUT: 'it did not answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'it did not answer in time',
  UND_ERR_PRX_TLS: 'the proxy refused the connection',
};

/**
 * What it means that an exchange with `host` failed with `error`. `sent` as in NetworkFault; `paid` when the request
 * costs money, so that the hint says what that means.
 */
export function networkFault(
  error: unknown,
  host: string,
  { sent, paid }: { sent: boolean; paid: boolean },
): NetworkFault {
  const { code, message } = innermost(error);
  if (notTrusted.test(code)) {
    return new NetworkFault('network', `no secure connection to ${host}`, {
      cause: `${message} (${code})`,
      hint: 'if the certificate is right, name its authority: NODE_EXTRA_CA_CERTS=<file>',
      sent,
      passing: false,
    });
  }
  // Also a body that is not what its Content-Encoding says (zlib, Brotli).
  if (
    /^(HPE_|HTTPParserError$|UND_ERR_HEADERS_OVERFLOW$|UND_ERR_RES_CONTENT_LENGTH_MISMATCH$|Z_DATA_|ERR__ERROR_)/.test(
      code,
    )
  ) {
    return new NetworkFault('bad_answer', `the answer of ${host} is not proper HTTP`, {
      cause: message,
      hint: sent && paid ? hintUnknown : undefined,
      sent,
      passing: false,
    });
  }
  if (!sent) {
    return new NetworkFault('network', `cannot connect to ${host}`, {
      cause: causes[code] ?? `${message}${code ? ` (${code})` : ''}`,
      hint: paid ? 'check the network, a proxy in HTTPS_PROXY, and --base-url; nothing was sent' : undefined,
      sent,
    });
  }
  return new NetworkFault('network', `the connection to ${host} was lost before the answer was complete`, {
    cause: closed.includes(message) ? 'it was closed by the other side' : message,
    hint: paid ? hintUnknown : undefined,
    sent,
  });
}

/** For every failure after which nobody can say whether the images were made. */
export const hintUnknown = 'it may have been generated and charged: look at your usage before you repeat it';

/** What Node and undici say when the server closes the connection. */
const closed: readonly string[] = ['socket hang up', 'aborted', 'other side closed'];

/** undici and the happy-eyeballs of Node wrap what happened, sometimes several times. */
function innermost(error: unknown): { code: string; message: string } {
  let current = error as NodeJS.ErrnoException & { errors?: unknown[] };
  for (let depth = 0; depth < 5; depth += 1) {
    const inner =
      current.errors?.[0] ?? (current.code === undefined || current.code === 'UND_ERR' ? current.cause : undefined);
    if (!(inner instanceof Error)) break;
    current = inner;
  }
  // undici's parser has a name for its errors, and no code.
  return { code: current.code ?? (current.name === 'HTTPParserError' ? current.name : ''), message: current.message };
}
