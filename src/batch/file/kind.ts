import path from 'node:path';
import { usageError } from '../../errors.ts';
import type { Mistake } from './types.ts';

/** How a file of a job a line is written. */
export type LineKind = 'json-lines' | 'text';
/** How a batch file is written. */
export type Kind = 'yaml' | 'json' | LineKind;

const byExtension: Readonly<Record<string, Kind>> = {
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.json': 'json',
  '.jsonl': 'json-lines',
  '.ndjson': 'json-lines',
  '.txt': 'text',
};

/**
 * The kind that a file's extension tells. Throws ImggenError `usage` for any other name: each line of a README.md or of
 * /etc/passwd would be a prompt, and cost money.
 */
export function kindOfName(file: string): Kind {
  const kind = byExtension[path.extname(file).toLowerCase()];
  if (kind) return kind;
  const known = Object.keys(byExtension).join(' ');
  throw usageError(
    `${file} is no batch file by its name`,
    `known are ${known}; JSON Lines or a prompt a line also from stdin: imggen batch - < file`,
  );
}

/** The kind of what stdin holds: JSON Lines when a brace comes first, else text. */
export function kindOfContent(text: string): LineKind {
  return /^\s*\{/.test(text) ? 'json-lines' : 'text';
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
const lookalikes: Readonly<Record<LineKind, readonly Look[]>> = {
  'json-lines': documents,
  text: [...documents, { name: 'JSON Lines', pattern: /^\{\s*"/, extension: '.jsonl' }],
};

/**
 * The mistake of giving another format for JSON Lines or text: each of its lines would be a prompt, and cost money.
 * @param line the first one that declares something
 */
export function lookalike(line: string, number: number, kind: LineKind, isStdin: boolean): Mistake | undefined {
  const text = line.trimStart();
  const look = lookalikes[kind].find(({ pattern }) => pattern.test(text));
  if (!look) return undefined;
  const at = { line: number, column: line.length - text.length + 1 };
  if (!isStdin)
    return { at, message: `this looks like ${look.name}`, hint: `give the file a name that ends in ${look.extension}` };
  const message = `stdin looks like ${look.name}, but holds JSON Lines or a prompt a line`;
  return { at, message, hint: 'give the name of the file' };
}
