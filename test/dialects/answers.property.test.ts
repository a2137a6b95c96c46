import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type Node, style, written } from '../support/documents.ts';
import { anyText, property } from '../support/properties.ts';
import { pixel, World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create();
});
afterAll(async () => await world.close());

/** Stands for the origin of the test's gateway. No other server is ever named. */
const origin = '{{origin}}';

const text = (...texts: string[]) => fc.constantFrom(...texts).map((text): Node => ({ kind: 'text', text }));
const url = text(
  `${origin}/image`,
  `${origin}/image`,
  `${origin}/missing`,
  'http://127.0.0.1:1/closed',
  'ftp://127.0.0.1/x',
  'file:///etc/passwd',
  '',
  `data:image/png;base64,${pixel}`,
  `data:;base64,${pixel.slice(0, 40)}`,
  'data:;base64,****',
);
const image = text(pixel, pixel, pixel.slice(0, -20), 'AAAA', '', '*', `data:image/png;base64,${pixel}`);
const token = fc
  .constantFrom('0', '1', 'null', 'true', '1e400', '429', '{}', '[]', '[[]]')
  .map((token): Node => ({ kind: 'token', token }));
const word = fc.oneof(
  text(
    '0',
    'succeeded',
    'failed',
    'pending',
    'who knows',
    'insufficient_credit',
    'moderation',
    'task-1',
    '2026-01-02 03:04:05',
    'image_generation.completed',
    '\u001b[31mred',
    'a\nb',
    '\u202e',
  ),
  anyText.map((text): Node => ({ kind: 'text', text })),
  token,
);

const array = (item: fc.Arbitrary<Node>, maxLength: number) =>
  fc.array(item, { maxLength }).map((items): Node => ({ kind: 'array', items }));
/** An object that has some of these fields, some of them twice. */
const object = (fields: Record<string, fc.Arbitrary<Node>>) =>
  fc
    .array(
      fc
        .constantFrom(...Object.keys(fields))
        .chain((key) => fc.tuple(fc.constant(key), fields[key] as fc.Arbitrary<Node>)),
      { maxLength: 7 },
    )
    .map((entries): Node => ({ kind: 'object', entries }));

const usage = object({ total_tokens: token, images: token, ['__proto__']: token, constructor: token });
const task = { urls: array(url, 4), usage, expired: word, task_id: word, task_status: word };
const entry = fc.oneof(object({ b64_json: fc.oneof(image, token), url }), url, token);
const error = fc.oneof(word, object({ code: word, type: word, message: word }));
const document = object({
  code: fc.oneof({ weight: 5, arbitrary: fc.constant<Node>({ kind: 'token', token: '0' }) }, word),
  data: fc.oneof(object(task), object(task), array(entry, 4), word),
  message: word,
  request_id: word,
  type: word,
  b64_json: image,
  usage,
  error: fc.oneof({ weight: 4, arbitrary: fc.constant<Node>({ kind: 'token', token: 'null' }) }, error),
});

/** The node with the origin of the gateway in its texts. */
function filled(node: Node): Node {
  switch (node.kind) {
    case 'token':
      return node;
    case 'text':
      return { kind: 'text', text: node.text.replace(origin, world.origin) };
    case 'array':
      return { kind: 'array', items: node.items.map(filled) };
    case 'object':
      return { kind: 'object', entries: node.entries.map(([key, value]) => [key, filled(value)]) };
  }
}

const json = fc.tuple(document, style).map(
  ([node, style]) =>
    () =>
      written(filled(node), style),
);
/** Nothing but what it should be, though some of its URLs lead nowhere. */
const good = fc.tuple(array(url, 3), usage, style).map(([urls, usage, style]) => () => {
  const data: Node = {
    kind: 'object',
    entries: [
      ['urls', filled(urls)],
      ['usage', usage],
    ],
  };
  return written(
    {
      kind: 'object',
      entries: [
        ['code', { kind: 'token', token: '0' }],
        ['data', data],
      ],
    },
    style,
  );
});
const events = fc
  .array(json, { maxLength: 3 })
  .map((documents) => () => documents.map((text) => `data: ${text().replaceAll(/[\r\n]/g, ' ')}\n\n`).join(''));
const damaged = fc
  .tuple(json, fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(1, 2, 5, Number.POSITIVE_INFINITY))
  .map(([json, at, removed]) => () => {
    const text = json();
    const start = Math.round(at * text.length);
    return text.slice(0, start) + text.slice(start + removed);
  });
const other = fc
  .oneof(
    anyText,
    fc.constantFrom('', '<html><body>502 Bad Gateway</body></html>', '[DONE]', 'data: [DONE]\n\n', 'null', '"x"', '[]'),
  )
  .map((text) => () => text);

/** The text of an answer: made when the gateway is there, and shown as what it is. */
const body = fc
  .oneof(
    { weight: 3, arbitrary: json },
    { weight: 3, arbitrary: good },
    { weight: 2, arbitrary: events },
    damaged,
    other,
  )
  .map((make) => Object.assign(make, { [fc.toStringMethod]: () => JSON.stringify(make()) }));
const status = fc.oneof({ weight: 4, arbitrary: fc.constant(200) }, fc.integer({ min: 200, max: 599 }));
const switches = fc.constantFrom<string[]>([], ['--json'], ['--sidecar'], ['--json', '--sidecar'], ['-o-', '-n1']);

describe('an answer of the gateway', () => {
  property(
    'may be anything: the run ends in a documented way and leaves whole images only',
    fc.asyncProperty(body, status, fc.integer({ min: 1, max: 3 }), switches, async (body, status, count, switches) => {
      world.enter();
      const answer = body();
      world.answer = { status, body: Buffer.from(answer) };
      const before = new Set(readdirSync('.'));
      await world.run(['a cat', '-n', String(count), ...switches], { env: { IMGGEN_BASE_URL: world.origin } });
      const files = readdirSync('.', { recursive: true, encoding: 'utf8' }).filter((path) => !before.has(path));
      for (const path of files) {
        expect(basename(path), answer).toMatch(/^a-cat-\d\.png(\.json)?$/);
        if (path.endsWith('.png')) expect(readFileSync(path).toString('base64')).toBe(pixel);
        else JSON.parse(readFileSync(path, 'utf8'));
      }
    }),
  );
});
