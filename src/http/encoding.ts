import type { Transform } from 'node:stream';
import { ImggenError } from '../errors.ts';

/**
 * The body as it was before it was compressed. imggen asks for no compression, but some servers compress all the same.
 * It is decoded as it is read, so that what grows without end meets the limits of its reader.
 * Throws ImggenError `bad_answer` for an encoding that Node does not know.
 */
export async function decoded(
  body: AsyncIterable<Uint8Array> & { on?: unknown },
  encoding: string | undefined,
): Promise<AsyncIterable<Uint8Array>> {
  if (encoding === undefined || encoding === '' || encoding === 'identity') return body;
  const [{ createBrotliDecompress, createUnzip }, { pipeline, Readable }] = await Promise.all([
    import('node:zlib'),
    import('node:stream'),
  ]);
  const makers: Readonly<Record<string, () => Transform>> = {
    gzip: createUnzip,
    'x-gzip': createUnzip,
    deflate: createUnzip,
    br: createBrotliDecompress,
  };
  const make = makers[encoding.toLowerCase()];
  if (!make) throw new ImggenError('bad_answer', `the answer is compressed as "${encoding}"`);
  const transform = make();
  // An error reaches the reader through the transform, which pipeline destroys with it.
  pipeline(Readable.from(body), transform, () => {});
  return transform;
}
