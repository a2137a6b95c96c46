import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { readAnswer } from '../../src/dialects/answer.ts';
import { SseReader } from '../../src/dialects/sse.ts';
import type { Document } from '../../src/dialects/types.ts';
import { anyEvent, collector, expectSame, imagesOf, type Node, style, written } from '../support/documents.ts';
import { asRefusal, chunkSizes, cut, property, refusalOf } from '../support/properties.ts';

/** A character that is one byte, and no end of a line. */
const byte = fc
  .integer({ min: 0, max: 255 })
  .map((code) => (code === 10 || code === 13 ? ' ' : String.fromCharCode(code)));
const rest = fc.oneof(
  fc.constantFrom('', ' ', '  ', ' x', 'x', ':', ' : ', '{"a":1}', ' [DONE]', '\0'),
  fc.string({ unit: byte }),
);
const line = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 4, arbitrary: rest.map((value) => `data:${value}`) },
  fc.constantFrom('data', 'event', 'data ', ' data: x', 'Data: x', 'dataa: x', 'dat: x', 'data\0: x', ':', ': data: x'),
  fc
    .tuple(fc.constantFrom(':', 'event:', 'id:', 'retry:', 'other:', 'x'.repeat(64), 'x'.repeat(65)), rest)
    .map((parts) => parts.join('')),
  fc.string({ unit: byte }),
);
const lineEnd = fc.constantFrom('\n', '\r\n', '\r');
const stream = fc
  .tuple(fc.array(fc.tuple(line, lineEnd), { maxLength: 20 }), fc.oneof(fc.constant(''), line), fc.option(lineEnd))
  .map(([lines, last, end]) => {
    const text = lines.map(([line, own]) => line + (end ?? own)).join('') + last;
    // Taking the mark off is readAnswer's business.
    return text.replace(/^\u00ef\u00bb\u00bf/, '');
  });

/** The data of a stream's events, one character a byte. */
function events(text: string, sizes: readonly number[]): string[] {
  const reader = new SseReader();
  const found: string[] = [];
  let data = '';
  const take = (parts: ReturnType<SseReader['push']>) => {
    for (const part of parts) {
      if (part.kind === 'data') {
        data += Buffer.from(part.bytes).toString('latin1');
      } else {
        found.push(data);
        data = '';
      }
    }
  };
  for (const chunk of cut(Buffer.from(text, 'latin1'), sizes)) take(reader.push(chunk));
  take(reader.finish());
  expect(data).toBe('');
  return found;
}

/** The same as another reader sees it. imggen also takes an event that the end of the stream ends. */
function eventsOfOracle(text: string): string[] {
  const found: string[] = [];
  createParser({ onEvent: ({ data }) => found.push(data) }).feed(`${text}\n\n`);
  return found;
}

describe('SseReader', () => {
  property(
    'sees the events that eventsource-parser sees',
    fc.property(stream, chunkSizes, (text, sizes) => {
      const isLong = text.split(/[\r\n]/).some((line) => (line.split(':')[0] as string).length > 64);
      let found: string[] = [];
      const refusal = refusalOf(() => (found = events(text, sizes)));
      expect(refusal !== undefined).toBe(isLong);
      if (!isLong) expect(found).toEqual(eventsOfOracle(text));
    }),
    8,
  );
});

interface Event {
  node: Node;
  style: number;
  name: string;
  blank: boolean;
  /** What stands between this event and the next. */
  between: string;
}

const event: fc.Arbitrary<Event> = fc.record({
  node: anyEvent,
  style,
  name: fc.constantFrom('', 'event: image_generation.partial_image', 'event:x', ': a comment', 'id: 7'),
  blank: fc.boolean(),
  between: fc.constantFrom(
    '',
    '\n',
    ': keep-alive\n\n',
    'event: ping\ndata: ping\n\n',
    'data\n\n',
    'data:\n\n',
    'data: [DONE]\n\n',
    'data: ["x"]\n\n',
  ),
});

function writtenEvent({ node, style, name, blank, between }: Event): string {
  const lines = written(node, style).split(/\r\n|\r|\n/);
  const data = lines.map((line) => `data:${blank || line.startsWith(' ') ? ' ' : ''}${line}\n`).join('');
  return `${name}${name === '' ? '' : '\n'}${data}\n${between}`;
}

async function read(text: string, sizes: readonly number[]): Promise<{ documents: Document[]; images: Buffer[] }> {
  const { open, images } = collector();
  const documents: Document[] = [];
  async function* body() {
    yield* cut(Buffer.from(text), sizes);
  }
  for await (const document of readAnswer(body(), open)) documents.push(document);
  return { documents, images };
}

describe('readAnswer of an event stream', () => {
  property(
    'gives the document of each event after its images',
    fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 5 }),
      chunkSizes,
      lineEnd,
      fc.constantFrom('', '\ufeff', '\n', ': hello\n', 'retry: 10\n\n'),
      fc.boolean(),
      async (events, sizes, end, lead, isEnded) => {
        let text = lead + events.map(writtenEvent).join('');
        if (!isEnded) text = text.trimEnd();
        const images = events.reduce((count, { node }) => count + imagesOf(node).length, 0);
        const result = await read(text.replaceAll('\n', end), sizes).catch((error: unknown) => void asRefusal(error));
        expect(result !== undefined).toBe(images <= 64);
        if (result === undefined) return;
        expect(result.documents).toHaveLength(events.length);
        expect(result.images).toHaveLength(images);
        for (const [index, { node }] of events.entries()) {
          expectSame(result.documents[index], JSON.parse(written(node, 0)), result.images);
        }
      },
    ),
    0.6,
  );

  property(
    'ends with documents or a refusal for any stream',
    fc.asyncProperty(
      fc.oneof(
        stream,
        fc.tuple(fc.array(event, { minLength: 1, maxLength: 3 }), fc.nat()).map(([events, at]) => {
          const text = events.map(writtenEvent).join('');
          return text.slice(0, at % (text.length + 1));
        }),
      ),
      chunkSizes,
      async (text, sizes) => {
        await read(text, sizes).catch((error: unknown) => void asRefusal(error));
      },
    ),
    2,
  );

  property(
    'reads no more than the limits of a stream that never ends',
    fc.asyncProperty(
      fc.constantFrom(
        ': comment\n',
        '\n',
        'data: ping\n\n',
        'data: x',
        'event: x\n',
        'x: y\n',
        'data\n\n',
        ' ',
        '\0',
        'data: {"a":"b"}\n\n',
        'data:\n',
      ),
      fc.integer({ min: 20_000, max: 70_000 }),
      async (unit, size) => {
        const chunk = Buffer.from(unit.repeat(Math.ceil(size / unit.length)));
        let bytes = 0;
        async function* endless() {
          for (; bytes < 64 << 20; bytes += chunk.length) yield chunk;
        }
        const reading = (async () => {
          for await (const _ of readAnswer(endless(), collector().open));
        })();
        asRefusal(
          await reading.then(
            () => undefined,
            (error: unknown) => error,
          ),
        );
        expect(bytes).toBeLessThan(64 << 20);
      },
    ),
    0.1,
  );
});
