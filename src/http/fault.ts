import { ImggenError } from '../errors.ts';

const notTrusted =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|EPROTO$|ERR_SSL_)/;
/** Includes a body that is not what its Content-Encoding says (zlib, Brotli). */
const notHttp =
  /^(HPE_|HTTPParserError$|UND_ERR_HEADERS_OVERFLOW$|UND_ERR_RES_CONTENT_LENGTH_MISMATCH$|Z_DATA_|ERR__ERROR_)/;
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
 * The error of an exchange with `host` that failed with `error`. Its `charged` is `no` if the request had not left.
 *
 * @param method a POST costs money, so that its hint says what happened to it
 */
export function networkFault(
  error: unknown,
  host: string,
  { sent, method }: { sent: boolean; method: 'GET' | 'POST' },
): ImggenError {
  const { code, message } = innermost(error);
  const charged = sent ? 'maybe' : 'no';
  if (notTrusted.test(code)) {
    return new ImggenError('not_secure', `no secure connection to ${host}`, {
      cause: `${message} (${code})`,
      hint: 'if the certificate is right, name its authority: NODE_EXTRA_CA_CERTS=<file>',
      charged,
    });
  }
  if (notHttp.test(code)) {
    return new ImggenError('bad_answer', `the answer of ${host} is not proper HTTP`, { cause: message, charged });
  }
  if (!sent) {
    return new ImggenError('network', `cannot connect to ${host}`, {
      cause: causes[code] ?? `${message}${code ? ` (${code})` : ''}`,
      hint:
        method === 'POST' ? 'check the network, a proxy in HTTPS_PROXY, and --base-url; nothing was sent' : undefined,
      charged,
    });
  }
  return new ImggenError('network', `the connection to ${host} was lost before the answer was complete`, {
    cause: closed.includes(message) ? 'it was closed by the other side' : message,
    charged,
  });
}

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
