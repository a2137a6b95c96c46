import { createReadStream } from 'node:fs';
import { ImageMeter } from './meter.ts';
import type { ImageFacts } from './types.ts';

/** The facts of an image file; undefined when there is no such file, or it is not a whole image. */
export async function inspectFile(path: string): Promise<ImageFacts | undefined> {
  const meter = new ImageMeter();
  try {
    for await (const chunk of createReadStream(path)) meter.push(chunk as Buffer);
    return meter.finish();
  } catch {
    return undefined;
  }
}
