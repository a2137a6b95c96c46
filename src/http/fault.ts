import { ImggenError } from '../errors.ts';

/** A failure between here and a proxy, so that the server behind it is not to blame. */
export class ProxyFault extends Error {
  /** Of the proxy, with its port. */
  readonly host: string;
  /** The HTTP status by which it refused, if it answered. */
  readonly status: number | undefined;
  readonly hasPassword: boolean;

  constructor(host: string, why: { cause?: unknown; status?: number; hasPassword?: boolean }) {
    super(`the proxy ${host} failed`, { cause: why.cause });
    this.host = host;
    this.status = why.status;
    this.hasPassword = why.hasPassword ?? false;
  }
}

const untrusted =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/;
/** What OpenSSL says to bytes that are not TLS. */
const notTls = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/;
const tls = /^(ERR_SSL_|EPROTO$)/;
/** Includes a body that is not what its Content-Encoding says (zlib, Brotli). */
const notHttp = /^(HPE_|Z_DATA_|ERR__ERROR_)/;
const causes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name could not be looked up',
  ENETUNREACH: 'the network is not reachable',
  EHOSTUNREACH: 'the host is not reachable',
  ETIMEDOUT: 'it did not answer in time',
};
/** What Node says when the other side closes the connection. */
const closed: readonly string[] = [
  'socket hang up',
  'aborted',
  'Client network socket disconnected before secure TLS connection was established',
];

/**
 * The error of an exchange with `host` that failed with `error`. Its `charged` is `no` if the request had not left.
 *
 * @param method a POST costs money, so that its hint says what happened to it
 */
export function networkFault(
  error: unknown,
  host: string,
  { sent, method }: { sent: boolean; method: 'GET' | 'POST' },
): ImggenError {
  const proxy = error instanceof ProxyFault ? error : undefined;
  if (proxy?.status !== undefined) return refusal(proxy, proxy.status, host);
  const peer = proxy ? `the proxy ${proxy.host}` : host;
  const { code = '', message, reason } = innermost(error);
  const charged = sent ? 'maybe' : 'no';
  if (notTls.test(code)) {
    return new ImggenError('not_secure', `no secure connection to ${peer}`, {
      cause: 'it does not speak TLS at this port',
      hint: 'check the port; if it speaks plain HTTP, write http: in its URL',
      charged,
    });
  }
  if (untrusted.test(code) || tls.test(code)) {
    return new ImggenError('not_secure', `no secure connection to ${peer}`, {
      cause: `${reason ?? message} (${code})`,
      hint: untrusted.test(code)
        ? 'if the certificate is right, name its authority: NODE_EXTRA_CA_CERTS=<file>'
        : undefined,
      charged,
    });
  }
  if (notHttp.test(code)) {
    const isProxy = proxy !== undefined;
    return new ImggenError(isProxy ? 'proxy_failed' : 'bad_answer', `the answer of ${peer} is not proper HTTP`, {
      cause: message,
      charged,
    });
  }
  const closedBy = closed.includes(message) ? `the ${proxy ? 'proxy' : 'server'} closed the connection` : undefined;
  if (sent) {
    return new ImggenError('network', `the connection to ${host} was lost before the answer was complete`, {
      cause: closedBy ?? message,
      charged,
    });
  }
  return new ImggenError('network', `cannot connect to ${peer}`, {
    cause: closedBy ?? causes[code] ?? `${message}${code ? ` (${code})` : ''}`,
    hint: method === 'POST' ? 'check the network, a proxy in HTTPS_PROXY, and --base-url; nothing was sent' : undefined,
    charged,
  });
}

/** A proxy answered CONNECT with an HTTP status. Only an overload or a fault may pass by itself. */
function refusal({ host: proxy, hasPassword }: ProxyFault, status: number, host: string): ImggenError {
  const message = `the proxy ${proxy} refused to connect to ${host}`;
  if (status === 407) {
    const why = hasPassword ? 'does not accept this user name and password' : 'asks for a user name and a password';
    const hint = 'HTTPS_PROXY=http://user:password@host:port';
    return new ImggenError('proxy_failed', message, { cause: `it ${why} (HTTP 407)`, hint });
  }
  const isPassing = status === 429 || status >= 500;
  return new ImggenError(isPassing ? 'network' : 'proxy_failed', message, {
    cause: `it answered HTTP ${status}`,
    charged: 'no',
  });
}

/** Node's choice between IPv4 and IPv6, and we, wrap the error that says what happened. */
function innermost(error: unknown): NodeJS.ErrnoException & { reason?: string } {
  let current = error as NodeJS.ErrnoException & { errors?: unknown[] };
  for (;;) {
    const inner = current.errors?.[0] ?? (current.code === undefined ? current.cause : undefined);
    if (!(inner instanceof Error)) return current;
    current = inner;
  }
}
