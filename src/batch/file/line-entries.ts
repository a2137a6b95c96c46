import { flaws, mistakeOf } from './flaws.ts';
import { readJsonLine } from './json-line.ts';
import { lookalike } from './kind.ts';
import { linesOf } from './lines.ts';
import type { Source } from './source.ts';
import { readTextLine } from './text-line.ts';
import type { Entry, Mistake } from './types.ts';

type Declared = Entry | readonly (Entry | Mistake)[] | undefined;
const readers: Record<
  'json-lines' | 'text',
  (line: string, number: number, index: number) => Declared | Promise<Declared>
> = {
  'json-lines': readJsonLine,
  text: readTextLine,
};

/**
 * The jobs of a file that declares one a line. What cannot be read is a mistake, and the next line goes on.
 * @param limit of a line, in bytes
 */
export async function* lineEntries(
  source: Source,
  kind: 'json-lines' | 'text',
  limit: number,
): AsyncGenerator<Entry | Mistake, void> {
  const read = readers[kind];
  let index = 0;
  for await (const { first, lines } of linesOf(source.chunks(), limit)) {
    let number = first - 1;
    for (const line of lines) {
      number += 1;
      if (typeof line !== 'string') {
        index += 1;
        yield line;
        continue;
      }
      if (line.trim() === '') continue;
      const other = index === 0 && lookalike(line, number, kind, source);
      if (other) return yield other;
      const found = read(line, number, index);
      // Only what is wrong is worth an await: a good line must cost next to nothing.
      const declared = found instanceof Promise ? await found : found;
      if (declared === undefined) continue;
      index += 1;
      if ('fields' in declared) yield declared;
      else yield* declared;
    }
  }
  if (index === 0) yield mistakeOf(flaws.nothing(0), () => ({ line: 1, column: 1 }));
}
