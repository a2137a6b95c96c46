import { collect, decode, readBytes } from './bytes.ts';
import { batchFileOf } from './document.ts';
import { JsonReader } from './json.ts';
import { type Kind, kindOfContent, kindOfName } from './kind.ts';
import { readLines } from './lines.ts';
import { jobLimit, mistakeLimit, mistakes, valueLimit } from './node.ts';
import type { BatchFile } from './types.ts';

/** The largest batch file, in bytes: it is read whole. */
const sizeLimit = 64 << 20;

/**
 * Reads a batch file, once and whole: YAML, JSON, JSON Lines or plain text, as its extension says; JSON Lines or plain
 * text from a stream, which is stdin. Mistakes in it are part of what is returned.
 * Throws ImggenError `usage` when it cannot be read, has no known extension, or has more than 64 MB; and what the stream
 * throws.
 */
export async function readBatchFile(source: string | AsyncIterable<Uint8Array>, limit = sizeLimit): Promise<BatchFile> {
  const isStdin = typeof source !== 'string';
  const bytes = await (isStdin ? collect(source, 'stdin', limit) : readBytes(source, limit));
  const named = isStdin ? undefined : kindOfName(source);
  const text = decode(bytes, mistakeLimit);
  if (typeof text !== 'string') return { defaults: [], entries: [], mistakes: text };
  const file = await read(text, named ?? kindOfContent(text), isStdin);
  const surplus = file.entries[jobLimit];
  return surplus ? { ...file, mistakes: [...file.mistakes, mistakes.tooMany(surplus.at)] } : file;
}

async function read(text: string, kind: Kind, isStdin: boolean): Promise<BatchFile> {
  if (kind === 'json-lines' || kind === 'text') return readLines(text, kind, isStdin);
  if (text.trim() === '') return batchFileOf({ node: undefined, mistakes: [] });
  if (kind === 'json') return batchFileOf(new JsonReader({ left: valueLimit }).read(text));
  const { readYaml } = await import('./yaml.ts');
  return batchFileOf(readYaml(text));
}
