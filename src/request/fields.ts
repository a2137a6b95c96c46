/** The values that the gateway's documentation of the request body lists. */
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
export const formats = ['png', 'jpeg', 'webp'] as const;
export const qualities = ['standard', 'hd', 'low', 'medium', 'high', 'auto'] as const;
export const backgrounds = ['transparent', 'opaque', 'auto'] as const;
export const moderations = ['low', 'auto'] as const;
export const styles = ['vivid', 'natural'] as const;
export const responseFormats = ['url', 'b64_json'] as const;

/** How many images one request may ask for. */
export const countRange = { min: 1, max: 10 } as const;
/** `output_compression`, in percent. */
export const compressionRange = { min: 0, max: 100 } as const;

export type Format = (typeof formats)[number];
