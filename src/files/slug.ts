/** The longest slug, in bytes of UTF-8: with a number, an extension and `.json` it stays below every file system's 255. */
const slugLimit = 80;
/** Names that Windows keeps for devices, with any extension. */
const reserved = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])$/;

/**
 * A file name's part from free text: letters, marks and digits of every script in lower case, a hyphen for all else;
 * at most 80 bytes, cut after a word where there is one. Never empty, hidden, or a device's name.
 */
export function slug(text: string): string {
  const words = text
    .normalize('NFC')
    .toLowerCase()
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .filter(Boolean);
  let result = '';
  for (const word of words) {
    const longer = result === '' ? word : `${result}-${word}`;
    if (Buffer.byteLength(longer) > slugLimit) break;
    result = longer;
  }
  if (result === '') result = cutBytes(words[0] ?? '', slugLimit) || 'image';
  return reserved.test(result) ? `${result}-image` : result;
}

/** The longest start of a text that has at most `limit` bytes of UTF-8 and does not split a character. */
function cutBytes(text: string, limit: number): string {
  let result = '';
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (Buffer.byteLength(result + segment) > limit) break;
    result += segment;
  }
  return result;
}
