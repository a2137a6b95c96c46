import { choices, type OptionalField, sizes } from './fields.ts';

/** What a model family accepts. */
export interface Limits {
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

export interface Model extends Limits {
  /** The family's name, as it is shown. */
  id: string;
  /** The model ids that belong to the family. */
  ids: RegExp;
}

function taking(...fields: OptionalField[]): Limits['takes'] {
  return Object.fromEntries(fields.map((field) => [field, choices[field]]));
}

const gptImage: Limits = {
  promptLimit: 32_000,
  maxCount: 10,
  sizes: ['auto', '1024x1024', '1536x1024', '1024x1536'],
  defaultSize: 'auto',
  aliases: { square: '1024x1024', landscape: '1536x1024', portrait: '1024x1536' },
  takes: taking('stream', 'background', 'moderation', 'compression', 'format', 'quality', 'user'),
};

/** What each model family accepts, as the gateway documents it. */
export const models: readonly Model[] = [
  { id: 'gpt-image-1.5', ids: /^(gpt-image-|chatgpt-image-)/, ...gptImage },
  {
    id: 'dall-e-3',
    ids: /^dall-e-3$/,
    promptLimit: 4000,
    maxCount: 1,
    sizes: ['1024x1024', '1792x1024', '1024x1792'],
    defaultSize: '1024x1024',
    aliases: { square: '1024x1024', landscape: '1792x1024', portrait: '1024x1792' },
    takes: taking('quality', 'responseFormat', 'style', 'user'),
  },
  {
    id: 'dall-e-2',
    ids: /^dall-e-2$/,
    promptLimit: 1000,
    maxCount: 10,
    sizes: ['256x256', '512x512', '1024x1024'],
    defaultSize: '1024x1024',
    aliases: { square: '1024x1024' },
    takes: taking('quality', 'responseFormat', 'user'),
  },
];

/** The limits of a model id. Of one that the table does not know, only the general limits of the document hold. */
export function limitsOf(id: string): Limits {
  return models.find(({ ids }) => ids.test(id)) ?? { ...gptImage, sizes, takes: choices };
}
