const percent = 0x25;

/**
 * Decodes percent-encoded bytes (RFC 3986, 2.1) that arrive in pieces cut anywhere. A percent sign without two
 * hexadecimal digits stands for itself.
 */
export class PercentDecoder {
  /** The start of an escape that waits for the rest. */
  #rest: Buffer = Buffer.alloc(0);

  push(bytes: Uint8Array): Buffer {
    const all = Buffer.concat([this.#rest, bytes]);
    const lastEscape = all.lastIndexOf(percent, -1);
    const end = lastEscape >= 0 && lastEscape > all.length - 3 ? lastEscape : all.length;
    this.#rest = Buffer.from(all.subarray(end));
    return unescaped(all.subarray(0, end));
  }

  finish(): Buffer {
    return this.#rest;
  }
}

function unescaped(bytes: Buffer): Buffer {
  if (!bytes.includes(percent)) return bytes;
  const text = bytes.toString('latin1');
  return Buffer.from(
    text.replace(/%([\da-f]{2})/gi, (_escape, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}
