import { type Key, settings } from '../../options/settings.ts';
import { ownParams } from '../../options/param.ts';
import { jobKeys, variantSettings } from './keys.ts';

type Schema = Record<string, unknown>;

/**
 * The JSON Schema of a batch file, for editors: draft 7, which all of them know. It says what each value may be by
 * itself; what goes together, and what a model takes, the batch says when it reads the file.
 */
export function batchSchema(): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'imggen batch',
    description: 'Images that are declared in a file: imggen batch <file>',
    type: 'object',
    additionalProperties: false,
    required: ['images'],
    properties: {
      $schema: {},
      defaults: { ...map(settingSchemas()), ...once, description: 'what every image has unless it says otherwise' },
      images: { type: 'array', minItems: 1, items: { $ref: '#/definitions/image' } },
    },
    definitions: {
      image: {
        ...map({ ...settingSchemas(), ...ownSchemas() }),
        oneOf: [{ required: ['prompt'] }, { required: ['prompt-file'] }],
        ...once,
      },
      variant: { ...map(variantSchemas()), required: ['out'] },
    },
  };
}

function map(properties: Schema): Schema {
  return { type: 'object', additionalProperties: false, properties };
}

function settingSchemas(): Schema {
  const all: Schema = Object.fromEntries([...jobKeys].map(([name, key]) => [name, schemaOf(key)]));
  const { quality } = all;
  // A word is the model's quality, a number that of what it is converted to.
  all.quality = { anyOf: [quality, schemaOf('convertQuality')] };
  all.keepOriginal = all['keep-original'];
  all.param = { type: 'object', description: 'any other fields of the API, under its own names', not: notOwn };
  return all;
}

/** What two keys could say at a time. */
const once = {
  not: {
    anyOf: [
      { required: ['keepOriginal', 'keep-original'] },
      { required: ['quality', 'convert-quality'], properties: { quality: { type: 'number' } } },
    ],
  },
};

/** The API's fields that have a key of their own. */
const notOwn = { anyOf: [...ownParams.keys()].map((name) => ({ required: [name] })) };

function ownSchemas(): Schema {
  return {
    prompt: { type: 'string', pattern: '\\S', description: 'what to draw' },
    'prompt-file': { type: 'string', minLength: 1, description: 'a file with the prompt, relative to this one' },
    variants: {
      type: 'array',
      items: { $ref: '#/definitions/variant' },
      description: 'what is made of the image, at no cost',
    },
  };
}

function variantSchemas(): Schema {
  return Object.fromEntries(Object.entries(variantSettings).map(([name, key]) => [name, schemaOf(key)]));
}

/** What a help for flags says in other words. */
const descriptions: Partial<Record<Key, string>> = {
  keepOriginal: 'keep <name>.original.<ext> beside what resize and convert make',
  out: 'a directory, or a file name with an image extension; relative to this file',
};

function schemaOf(key: Key): Schema {
  const { parse, help } = settings[key];
  return { ...parse.schema, description: descriptions[key] ?? help };
}
