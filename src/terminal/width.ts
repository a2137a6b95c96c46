/** In characters: longer lines of help are hard to read. It is also the width where nothing is known, as in a pipe. */
export const widestHelp = 100;
