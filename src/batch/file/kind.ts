import path from 'node:path';
import { usageError } from '../../errors.ts';
import { linesOf } from './lines.ts';
import type { Source } from './source.ts';
import type { Mistake } from './types.ts';

/** How a batch file is written. */
export type Kind = 'yaml' | 'json' | 'json-lines' | 'text';

const byExtension: Readonly<Record<string, Kind>> = {
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.json': 'json',
  '.jsonl': 'json-lines',
  '.ndjson': 'json-lines',
  '.txt': 'text',
};

/**
 * The kind that a file's name tells; undefined without an extension. Throws ImggenError `usage` for an unknown one: each
 * line of a README.md would be a prompt, and cost money.
 *
 * @param shown what to call the file in a message
 */
export function kindOfName(file: string, shown: string): Kind | undefined {
  const extension = path.extname(file).toLowerCase();
  const kind = byExtension[extension];
  if (kind !== undefined || extension === '') return kind;
  throw usageError(
    `${shown} is no batch file by its name`,
    `known are ${Object.keys(byExtension).join(' ')}; anything else from stdin: imggen batch - < file`,
  );
}

/** The kind that the content tells: JSON Lines when a brace comes first, else text. */
export async function kindOfContent(source: Source, lineLimit: number): Promise<Kind> {
  for await (const { lines } of linesOf(source.chunks(), lineLimit))
    for (const line of lines) {
      if (typeof line !== 'string') return 'text';
      const start = line.trimStart();
      if (start !== '') return start.startsWith('{') ? 'json-lines' : 'text';
    }
  return 'text';
}

interface Look {
  name: string;
  /** Of the first line that is neither blank nor a comment, without the white space before it. */
  pattern: RegExp;
  extension: string;
}

const documents: readonly Look[] = [
  {
    name: 'YAML',
    pattern:
      /^(?:---(?:\s|$)|%YAML\s|(?:images|defaults|\$schema)\s*:(?:\s|$)|-\s+(?:prompt|prompt-file|out|name)\s*:(?:\s|$))/,
    extension: '.yaml',
  },
  {
    name: 'a JSON document',
    pattern: /^(?:\{\s*$|\[\s*(?:$|[{[])|\{\s*"(?:images|defaults|\$schema)"\s*:)/,
    extension: '.json',
  },
];
/** What is something else than the kind that a file's name, or its first character, says. */
const lookalikes: Readonly<Record<'json-lines' | 'text', readonly Look[]>> = {
  'json-lines': documents,
  text: [...documents, { name: 'JSON Lines', pattern: /^\{\s*"/, extension: '.jsonl' }],
};

/**
 * The mistake of giving something else for JSON Lines or text: each line of it would be a prompt, and cost money.
 * @param line the first one that declares something
 */
export function lookalike(
  line: string,
  number: number,
  kind: 'json-lines' | 'text',
  { isStdin }: Source,
): Mistake | undefined {
  const text = line.trimStart();
  const look = lookalikes[kind].find(({ pattern }) => pattern.test(text));
  if (!look) return undefined;
  const at = { line: number, column: line.length - text.length + 1 };
  return isStdin
    ? {
        at,
        message: `stdin looks like ${look.name}, but holds JSON Lines or a prompt a line`,
        hint: 'give the name of the file',
      }
    : { at, message: `this looks like ${look.name}`, hint: `give the file a name that ends in ${look.extension}` };
}
