import { JsonReader } from './json.ts';
import { type LineKind, lookalike } from './kind.ts';
import { jobLimit, mistakeLimit, mistakes, type Room, valueLimit } from './node.ts';
import type { BatchFile, Entry, Mistake, Node, Position, Reading } from './types.ts';

/** The jobs of a text that declares one a line. A line that cannot be read is a mistake, and the next one goes on. */
export function readLines(text: string, kind: LineKind, isStdin: boolean): BatchFile {
  const room: Room = { left: valueLimit };
  const json = new JsonReader(room);
  const entries: Entry[] = [];
  const found: Mistake[] = [];
  let [number, index] = [0, 0];
  for (const line of linesOf(text)) {
    number += 1;
    if (line.trim() === '' || (kind === 'text' && line.trimStart().startsWith('#'))) continue;
    const other = index === 0 && lookalike(line, number, kind, isStdin);
    if (other) return { defaults: [], entries, mistakes: [other] };
    const { node, mistakes: ofLine } = kind === 'text' ? readPrompt(line, number) : readJson(line, number, json);
    found.push(...ofLine);
    if (node?.fields) entries.push({ index, at: node.at, fields: node.fields });
    else if (node) found.push(mistakes.unlike(node, 'a line', 'an object of options'));
    index += 1;
    if (room.left < 0 || entries.length > jobLimit || found.length >= mistakeLimit) break;
  }
  if (index === 0) found.push(mistakes.nothing({ line: 1, column: 1 }));
  return { defaults: [], entries, mistakes: found };
}

function* linesOf(text: string): Generator<string, void> {
  for (let start = 0, end = 0; end >= 0; start = end + 1) {
    end = text.indexOf('\n', start);
    yield text.slice(start, end < 0 ? undefined : end);
  }
}

/** Of a line that is no JSON the first mistake, which the others follow from. */
function readJson(line: string, number: number, json: JsonReader): Reading {
  const { node, mistakes } = json.read(line.replace(/\r$/, ''), number);
  return { node, mistakes: node ? mistakes : mistakes.slice(0, 1) };
}

/** The prompt that a line of plain text is, trimmed; one that begins with `#`, as comments do, is written with `\#`. */
function readPrompt(line: string, number: number): Reading {
  const text = line.trim();
  const at: Position = { line: number, column: line.indexOf(text) + 1 };
  const value = text.startsWith('\\#') ? text.slice(1) : text;
  const node: Node = { at, value: { prompt: value }, fields: [{ key: 'prompt', at, node: { at, value } }] };
  return { node, mistakes: [] };
}
