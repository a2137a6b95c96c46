// Goes through a text that JSON.parse has accepted, so nothing here looks for mistakes.

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openList, closeList, openMap, closeMap] = [0x5b, 0x5d, 0x7b, 0x7d];

/** What a text holds: its colons, one for each key, and where it goes beyond a limit of depth or of values. */
export interface Measures {
  colons: number;
  tooDeep: number | undefined;
  tooLarge: number | undefined;
}

export function measure(text: string, limits: { depth: number; values: number }): Measures {
  let [colons, commas, depth] = [0, 0, 0];
  let tooDeep: number | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) at = closingQuote(text, at);
    else if (code === colon) colons += 1;
    else if (code === comma) {
      commas += 1;
      if (commas > limits.values) return { colons, tooDeep, tooLarge: at };
    } else if (code === openMap || code === openList) {
      depth += 1;
      if (depth > limits.depth) tooDeep ??= at;
    } else if (code === closeMap || code === closeList) depth -= 1;
  }
  return { colons, tooDeep, tooLarge: undefined };
}

/** Calls `found` for each key of the map that begins at `start`, with its own and its value's offset. */
export function eachKey(text: string, start: number, found: (key: string, at: number, valueAt: number) => void): void {
  for (let at = skipBlanks(text, start + 1); text.charCodeAt(at) !== closeMap;) {
    const end = closingQuote(text, at);
    const valueAt = skipBlanks(text, skipBlanks(text, end + 1) + 1);
    const raw = text.slice(at + 1, end);
    found(raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw, at, valueAt);
    at = nextElement(text, valueAt);
  }
}

/** The offset of each element of the list that begins at `start`. */
export function elements(text: string, start: number): number[] {
  const found = [];
  for (let at = skipBlanks(text, start + 1); text.charCodeAt(at) !== closeList; at = nextElement(text, at))
    found.push(at);
  return found;
}

/** The first offset from `at` on that is no white space of JSON. */
export function skipBlanks(text: string, at: number): number {
  for (let next = at; ; next += 1) {
    const code = text.charCodeAt(next);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return next;
  }
}

/** Behind the value at `at` and the comma after it: the next element, or the bracket that closes. */
function nextElement(text: string, at: number): number {
  const end = skipBlanks(text, endOf(text, at));
  return text.charCodeAt(end) === comma ? skipBlanks(text, end + 1) : end;
}

/** The offset behind the value that begins at `start`. */
export function endOf(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = closingQuote(text, at);
      if (depth === 0) return at + 1;
    } else if (code === openMap || code === openList) depth += 1;
    else if (depth === 0 ? isPastScalar(code) : code === closeMap || code === closeList) {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
}

function isPastScalar(code: number): boolean {
  return code <= 0x20 || code === comma || code === closeList || code === closeMap;
}

/** A quote closes when an even number of backslashes, mostly none, stands before it. */
function closingQuote(text: string, opening: number): number {
  for (let end = text.indexOf('"', opening + 1); ; end = text.indexOf('"', end + 1)) {
    let before = end;
    while (text.charCodeAt(before - 1) === backslash) before -= 1;
    if ((end - before) % 2 === 0) return end;
  }
}
