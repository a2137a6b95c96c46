import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { exitCodes, ImggenError } from '../../src/errors.ts';
import { decodeDocument, mergeReplies, refusalWithoutDocument } from '../../src/dialects/reply.ts';
import { type Document, InlineImage, type Reply } from '../../src/dialects/types.ts';
import { numbered } from '../support/documents.ts';
import { anyText, property } from '../support/properties.ts';

const known = [
  'code',
  'message',
  'msg',
  'request_id',
  'error',
  'type',
  'data',
  'urls',
  'url',
  'b64_json',
  'usage',
  'expired',
  'task_id',
  'task_status',
];
const strange = [
  '__proto__',
  'constructor',
  'toString',
  'valueOf',
  'toJSON',
  'length',
  'blob',
  'total_tokens',
  '0',
  '',
];

const word = fc.constantFrom(
  '',
  '0',
  '200',
  '401',
  '429 slow down',
  '503',
  'succeeded',
  'FAILED',
  'pending',
  'who knows',
  'error',
  'insufficient_credit',
  'moderation',
  'image_generation.partial_image',
  'image_generation.completed',
  'https://example.com/a.png',
  'ftp://x',
  '[object Object]x',
  '2026-01-02 03:04:05',
  '2026-13-45 99:99:99',
  '1700000000',
  '99999999999999999',
  '1e400',
  '2026-01-02T03:04:05Z',
  '+275760-09-13',
);

const { value, object } = fc.letrec<{ value: Document; object: Document }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.oneof(fc.constantFrom(0, -0, 1, 200, 429, Number.POSITIVE_INFINITY, -1, 0.5), fc.double({ noNaN: true })),
    word,
    anyText,
    fc.nat({ max: 70 }).map(numbered),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('object'),
  ),
  object: fc
    .array(
      fc.tuple(
        fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...known) }, fc.constantFrom(...strange)),
        tie('value'),
      ),
      { maxLength: 8 },
    )
    // As JSON.parse makes them: `__proto__` is a key like any other.
    .map((entries) => Object.fromEntries(entries)),
}));

/** A document that is nearly the gateway's, so that its inner parts are looked at too. */
const nearly: fc.Arbitrary<Document> = fc
  .tuple(
    fc.constantFrom(0, '0', 0, 1),
    fc.oneof(
      object,
      fc.array(object, { maxLength: 3 }).map((entries): Document => entries),
    ),
    object,
  )
  .map(([code, data, rest]) => ({ data, ...(rest as object), code, error: null }));

const document = fc.oneof(value, object, nearly);
const status = fc.oneof({ weight: 2, arbitrary: fc.constantFrom(200, 201, 299) }, fc.integer({ min: 100, max: 599 }));
const requestId = fc.option(anyText);

/** The reply, or the refusal. Any other exception fails the test. */
function decode(document: Document, status: number, requestId: string | null): Reply | ImggenError {
  try {
    return decodeDocument(document, { status, requestId, url: 'http://api.example/v1/image' });
  } catch (error) {
    if (!(error instanceof ImggenError)) throw error;
    return error;
  }
}

function expectReply(reply: Reply): void {
  for (const image of reply.images) {
    if (image.kind === 'url') expect(image.url).toMatch(/^https?:/i);
    else if (image.kind === 'none') expect(image.reason).toMatch(/neither a URL nor an image$/);
    else expect(image.image).toBeInstanceOf(InlineImage);
  }
  for (const [name, count] of Object.entries(reply.usage ?? {}))
    expect([name, Number.isFinite(count)]).toEqual([name, true]);
  for (const text of [reply.expires, reply.taskId, reply.taskStatus, reply.requestId]) {
    expect(text === null || typeof text === 'string').toBe(true);
  }
  if (reply.images.length > 0) expect(reply.pending).toBe(false);
}

function expectRefusal(error: ImggenError): void {
  expect(error.code).not.toBe('bug');
  expect(Object.keys(exitCodes)).toContain(String(error.exit));
  expect(error.message).toEqual(expect.stringMatching(/./s));
  // What is no text must not become one.
  for (const line of [error.message, error.reason ?? '', error.hint ?? '']) {
    expect(line).not.toMatch(/^undefined|\[object Object\](?!x)|function |\bnull\b(?=:)/);
  }
}

describe('decodeDocument', () => {
  property(
    'gives a reply or a refusal for any JSON under any status',
    fc.property(document, status, requestId, (document, status, requestId) => {
      const result = decode(document, status, requestId);
      if (result instanceof ImggenError) expectRefusal(result);
      else expectReply(result);
      if (status < 200 || status > 299) expect(result).toBeInstanceOf(ImggenError);
    }),
    10,
  );

  property(
    'refuses an envelope by its code if it has no image, and finds every image of any other',
    fc.property(
      fc.oneof(fc.constantFrom(0, '0', null), fc.integer(), anyText),
      fc.array(fc.oneof(fc.webUrl(), fc.nat({ max: 20 }).map(numbered)), { maxLength: 10 }),
      fc.constantFrom('urls', 'data', 'bare'),
      requestId,
      (code, images, shape, requestId) => {
        const entries = images.map((image): Document =>
          image instanceof InlineImage ? { b64_json: image } : { url: image },
        );
        const document: Document = {
          code,
          data: { urls: { urls: images }, data: entries, bare: images }[shape],
          message: 'told',
        };
        const result = decode(document, 200, requestId);
        const isOdd = code !== null && String(code) !== '0';
        const isRefused = isOdd && images.length === 0;
        expect(result instanceof ImggenError).toBe(isRefused);
        if (result instanceof ImggenError) return void expect(result.message).toContain('told');
        const expected = images.map((image) =>
          image instanceof InlineImage ? { kind: 'inline', image } : { kind: 'url', url: image },
        );
        expect(result.images).toEqual(expected);
        expect(result.requestId).toBe(requestId);
        expect(result.warnings).toHaveLength(isOdd ? 1 : 0);
      },
    ),
  );
});

describe('mergeReplies', () => {
  property(
    'adds up what each document says of its usage',
    fc.property(
      fc.array(fc.dictionary(fc.constantFrom('total_tokens', ...strange), fc.nat()), { maxLength: 4 }),
      (usages) => {
        const { usage } = mergeReplies(usages.map((usage) => decode({ usage }, 200, null) as Reply));
        const names = new Set(usages.flatMap(Object.keys));
        const sum = (name: string) =>
          usages.reduce((total, usage) => total + ((Object.hasOwn(usage, name) && usage[name]) || 0), 0);
        expect(new Map(Object.entries(usage ?? {}))).toEqual(new Map([...names].map((name) => [name, sum(name)])));
      },
    ),
  );

  property(
    'gives one reply with the images of all documents',
    fc.property(fc.array(fc.oneof(object, nearly), { maxLength: 5 }), (documents) => {
      const replies = documents
        .map((document) => decode(document, 200, null))
        .filter((result): result is Reply => !(result instanceof ImggenError));
      const merged = mergeReplies(replies);
      expectReply(merged);
      expect(merged.images).toEqual(replies.flatMap(({ images }) => images));
    }),
    4,
  );
});

describe('refusalWithoutDocument', () => {
  property(
    'has a reason and an exit code for any status',
    fc.property(status, requestId, anyText, (status, requestId, found) => {
      expectRefusal(refusalWithoutDocument(status, requestId, found.replaceAll(/undefined|null/g, '')));
    }),
  );
});
