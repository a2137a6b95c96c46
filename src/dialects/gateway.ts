import type { Json } from '../request/types.ts';
import type { Dialect } from './types.ts';

/**
 * The gateway's contract (its document, "图片生成"): the starred fields are always sent, the others when they were set.
 * `quality` travels as `partial_images`: that is the name which the document prints beside the quality's description.
 */
export const gateway: Dialect = {
  name: 'gateway',
  endpoint: (baseUrl) => `${baseUrl}/image/generation`,
  encode(request) {
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
  },
};
