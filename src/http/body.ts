import type { Readable } from 'node:stream';
import type { Silence } from './silence.ts';

/** A body as its reader gets it: its errors are translated, its silences are watched, and its end is told of. */
export async function* watched(
  body: AsyncIterable<Uint8Array>,
  {
    silence,
    translate,
    end,
  }: { silence: Silence | undefined; translate: (error: unknown) => unknown; end: () => void },
): AsyncGenerator<Uint8Array, void> {
  try {
    silence?.listen();
    for await (const bytes of body) {
      silence?.heard();
      yield bytes;
      silence?.listen();
    }
  } catch (error) {
    throw translate(error);
  } finally {
    end();
  }
}

/** A stream that breaks forgets what of it waits to be read; here that comes first. */
export async function* toTheLast(body: Readable): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body;
  } catch (error) {
    for (let rest = body.read() as Uint8Array | null; rest !== null; rest = body.read() as Uint8Array | null)
      yield rest;
    throw error;
  }
}
