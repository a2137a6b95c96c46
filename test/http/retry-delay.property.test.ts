import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { retryDelay } from '../../src/http/retry.ts';
import { anyText, property } from '../support/properties.ts';

/** The longest wait of a timer of Node; a longer one would be over at once. */
const timerLimit = 2 ** 31 - 1;

// Dates in HTTP do not depend on the time zone of this machine.
process.env.TZ = 'America/St_Johns';

const attempt = fc.oneof(fc.nat({ max: 20 }), fc.nat());
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const now = fc.date({ min: new Date(0), max: new Date('2200-01-01'), noInvalidDate: true });

/** Headers that name no time, though Date.parse takes some of them for a date. */
const noTime = fc.oneof(
  fc.constantFrom(...'|-5|+5|1e3|0x10|5 s|2, 5|5;|soon|in 5|NaN|Infinity|١|1/2|Sun|GMT|1.2.3|.5|12:00:00'.split('|')),
  anyText.filter((text) => !/\d/.test(text)),
);

describe('retryDelay', () => {
  property(
    'is a random part of a bound that doubles up to 30 s',
    fc.property(attempt, random, now, (attempt, random, now) => {
      const wait = retryDelay(attempt, undefined, random, now);
      expect(wait).toBe(random * Math.min(30_000, 500 * 2 ** attempt));
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThan(30_000);
    }),
  );

  property(
    'is what Retry-After says in seconds',
    fc.property(
      attempt,
      fc.oneof(
        fc.nat({ max: 3_000_000 }),
        fc.nat({ max: 400 }).map((digits) => '9'.repeat(digits + 1)),
      ),
      random,
      now,
      (attempt, seconds, random, now) => {
        const wait = retryDelay(attempt, ` ${seconds} `, random, now);
        expect(wait).toBe(Math.min(Number(seconds) * 1000, timerLimit));
      },
    ),
  );

  property(
    'is the time until the date that Retry-After says, in any of the forms of HTTP',
    fc.property(
      attempt,
      fc.integer({ min: -100_000, max: 2_000_000 }),
      fc.constantFrom('imf', 'rfc850', 'asctime'),
      random,
      now,
      (attempt, ahead, form, random, now) => {
        const date = new Date(Math.floor(now.getTime() / 1000 + ahead) * 1000);
        const imf = date.toUTCString();
        const [, weekday, day = '', month, year = '', time] = /^(\w+), (\d+) (\w+) (\d+) (\S+)/.exec(imf) ?? [];
        // Two digits of a year are this century's, more or less.
        if (form === 'rfc850' && (year < '1970' || year > '2049')) return;
        const longDay = date.toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' });
        const written = {
          imf,
          rfc850: `${longDay}, ${day}-${month}-${year.slice(2)} ${time} GMT`,
          asctime: `${weekday} ${month} ${day.replace(/^0/, ' ')} ${time} ${year}`,
        }[form];
        expect(retryDelay(attempt, written, random, now)).toBe(Math.max(0, date.getTime() - now.getTime()));
      },
    ),
  );

  property(
    'ignores a header that names no time',
    fc.property(attempt, noTime, random, now, (attempt, header, random, now) => {
      expect(retryDelay(attempt, header, random, now)).toBe(retryDelay(attempt, undefined, random, now));
    }),
  );

  property(
    'is a wait that a timer holds for any header',
    fc.property(attempt, fc.oneof(anyText, fc.date().map(String)), random, now, (attempt, header, random, now) => {
      const wait = retryDelay(attempt, header, random, now);
      expect(wait >= 0 && wait <= timerLimit).toBe(true);
    }),
    4,
  );
});
