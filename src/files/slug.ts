/** The longest slug, in bytes of UTF-8: with a number, an extension and `.json` it stays below every file system's 255. */
const slugLimit = 80;
/** Names that Windows keeps for devices, with any extension. */
const reserved = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])$/;
/** To learn the letters of every script takes a millisecond, which a text in ASCII need not wait for. */
export const ascii = /^[\x00-\x7f]*$/;

/**
 * A file name's part from free text: letters, marks and digits of every script in lower case, a hyphen for all else;
 * at most 80 bytes, cut after a word where there is one. Never empty, hidden, or a device's name.
 */
export function slug(text: string): string {
  const between = ascii.test(text) ? /[^a-z0-9]+/ : /[^\p{L}\p{M}\p{N}]+/u;
  const words = text
    .normalize('NFC')
    .toLowerCase()
    .split(between)
    .filter((word) => word !== '');
  let result = '';
  for (const word of words) {
    const longer = result === '' ? word : `${result}-${word}`;
    if (Buffer.byteLength(longer) > slugLimit) break;
    result = longer;
  }
  if (result === '') result = cutBytes(words[0] ?? 'image', slugLimit);
  return reserved.test(result) ? `${result}-image` : result;
}

/** The longest start of a text that has at most `limit` bytes of UTF-8 and does not split a character. */
function cutBytes(text: string, limit: number): string {
  let result = '';
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (Buffer.byteLength(result + segment) > limit) break;
    result += segment;
  }
  return result === '' ? 'image' : result;
}
