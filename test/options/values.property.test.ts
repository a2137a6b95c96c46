import fc from 'fast-check';
import { describe, expect } from 'vitest';
import {
  baseUrl,
  boolean,
  dimensions,
  integer,
  InvalidValue,
  oneOf,
  type Parse,
  seconds,
  secret,
  taskUrl,
  text,
} from '../../src/options/parse.ts';
import { anyText, property } from '../support/properties.ts';

/** What a parser makes of a text; undefined when it refuses it. Any other exception fails the test. */
function tried<T>(parse: Parse<T>, value: string): T | undefined {
  try {
    return parse(value);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    return undefined;
  }
}

const words = (line: string) => line.split(' ');
const oddNumbers = ['', ' ', ' 7 ', '\u00a07', '9'.repeat(400), `.${'0'.repeat(400)}1`];
const number = fc.oneof(
  fc.integer().map(String),
  fc.double().map(String),
  fc.constantFrom(...oddNumbers, ...words('0 -0 00 1. .5 1e3 0x1 ١ Infinity 1_0 86400.0001')),
  anyText,
);
const choice = fc.oneof(
  fc.constantFrom(' JPEG', 'Jpg\n', '', ...words('png constructor __proto__ toString hasOwnProperty ſ')),
  anyText,
);
const schemes = ['', ' http://', ...words('http:// https:// HTTP:// http: https:/ ftp:// file:// javascript:')];
const hosts = ['', 'ex ample', ...words('127.0.0.1 example.com [::1] a u:p@a :@a @a u@a münchen.de 1.2.3 {task_id}')];
const ports = ['', ...words(':80 :8080 :99999 :')];
const paths = [' ', '\t', ...words('/ api v1 .. . ? # ?a=b #c // \\ % %2f ; {task_id} é')];
const url = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(...schemes),
      fc.constantFrom(...hosts),
      fc.constantFrom(...ports),
      fc.array(fc.constantFrom(...paths), { maxLength: 6 }),
    )
    .map(([scheme, host, port, path]) => scheme + host + port + path.join('')),
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  anyText,
);

describe('a value from outside', () => {
  property(
    'is a number in its range, or refused',
    fc.property(number, fc.integer({ min: -5, max: 5 }), fc.integer({ min: 0, max: 100_000 }), (value, min, span) => {
      const whole = tried(integer(min, min + span), value);
      if (whole !== undefined) expect(Number.isInteger(whole) && whole >= min && whole <= min + span).toBe(true);
      const duration = tried(seconds, value);
      if (duration !== undefined) expect(duration > 0 && duration <= 86_400).toBe(true);
    }),
    4,
  );

  property(
    'is one of the choices, or refused',
    fc.property(choice, (value) => {
      const formats = ['png', 'jpeg', 'webp'] as const;
      expect([undefined, ...formats]).toContain(tried(oneOf(formats, { jpg: 'jpeg' }), value));
      expect([undefined, true, false]).toContain(tried(boolean, value));
    }),
    4,
  );

  property(
    'is a size with one side or two, or refused',
    fc.property(
      fc.oneof(
        fc.tuple(number, fc.constantFrom('x', 'X', '×', ' x '), number).map((parts) => parts.join('')),
        anyText,
      ),
      (value) => {
        const size = tried(dimensions, value);
        if (size === undefined) return;
        expect(size).toMatch(/^([1-9]\d*x|x[1-9]\d*|[1-9]\d*x[1-9]\d*)$/);
        for (const side of size.split('x')) expect(Number(side)).toBeLessThanOrEqual(16_384);
        expect(dimensions(size)).toBe(size);
      },
    ),
    4,
  );

  property(
    'is a text that is not empty, or a key that a header carries, or refused',
    fc.property(anyText, (value) => {
      expect(tried(text, value)).toBe(value.trim() === '' ? undefined : value);
      const key = tried(secret, value);
      if (key === undefined) return;
      expect(key.reveal()).toMatch(/^[\x21-\x7e]+$/);
      if (key.reveal().length > 10)
        for (const shown of [`${key}`, JSON.stringify({ key })]) expect(shown).not.toContain(key.reveal());
    }),
  );

  property(
    'is a base URL to which a path can be added, or refused',
    fc.property(url, (value) => {
      const base = tried(baseUrl, value);
      if (base === undefined) return;
      const endpoint = new URL(`${base}/image/generation`);
      expect(endpoint.origin).toBe(new URL(value).origin);
      expect(endpoint.href).toBe(`${base}/image/generation`);
      expect(endpoint.pathname).toMatch(/[^/]\/image\/generation$|^\/image\/generation$/);
      expect([endpoint.search, endpoint.hash, endpoint.username, endpoint.password]).toEqual(['', '', '', '']);
      expect(endpoint.protocol).toMatch(/^https?:$/);
      expect(baseUrl(base)).toBe(base);
    }),
    4,
  );

  property(
    "is a task's URL for any id, or refused",
    fc.property(url, fc.string({ unit: 'grapheme', minLength: 1 }), (value, id) => {
      const template = tried(taskUrl, value);
      if (template === undefined) return;
      const filled = template.replaceAll('{task_id}', encodeURIComponent(id));
      expect(filled).toMatch(/^https?:\/\//i);
      expect(URL.canParse(filled)).toBe(true);
      expect(new URL(filled).host).toBe(new URL(template.replaceAll('{task_id}', 'x')).host);
    }),
    4,
  );
});
