import type { RequestBody } from '../http/exchange.ts';
import type { ImageRequest, Json } from '../request/types.ts';
import type { decodeAnswer } from './decode.ts';

/** A request as an API wants it, without the key. */
interface EncodedRequest {
  url: string;
  headers: Readonly<Record<string, string>>;
  body: RequestBody;
}

/** How one API is spoken. */
export interface Dialect {
  name: string;
  /** What the request says, under the API's own field names: for dry run, journal and fingerprint. */
  fields(request: ImageRequest): Record<string, Json>;
  /** @param baseUrl without a slash at its end */
  encode(request: ImageRequest, baseUrl: string): EncodedRequest;
  decode: typeof decodeAnswer;
}
