import { usageError } from '../../errors.ts';
import { type Document, readDocument } from './document.ts';
import { kindOfContent, kindOfName } from './kind.ts';
import { lineEntries } from './line-entries.ts';
import { isText, linesOf, withoutMark } from './lines.ts';
import { anySize } from './flaws.ts';
import { openFile, type Source, spoolStream } from './source.ts';
import type { Manifest, Mistake } from './types.ts';

/** Sizes in bytes. */
export interface Limits {
  /** Of a line of JSON Lines or text. */
  line: number;
  /** Of a YAML or JSON document, which is read whole. */
  document: number;
  /** Of stdin. */
  stdin: number;
}

const usual: Limits = { line: 4 << 20, document: 64 << 20, stdin: 1 << 30 };

/** Where a manifest comes from: a file, and what to call it; or a stream, and a directory for a private copy of it. */
export type From = { path: string; shown: string } | { stdin: AsyncIterable<Uint8Array>; spool: string };

/**
 * Opens a batch file: YAML or JSON, JSON Lines, or plain text. Mistakes in it come among its entries.
 * Throws ImggenError `usage` when it cannot be read or is too large, `output` when stdin cannot be copied.
 */
export async function openManifest(from: From, limits: Partial<Limits> = {}): Promise<Manifest> {
  const { line, document, stdin } = { ...usual, ...limits };
  const isFile = 'path' in from;
  const source = await (isFile ? openFile(from.path, from.shown) : spoolStream(from.stdin, from.spool, stdin));
  try {
    const kind = (isFile ? kindOfName(from.path, from.shown) : undefined) ?? (await kindOfContent(source, line));
    if (kind === 'yaml' || kind === 'json') return whole(await readWhole(source, kind, document), source);
    return { defaults: [], entries: () => lineEntries(source, kind, line), close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

function whole({ defaults, parts }: Document, source: Source): Manifest {
  return {
    defaults,
    async *entries() {
      yield* parts;
    },
    close: () => source.close(),
  };
}

async function readWhole(source: Source, kind: 'yaml' | 'json', limit: number): Promise<Document> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of source.chunks()) {
    length += chunk.length;
    if (length > limit) {
      throw usageError(`${source.shown} is larger than the ${limit >>> 20} MB that a document may have`, anySize);
    }
    chunks.push(Buffer.from(chunk));
  }
  const bytes = Buffer.concat(chunks);
  if (isText(bytes)) return await readDocument(withoutMark(bytes.toString()), kind);
  const mistakes: Mistake[] = [];
  for await (const { lines } of linesOf([bytes], length))
    mistakes.push(...lines.filter((line) => typeof line !== 'string'));
  return { defaults: [], parts: mistakes };
}
