import type { RequestBody } from '../http/exchange.ts';
import type { Trace } from '../http/types.ts';

/** Longer values are cut: a prompt may have 32,000 characters. */
const valueLimit = 1000;
/** Headers that hold something secret besides the API key, which is hidden everywhere. */
const secretHeaders: readonly string[] = ['set-cookie', 'cookie', 'proxy-authorization'];

/** The lines of `--verbose` for one step, as curl marks them: `>` sent, `<` received, `*` imggen itself. */
export function traceLines(exchange: Trace): string[] {
  switch (exchange.kind) {
    case 'request':
      return [
        `> ${exchange.method} ${exchange.url}`,
        ...headerLines('>', exchange.headers),
        ...(exchange.body === undefined ? [] : [`> ${bodyText(exchange.body)}`]),
      ];
    case 'response':
      return [`< HTTP ${exchange.status} ${exchange.url}`, ...headerLines('<', exchange.headers)];
    case 'retry':
      return [`* ${exchange.reason}: again in ${(exchange.waitMs / 1000).toFixed(1)} s`];
  }
}

function bodyText(body: RequestBody): string {
  return body instanceof Uint8Array ? short(Buffer.from(body).toString()) : `(${body.length} bytes)`;
}

function headerLines(mark: string, headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).map(
    ([name, value]) => `${mark} ${name}: ${secretHeaders.includes(name) ? '…' : short(hideShortKey(name, value))}`,
  );
}

/** A key as short as a word is hidden nowhere else. */
function hideShortKey(name: string, value: string): string {
  return name === 'authorization' && value.length < 'Bearer '.length + 16 ? 'Bearer …' : value;
}

function short(value: string): string {
  return value.length > valueLimit ? `${value.slice(0, valueLimit)}… (${value.length} characters)` : value;
}
