import { closest } from '../../similar.ts';
import { type Flaw, flawLimit, flaws, mistakeOf, quoted } from './flaws.ts';
import { type Locate, locator } from './positions.ts';
import { entryOf, fieldsOf, isMap, type Pair, type Reading, type Tree } from './tree.ts';
import type { Entry, Field, Mistake } from './types.ts';

/** A YAML or JSON document, which is read whole. */
export interface Document {
  defaults: readonly Field[];
  /** The document's own mistakes in the text's order, then its jobs in theirs. */
  parts: readonly (Entry | Mistake)[];
}

const topLevel = ['defaults', 'images'];

/** @param text without a byte order mark */
export async function readDocument(text: string, kind: 'yaml' | 'json'): Promise<Document> {
  const reading = await (kind === 'yaml' ? fromYaml(text) : fromJson(text));
  const locate = locator(text);
  const shape: Shape = reading.tree
    ? shapeOf(reading.tree)
    : { images: [], flaws: reading.flaws.length > 0 ? [] : [flaws.nothing(0)] };
  const jobs = shape.images.flatMap((image, index) => (isMap(image.value) ? [entryOf(image, index, locate)] : []));
  return {
    defaults: shape.defaults ? fieldsOf(shape.defaults, locate) : [],
    parts: [...mistakesOf([...reading.flaws, ...shape.flaws], locate), ...jobs],
  };
}

/** The flaws as mistakes in the text's order, one for each place: what is found there later comes of the first. */
function mistakesOf(flaws: readonly Flaw[], locate: Locate): Mistake[] {
  const sorted = [...flaws].sort((a, b) => a.at - b.at);
  return sorted
    .filter(({ at }, index) => sorted[index - 1]?.at !== at)
    .slice(0, flawLimit)
    .map((flaw) => mistakeOf(flaw, locate));
}

async function fromYaml(text: string): Promise<Reading> {
  const { readYaml } = await import('./yaml.ts');
  return readYaml(text);
}

async function fromJson(text: string): Promise<Reading> {
  const { readJson } = await import('./json.ts');
  const reading = readJson(text);
  if (reading) return reading;
  if (text.trim() === '') return { tree: undefined, flaws: [] };
  const { jsonFlaws } = await import('./json-flaws.ts');
  return { tree: undefined, flaws: await jsonFlaws(text) };
}

interface Shape {
  defaults?: Tree;
  images: readonly Tree[];
  flaws: Flaw[];
}

/** What the document says at its top: `images`, `defaults`, and nothing else but the editor's `$schema`. */
function shapeOf(top: Tree): Shape {
  const pairs = top.pairs();
  if (!pairs) {
    const hint = top.items() ? 'the list belongs below the key "images"' : undefined;
    return {
      images: [],
      flaws: [top.value === null ? flaws.nothing(top.at) : flaws.unlike(top, 'the file', 'a map with "images"', hint)],
    };
  }
  const unknown = pairs.filter(({ key }) => !topLevel.includes(key) && key !== '$schema');
  const shape: Shape = { images: [], flaws: unknown.map(unknownKey) };
  const valueOf = (name: string) => pairs.find(({ key }) => key === name)?.value;

  const defaults = valueOf('defaults');
  if (defaults?.pairs()) shape.defaults = defaults;
  else if (defaults) shape.flaws.push(flaws.unlike(defaults, '"defaults"', 'a map of options'));

  const images = valueOf('images');
  const items = images?.items();
  if (items) {
    shape.images = items;
    for (const item of items) if (!isMap(item.value) && shape.flaws.length < flawLimit) shape.flaws.push(noImage(item));
  }
  if (images && !items) shape.flaws.push(flaws.unlike(images, '"images"', 'a list of images'));
  else if (items?.length === 0 || (!items && !unknown.some(({ key }) => closest(key, topLevel) === 'images'))) {
    shape.flaws.push(flaws.nothing((images ?? top).at));
  }
  return shape;
}

function unknownKey({ key, at }: Pair): Flaw {
  const meant = closest(key, topLevel);
  const hint = meant ? `did you mean: ${meant}` : 'a batch file has "defaults" and "images"';
  return { at, message: `${quoted(key)} is not known here`, hint };
}

function noImage(item: Tree): Flaw {
  const hint = typeof item.value === 'string' ? 'the prompt belongs to the key "prompt"' : undefined;
  return flaws.unlike(item, 'an image', 'a map of options', hint);
}
