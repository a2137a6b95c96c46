import { type Flaw, flaws, mistakeOf } from './flaws.ts';
import { readJson } from './json.ts';
import type { Locate } from './positions.ts';
import { entryOf, isMap } from './tree.ts';
import type { Entry, Mistake } from './types.ts';

/** The job of a line of JSON Lines; of a line that is no JSON the first mistake, because it makes the others. */
export function readJsonLine(
  line: string,
  number: number,
  index: number,
): Entry | (Entry | Mistake)[] | Promise<Mistake[]> {
  const locate: Locate = (at) => ({ line: number, column: at + 1 });
  const reading = readJson(line);
  if (!reading) return firstFlaw(line).then((flaw) => [mistakeOf(flaw, locate)]);
  const { tree } = reading;
  const mistakes = reading.flaws.map((flaw) => mistakeOf(flaw, locate));
  if (!tree) return mistakes;
  if (!isMap(tree.value)) return [mistakeOf(flaws.unlike(tree, 'a line', 'an object of options'), locate)];
  const entry = entryOf(tree, index, locate);
  return mistakes.length === 0 ? entry : [...mistakes, entry];
}

async function firstFlaw(line: string): Promise<Flaw> {
  const { jsonFlaws } = await import('./json-flaws.ts');
  const [flaw] = await jsonFlaws(line.trimEnd());
  return flaw;
}
