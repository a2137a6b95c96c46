/** How many images one request may ask for. */
export const countRange = { min: 1, max: 10 } as const;
/** `output_compression`, in percent. */
export const compressionRange = { min: 0, max: 100 } as const;

/** Every size that the gateway's documentation lists. */
export const sizes = [
  'auto',
  '1024x1024',
  '1536x1024',
  '1024x1536',
  '256x256',
  '512x512',
  '1792x1024',
  '1024x1792',
] as const;

/** Every field that only some models take, with all the values that some model accepts; empty: no list is documented. */
export const choices = {
  stream: [],
  background: ['transparent', 'opaque', 'auto'],
  moderation: ['low', 'auto'],
  compression: [],
  format: ['png', 'jpeg', 'webp'],
  quality: ['standard', 'hd', 'low', 'medium', 'high', 'auto'],
  responseFormat: ['url', 'b64_json'],
  style: ['vivid', 'natural'],
  user: [],
} as const;

export type OptionalField = keyof typeof choices;
export type Format = (typeof choices.format)[number];
