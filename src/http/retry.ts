/** The upper bounds of the first wait and of every wait, in milliseconds. */
const baseMs = 500;
const capMs = 30_000;
/** The longest wait of a timer; a longer one would be over at once. */
const timerMs = 2 ** 31 - 1;
/** The forms of a date in HTTP (RFC 9110, 5.6.7). Date.parse takes `2, 5` for a date, too. */
const httpDate = /^[A-Z][a-z]{2,8},? [\w -]+ \d\d:\d\d:\d\d( GMT| \d{4})$/;

/** The same with a random part drawn now. */
export function waitBeforeRepeat(attempt: number, retryAfter: string | undefined): number {
  return retryDelay(attempt, retryAfter, Math.random(), new Date());
}

/**
 * How long to wait before repeat number `attempt` (from 0), in milliseconds: what `Retry-After` says, else exponential
 * backoff with full jitter, a random part of 0.5 s, 1 s, 2 s … up to 30 s.
 *
 * @param retryAfter the header (RFC 9110, 10.2.3: seconds or a date), if there was one
 * @param random from 0 up to, not including, 1
 */
export function retryDelay(attempt: number, retryAfter: string | undefined, random: number, now: Date): number {
  const asked = retryAfter === undefined ? undefined : parseRetryAfter(retryAfter.trim(), now);
  return asked === undefined ? random * Math.min(capMs, baseMs * 2 ** attempt) : Math.min(asked, timerMs);
}

function parseRetryAfter(value: string, now: Date): number | undefined {
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  // The form without a zone means GMT too.
  const date = httpDate.test(value) ? Date.parse(value.replace(/( GMT)?$/, ' GMT')) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}
