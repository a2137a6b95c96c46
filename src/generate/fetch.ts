import { TruncatedImage } from '../images/meter.ts';
import { download, type DownloadOptions } from '../http/download.ts';
import type { Http } from '../http/http.ts';
import { waitBeforeRepeat } from '../http/retry.ts';
import type { PartFile } from '../files/part.ts';
import { PartSink } from './sink.ts';
import type { StoredPart } from '../images/types.ts';

/** Called with the number of bytes that have come; negative for bytes that are dropped again. */
export type OnBytes = (count: number) => void;

/**
 * Downloads one image to a part file, which is removed again on any failure. A body that is whole as HTTP but not as
 * an image is fetched again, like a connection that broke, up to `retries` times.
 * Throws ImggenError with the reason of the last try.
 */
export async function fetchImage(
  url: string,
  part: PartFile,
  http: Http,
  options: DownloadOptions,
  onBytes: OnBytes,
): Promise<StoredPart> {
  const sink = new PartSink(part);
  const restart = async () => {
    onBytes(-sink.bytes);
    await sink.restart();
  };
  try {
    for (let attempt = 0; ; attempt += 1) {
      for await (const { offset, bytes } of download(http, url, options)) {
        if (offset < sink.bytes) await restart();
        await sink.write(bytes);
        onBytes(bytes.length);
      }
      try {
        return await sink.finish();
      } catch (error) {
        if (!(error instanceof TruncatedImage) || attempt >= options.retries) throw error;
        await restart();
        await http.pause(url, error.message, waitBeforeRepeat(attempt, undefined));
      }
    }
  } catch (error) {
    await part.discard();
    throw error;
  }
}
