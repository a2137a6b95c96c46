import { isUtf8 } from 'node:buffer';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Node, parseTree } from 'jsonc-parser';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { stringify } from 'yaml';
import { readBatchFile } from '../../../src/batch/file/read.ts';
import type { BatchFile, Field, Node as Written, Position } from '../../../src/batch/file/types.ts';
import type { Json } from '../../../src/request/types.ts';
import { anyText, chunkSizes, cut, noise, property } from '../../support/properties.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'imggen-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function readFile(name: string, content: string | Uint8Array): Promise<BatchFile> {
  const path = join(folder, name);
  writeFileSync(path, content);
  return await readBatchFile(path);
}

const objectOf = (fields: readonly Field[]): Json =>
  Object.fromEntries(fields.map(({ key, node }) => [key, node.value]));

/** What stands at a place: the rest of its line. */
function textAt(text: string, { line, column }: Position): string {
  return (text.replace(/^\ufeff/, '').split('\n')[line - 1] as string).slice(column - 1);
}

/** Whether a JSON value is written at a place. */
function expectWritten(text: string, at: Position, value: Json): void {
  const first = textAt(text, at);
  if (Array.isArray(value)) expect(first[0]).toBe('[');
  else if (typeof value === 'object' && value !== null) expect(first[0]).toBe('{');
  // A text may be written with any escapes, a number with any of its digits.
  else if (typeof value === 'string')
    expect(JSON.parse((/^"(?:[^"\\]|\\.)*"/.exec(first) as RegExpExecArray)[0])).toBe(value);
  else expect(JSON.parse((/^[\w.+-]+/.exec(first) as RegExpExecArray)[0])).toBe(value);
}

function expectPlaces(text: string, fields: readonly Field[]): void {
  for (const { key, at, node } of fields) {
    expectWritten(text, at, key);
    expectNode(text, node);
  }
}

function expectNode(text: string, { at, value, fields = [], items = [] }: Written): void {
  expectWritten(text, at, value);
  expectPlaces(text, fields);
  for (const item of items) expectNode(text, item);
}

/** Whether a number of JSON may be another one by now. */
function isUnheld(number: number): boolean {
  return !Number.isFinite(number) || (Number.isInteger(number) && !Number.isSafeInteger(number));
}

const key = fc.oneof(anyText, fc.constantFrom('prompt', 'out', '__proto__', '<<', 'a:b', '{', '', '7', '"', '\\'));
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    anyText,
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !isUnheld(number)),
    fc.integer(),
    fc.constantFrom<Json>(null, true, false),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('json')), { maxLength: 4 }).map((pairs): Json => Object.fromEntries(pairs)),
  ),
}));
const job = fc.array(fc.tuple(key, json), { maxLength: 5 }).map((pairs) => Object.fromEntries(pairs));

/** The ways in which one JSON document can be laid out. */
const indent = fc.constantFrom<string | number>('', 1, 2, '\t');

describe('a document', () => {
  property(
    'in JSON is what JSON.parse says, each value at its place',
    fc.asyncProperty(
      fc.array(job, { minLength: 1, maxLength: 4 }),
      job,
      indent,
      fc.boolean(),
      async (images, defaults, space, mark) => {
        const text = `${mark ? '\ufeff' : ''}${JSON.stringify({ $schema: 'x', images, defaults }, null, space)}`;
        const written = JSON.parse(text.replace(/^\ufeff/, '')) as { images: Json[]; defaults: Json };
        const content = await readFile('a.json', text);
        expect(content.mistakes).toEqual([]);
        expect(content.entries.map(({ fields }) => objectOf(fields))).toEqual(written.images);
        expect(objectOf(content.defaults)).toEqual(written.defaults);
        for (const { at, fields } of content.entries) {
          expect(textAt(text, at)[0]).toBe('{');
          expectPlaces(text, fields);
        }
        expectPlaces(text, content.defaults);
      },
    ),
  );

  property(
    'in YAML is what was written, each plain value at its place',
    fc.asyncProperty(
      fc.array(job, { minLength: 1, maxLength: 4 }),
      job,
      fc.constantFrom<'any' | 'flow'>('any', 'flow'),
      async (images, defaults, collectionStyle) => {
        // YAML holds no halves of surrogate pairs, and in a quoted text nothing else is lost.
        const value = JSON.parse(JSON.stringify({ images, defaults }).toWellFormed()) as {
          images: Json[];
          defaults: Json;
        };
        const text = stringify(value, {
          collectionStyle,
          version: '1.2',
          defaultStringType: 'QUOTE_DOUBLE',
          defaultKeyType: 'QUOTE_DOUBLE',
          doubleQuotedAsJSON: true,
          lineWidth: 0,
        });
        const content = await readFile('a.yaml', text);
        expect(content.mistakes).toEqual([]);
        expect(content.entries.map(({ fields }) => objectOf(fields))).toEqual(value.images);
        expect(objectOf(content.defaults)).toEqual(value.defaults);
        for (const field of [...content.entries.flatMap(({ fields }) => fields), ...content.defaults]) {
          expectWritten(text, field.at, field.key);
          if (typeof field.node.value === 'string') expectWritten(text, field.node.at, field.node.value);
        }
      },
    ),
  );

  property(
    'ends with entries or mistakes, all of them inside of it, whatever it is',
    fc.asyncProperty(
      fc.oneof(
        noise(300),
        fc.string({ unit: 'binary' }),
        fc.string({
          unit: fc.constantFrom(
            'images',
            'defaults',
            ':',
            ': ',
            '- ',
            '-',
            '\n',
            '\n  ',
            '  ',
            '\t',
            '{',
            '}',
            '[',
            ']',
            ',',
            '"',
            "'",
            '&a ',
            '*a',
            '*b ',
            '<<: ',
            '|',
            '>',
            '#',
            '%',
            '!',
            '!!str ',
            '---\n',
            '...\n',
            '? ',
            '\\',
            'x',
            '1',
            '.inf',
            '\r\n',
            '@',
            '//',
            '/*',
            'null',
            '\ufeff',
            '\u0085',
            '\u2028',
          ),
          maxLength: 60,
        }),
      ),
      fc.constantFrom('a.yaml', 'a.json', 'a.jsonl', 'a.txt'),
      fc.constantFrom('', 'images:\n- ', '{"images":[', '{"a":'),
      async (content, name, start) => {
        const bytes = Buffer.concat([Buffer.from(start), Buffer.from(content as Uint8Array)]);
        const { entries, mistakes } = await readFile(name, bytes);
        expect(entries.length + mistakes.length).toBeGreaterThan(0);
        // To the reader of JSON a line may end in a carriage return alone.
        const hasReturns = name === 'a.json' && isUtf8(bytes) && !bytes.includes(0);
        const lines = bytes.toString().split(hasReturns ? /\r\n|\n|\r/ : '\n');
        for (const { at } of [...entries, ...mistakes]) {
          expect(at.line).toBeGreaterThan(0);
          expect(at.line).toBeLessThanOrEqual(lines.length);
          expect(at.column).toBeGreaterThan(0);
          expect(at.column).toBeLessThanOrEqual((lines[at.line - 1] as string).length + 2);
        }
      },
    ),
    4,
  );
});

/** Good lines, and what is nearly good. */
const line = fc.oneof(
  { weight: 4, arbitrary: job.map((value) => JSON.stringify(value)) },
  json.map((value) => JSON.stringify(value)),
  fc.tuple(job, fc.nat(), fc.constantFrom('', ',', '"', '}', ' ', 'x', '\\')).map(([value, at, change]) => {
    const text = JSON.stringify(value);
    return (text.slice(0, at % text.length) + change + text.slice((at % text.length) + 1)).toWellFormed();
  }),
  fc.constantFrom(
    '',
    ' ',
    '{}',
    '{"a":1,"a":2}',
    '{"a":{"b":1,"\\u0062":{}}}',
    '{"a":1e999}',
    '{"a":": , {"}',
    '{} {}',
    ' {"a" : [ ] } ',
  ),
);
const ends = fc.constantFrom('\n', '\r\n');

describe('JSON Lines', () => {
  property(
    'are what JSON.parse says of each line, from a file and from stdin',
    fc.asyncProperty(
      fc.array(line, { maxLength: 12 }),
      ends,
      fc.boolean(),
      chunkSizes,
      async (lines, end, last, sizes) => {
        const text = `{"first":1}${end}${lines.join(end)}${last ? end : ''}`;
        const content = await readFile('a.jsonl', text);
        const physical = text.split('\n');
        const wrong = new Set(content.mistakes.map(({ at }) => at.line));
        const jobs = new Map(content.entries.map((entry) => [entry.at.line, entry]));
        for (const [index, written] of physical.entries()) {
          const value = tryParse(written);
          const isJob = typeof value === 'object' && value !== null && !Array.isArray(value);
          if (written.trim() === '') expect([wrong.has(index + 1), jobs.has(index + 1)]).toEqual([false, false]);
          else if (!isJob) expect([wrong.has(index + 1), jobs.has(index + 1)]).toEqual([true, false]);
          else {
            expect(wrong.has(index + 1)).toBe(isFlawed(parseTree(written)));
            const { fields = [] } = jobs.get(index + 1) ?? {};
            expect(objectOf(fields)).toEqual(value);
            if (!wrong.has(index + 1)) expectPlaces(text, fields);
          }
        }
        expect(await readBatchFile(chunks(text, sizes))).toEqual(content);
      },
    ),
  );
});

/** Whether a key stands twice in JSON, or a number in it cannot be held: another parser's opinion. */
function isFlawed(node: Node | undefined): boolean {
  if (node?.type === 'number') return isUnheld(node.value as number);
  const inside = node?.children ?? [];
  const keys = node?.type === 'object' ? inside.map(({ children }) => children?.[0]?.value as string) : [];
  return new Set(keys).size < keys.length || inside.some(isFlawed);
}

async function* chunks(text: string, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  yield* cut(Buffer.from(text), sizes);
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

describe('plain text', () => {
  property(
    'is a prompt a line',
    fc.asyncProperty(
      fc.array(fc.oneof(anyText, fc.constantFrom('# x', ' #', '\\# y', '  z  ')), { maxLength: 12 }),
      ends,
      async (texts, end) => {
        const text = `first${end}${texts.join(end).toWellFormed().replaceAll('\0', '')}`;
        const { entries, mistakes } = await readFile('a.txt', text);
        const prompts = text
          .split('\n')
          .map((each) => each.trim())
          .filter((each) => each !== '' && !each.startsWith('#'));
        expect(mistakes).toEqual([]);
        expect(entries.map(({ fields: [field] }) => field?.node.value)).toEqual(
          prompts.map((each) => each.replace(/^\\#/, '#')),
        );
        for (const [index, { at, fields }] of entries.entries()) {
          expect(textAt(text, at).startsWith(prompts[index] as string)).toBe(true);
          expect(fields).toHaveLength(1);
        }
      },
    ),
  );
});
