import type { RequestBody } from '../http/exchange.ts';
import type { Trace } from '../http/types.ts';
import { Secret } from '../options/secret.ts';

/** In characters: a prompt may have 32,000. */
const valueLimit = 1000;
/** Headers whose values are secrets of others. */
const secretHeaders: readonly string[] = ['set-cookie', 'cookie', 'proxy-authorization'];

/** The lines of `--verbose` for one step, as curl marks them: `>` sent, `<` received, `*` imggen itself. */
export function traceLines(step: Trace): string[] {
  switch (step.kind) {
    case 'request':
      return [
        `> ${step.method} ${step.url}`,
        ...headerLines('>', step.headers),
        ...(step.body === undefined ? [] : [`> ${bodyText(step.body)}`]),
      ];
    case 'response':
      return [`< HTTP ${step.status} ${step.url}`, ...headerLines('<', step.headers)];
    case 'retry':
      return [`* ${step.reason}: again in ${(step.waitMs / 1000).toFixed(1)} s`];
  }
}

function bodyText(body: RequestBody): string {
  return body instanceof Uint8Array ? short(Buffer.from(body).toString()) : `(${body.length} bytes)`;
}

function headerLines(mark: string, headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).map(([name, value]) => `${mark} ${name}: ${shownValue(name, value)}`);
}

function shownValue(name: string, value: string): string {
  if (secretHeaders.includes(name)) return '…';
  // The redactor leaves a key of a few letters.
  if (name === 'authorization') return `Bearer ${new Secret(value.replace(/^Bearer /, ''))}`;
  return short(value);
}

function short(value: string): string {
  return value.length > valueLimit ? `${value.slice(0, valueLimit)}… (${value.length} characters)` : value;
}
