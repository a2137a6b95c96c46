import type { Format } from './fields.ts';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** What the user asks for, in imggen's own words; a dialect gives it the field names of an API. */
export interface ImageRequest {
  prompt: string;
  model: string;
  /** How many images, 1 to 10. */
  n: number;
  size: string;
  stream: boolean;
  /** Percent, 0 to 100. */
  compression: number;
  format?: Format;
  quality?: string;
  background?: string;
  moderation?: string;
  style?: string;
  responseFormat?: string;
  user?: string;
  /** `--param`: fields under the API's own names, sent as they are and last. */
  extra: Record<string, Json>;
}

/** The request as far as the user gave it; validation fills what the document calls required. */
export type RequestDraft = Partial<Omit<ImageRequest, 'extra' | 'prompt' | 'model'>> &
  Pick<ImageRequest, 'prompt' | 'model' | 'extra'>;
