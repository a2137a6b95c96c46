/** Whether a value is an object of JSON: neither null nor an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of a JSON text; undefined when the text is not JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The line, from 1, of the first mistake in a text that is not JSON. JSON.parse does not always say where it stopped. */
export async function lineOfMistake(text: string): Promise<number> {
  const { parse } = await import('jsonc-parser');
  const errors: { offset: number }[] = [];
  try {
    parse(text, errors as never, { disallowComments: true, allowTrailingComma: false });
  } catch {
    // Nested deeper than the parser's recursion can go: the line is that of the end.
  }
  return text.slice(0, errors[0]?.offset ?? text.length).split('\n').length;
}
