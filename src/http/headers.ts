/** The headers of an answer as imggen reads them: one text for each name, in UTF-8. */
export function readHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value = '']) => [name, utf8([value].flat().join(', '))]),
  );
}

/** Node and undici take headers for Latin-1; a Location beyond ASCII is UTF-8 nowadays. */
function utf8(value: string): string {
  return /[\x80-\xff]/.test(value) ? Buffer.from(value, 'latin1').toString() : value;
}
