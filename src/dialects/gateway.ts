import type { ImageRequest, Json } from '../request/types.ts';
import { decodeAnswer } from './decode.ts';
import type { Dialect } from './dialect.ts';

/** The gateway (its document, "图片生成"): one endpoint that takes flat JSON. */
export const gateway: Dialect = {
  name: 'gateway',
  fields,
  encode: (request, baseUrl) => ({
    url: `${baseUrl}/image/generation`,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(fields(request))),
  }),
  decode: decodeAnswer,
};

/**
 * The fields that the document marks with a star are always sent, the others when they were set. `quality` travels as
 * `partial_images`: the document prints that name beside the quality's description.
 */
function fields(request: ImageRequest): Record<string, Json> {
  const optional: Record<string, Json | undefined> = {
    background: request.background,
    moderation: request.moderation,
    output_format: request.format,
    partial_images: request.quality,
    response_format: request.responseFormat,
    style: request.style,
    user: request.user,
  };
  const given = Object.entries(optional).filter((entry): entry is [string, Json] => entry[1] !== undefined);
  return {
    model: request.model,
    prompt: request.prompt,
    n: request.n,
    size: request.size,
    stream: request.stream,
    output_compression: request.compression,
    ...Object.fromEntries(given),
    ...request.extra,
  };
}
