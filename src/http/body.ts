import type { Readable, Transform } from 'node:stream';
import { ImggenError } from '../errors.ts';

/**
 * A body without its compression, which imggen does not ask for and some servers apply all the same. It is decoded as
 * it is read, so that a small body that unpacks without end meets the limits of its reader.
 * Throws ImggenError `bad_answer` for an unknown encoding.
 */
export async function* decoded(body: Readable, encoding = 'identity'): AsyncGenerator<Uint8Array, void> {
  if (encoding === '' || encoding === 'identity') return yield* toTheLast(body);
  const [{ createBrotliDecompress, createUnzip }, stream] = await Promise.all([
    import('node:zlib'),
    import('node:stream'),
  ]);
  const decoders: Readonly<Record<string, () => Transform>> = {
    gzip: createUnzip,
    'x-gzip': createUnzip,
    deflate: createUnzip,
    br: createBrotliDecompress,
  };
  const decoder = decoders[encoding.toLowerCase()]?.();
  if (!decoder) throw new ImggenError('bad_answer', `the answer is compressed as "${encoding}"`);
  // An error destroys the decoder, and so reaches the reader.
  stream.pipeline(stream.Readable.from(toTheLast(body)), decoder, () => {});
  yield* decoder;
}

/** All bytes that have arrived, then the error: a stream that breaks drops the bytes that wait to be read. */
async function* toTheLast(body: Readable): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body;
  } catch (error) {
    for (let rest: unknown = body.read(); rest !== null; rest = body.read()) yield rest as Uint8Array;
    throw error;
  }
}
