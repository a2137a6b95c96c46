import { backgrounds, formats, moderations, qualities, responseFormats, sizes, styles } from './fields.ts';

/** The values of a field for which the API documents none. */
const anyText: readonly string[] = [];

/** Every optional field, with all the values that some model accepts. */
const anyModel = {
  stream: anyText,
  background: backgrounds,
  moderation: moderations,
  compression: anyText,
  format: formats,
  quality: qualities,
  responseFormat: responseFormats,
  style: styles,
  user: anyText,
};

/** A field that only some models take. */
export type OptionalField = keyof typeof anyModel;
export const optionalFields = Object.keys(anyModel) as OptionalField[];

export interface Model {
  /** The family's name, as it is shown. */
  id: string;
  /** Whether a model id belongs to the family. */
  matches: (id: string) => boolean;
  /** The prompt's longest length, in Unicode code points. */
  promptLimit: number;
  /** The most images of one request. */
  maxCount: number;
  sizes: readonly string[];
  defaultSize: string;
  /** What `--size square|landscape|portrait` stands for. */
  aliases: Readonly<Record<string, string>>;
  /** What each optional field accepts; a field that is missing is not taken by the model. */
  takes: Readonly<Partial<Record<OptionalField, readonly string[]>>>;
}

const { responseFormat: _responseFormat, style: _style, ...gptImage } = anyModel;

/**
 * What each model family accepts, as the gateway documents it.
 */
export const models: readonly Model[] = [
  {
    id: 'gpt-image-1.5',
    matches: (id) => /^(gpt-image-|chatgpt-image-)/.test(id),
    promptLimit: 32_000,
    maxCount: 10,
    sizes: ['auto', '1024x1024', '1536x1024', '1024x1536'],
    defaultSize: 'auto',
    aliases: { square: '1024x1024', landscape: '1536x1024', portrait: '1024x1536' },
    takes: gptImage,
  },
  {
    id: 'dall-e-3',
    matches: (id) => id === 'dall-e-3',
    promptLimit: 4000,
    maxCount: 1,
    sizes: ['1024x1024', '1792x1024', '1024x1792'],
    defaultSize: '1024x1024',
    aliases: { square: '1024x1024', landscape: '1792x1024', portrait: '1024x1792' },
    takes: { quality: qualities, responseFormat: responseFormats, style: styles, user: anyText },
  },
  {
    id: 'dall-e-2',
    matches: (id) => id === 'dall-e-2',
    promptLimit: 1000,
    maxCount: 10,
    sizes: ['256x256', '512x512', '1024x1024'],
    defaultSize: '1024x1024',
    aliases: { square: '1024x1024' },
    takes: { quality: qualities, responseFormat: responseFormats, user: anyText },
  },
];

/** A model that the table does not know: only the document's general limits hold. */
const unknownModel: Omit<Model, 'id' | 'matches'> = {
  promptLimit: 32_000,
  maxCount: 10,
  sizes,
  defaultSize: 'auto',
  aliases: { square: '1024x1024', landscape: '1536x1024', portrait: '1024x1536' },
  takes: anyModel,
};

/** The row of a model id; an id that no row matches gets the general limits under its own name. */
export function modelOf(id: string): Model {
  return models.find((model) => model.matches(id)) ?? { ...unknownModel, id, matches: (other) => other === id };
}
