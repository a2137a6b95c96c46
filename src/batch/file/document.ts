import { closest } from '../../similar.ts';
import { mistakeLimit, mistakes, quoted } from './node.ts';
import type { BatchFile, Entry, Field, Mistake, Node, Reading } from './types.ts';

const topLevel = ['defaults', 'images'];
const start = { line: 1, column: 1 };

/** What a YAML or JSON document declares: `images`, `defaults`, and nothing else at its top but the editor's `$schema`. */
export function batchFileOf({ node: top, mistakes: ofText }: Reading): BatchFile {
  const found = [...ofText];
  const entries: Entry[] = [];
  let defaults: readonly Field[] = [];
  if (!top || top.value === null) {
    if (found.length === 0) found.push(mistakes.nothing(top?.at ?? start));
  } else if (!top.fields) {
    const hint = top.items && 'the list belongs below the key "images"';
    found.push(mistakes.unlike(top, 'the file', 'a map with "images"', hint));
  } else {
    const unknown = top.fields.filter(({ key }) => !topLevel.includes(key) && key !== '$schema');
    found.push(...unknown.map(unknownKey));
    const nodeOf = (name: string) => top.fields?.find(({ key }) => key === name)?.node;

    const given = nodeOf('defaults');
    if (given?.fields) defaults = given.fields;
    else if (given) found.push(mistakes.unlike(given, '"defaults"', 'a map of options'));

    const images = nodeOf('images');
    for (const [index, item] of images?.items?.entries() ?? [])
      if (item.fields) entries.push({ index, at: item.at, fields: item.fields });
      else if (found.length < mistakeLimit) found.push(noImage(item));
    if (images && !images.items) found.push(mistakes.unlike(images, '"images"', 'a list of images'));
    else if (images ? images.items?.length === 0 : !unknown.some(({ key }) => closest(key, topLevel) === 'images'))
      found.push(mistakes.nothing((images ?? top).at));
  }
  return { defaults, entries, mistakes: firstOf(found) };
}

/** In the order of the text, one for each place: what is found there later follows from the first. */
function firstOf(found: Mistake[]): Mistake[] {
  const sorted = found.sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
  return sorted
    .filter(({ at: { line, column } }, index) => {
      const before = sorted[index - 1]?.at;
      return before?.line !== line || before.column !== column;
    })
    .slice(0, mistakeLimit);
}

function unknownKey({ key, at }: Field): Mistake {
  const meant = closest(key, topLevel);
  const hint = meant ? `did you mean: ${meant}` : 'a batch file has "defaults" and "images"';
  return { at, message: `${quoted(key)} is not known here`, hint };
}

function noImage(item: Node): Mistake {
  const hint = typeof item.value === 'string' ? 'the prompt belongs to the key "prompt"' : undefined;
  return mistakes.unlike(item, 'an image', 'a map of options', hint);
}
