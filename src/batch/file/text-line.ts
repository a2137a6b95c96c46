import type { Entry, Field } from './types.ts';

/**
 * The job of a line of plain text: the prompt, trimmed. A line that begins with `#` is a comment and declares nothing;
 * a prompt that begins so is written with `\#`.
 */
export function readTextLine(line: string, number: number, index: number): Entry | undefined {
  const text = line.trim();
  if (text.startsWith('#')) return undefined;
  const at = { line: number, column: line.indexOf(text) + 1 };
  const prompt: Field = {
    key: 'prompt',
    value: text.startsWith('\\#') ? text.slice(1) : text,
    at,
    valueAt: at,
    within: () => at,
  };
  return { index, at, fields: [prompt] };
}
