import { html, json, type Reply } from './reply.ts';

/**
 * An answer that is an error. Two envelopes are in use: the gateway's own for mistakes that it finds itself, OpenAI's
 * for errors from behind the gateway (key, credit, policy, limits, faults).
 */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly #status: number;
  readonly #body: Record<string, unknown> | string;
  readonly #headers: Record<string, string>;

  /** @param body of the JSON, or the title of a page of HTML */
  constructor(status: number, body: Record<string, unknown> | string, headers: Record<string, string> = {}) {
    super(`refused with ${status}`);
    this.#status = status;
    this.#body = body;
    this.#headers = headers;
  }

  reply(requestId: string): Reply {
    const [status, body] = [this.#status, this.#body];
    const reply = typeof body === 'string' ? html(status, body) : json(status, { ...body, request_id: requestId });
    return { ...reply, headers: { ...reply.headers, ...this.#headers } };
  }
}

/** The gateway's codes for a refused request, invented but for one rule: 0 is success. */
const refusalCodes = {
  malformed: 40001,
  missingField: 40002,
  unknownField: 40003,
  badValue: 40004,
  notForModel: 40005,
  notFound: 40400,
  wrongMethod: 40500,
  gone: 41000,
  tooLarge: 41300,
  wrongType: 41500,
} as const;

/** A refusal in the gateway's envelope, `{code, message, request_id}`; the code begins with its HTTP status. */
export function gatewayRefusal(
  reason: keyof typeof refusalCodes,
  message: string,
  headers?: Record<string, string>,
): Refusal {
  const code = refusalCodes[reason];
  return new Refusal(Math.floor(code / 100), { code, message }, headers);
}

/** A refusal in OpenAI's envelope, `{error: {type, code, message, param}, request_id}`; 429 asks to wait for a second. */
export function upstreamRefusal(status: number, code: string, message: string, param: string | null = null): Refusal {
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  if (status !== 429) return new Refusal(status, { error: { type, code, message, param } });
  return new Refusal(status, { error: { type: 'rate_limit_error', code, message, param } }, { 'retry-after': '1' });
}
