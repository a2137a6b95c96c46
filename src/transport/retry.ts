/** The first wait's upper bound, and every wait's, in milliseconds. */
const baseMs = 500;
const capMs = 30_000;

/**
 * How long to wait before repeat number `attempt` (from 0), in milliseconds: what `Retry-After` says, else exponential
 * backoff with full jitter, a random part of 0.5 s, 1 s, 2 s … up to 30 s.
 *
 * @param retryAfter the header (RFC 9110, 10.2.3: seconds or a date), if there was one
 * @param random from 0 up to, not including, 1
 */
export function retryDelay(attempt: number, retryAfter: string | undefined, random: number, now: Date): number {
  const asked = retryAfter === undefined ? undefined : parseRetryAfter(retryAfter.trim(), now);
  return asked ?? random * Math.min(capMs, baseMs * 2 ** attempt);
}

function parseRetryAfter(value: string, now: Date): number | undefined {
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}
