import type { Field, Mistake, Position } from '../file/types.ts';
import { InvalidValue, mismatchOf } from '../../options/parse.ts';
import { type Key, settings } from '../../options/settings.ts';
import type { Json } from '../../request/types.ts';
import { closest } from '../../similar.ts';
import { aliases, jobKeys, ownKeys, ownParams, variantSettings } from './keys.ts';

/** One of `variants`, with the places of its values. */
export interface Variant {
  at: Position;
  values: Partial<Record<keyof typeof variantSettings, string>>;
}

/** What a job, or the defaults, say: each value checked by itself. */
export interface Given {
  /** As the command line would have them. */
  settings: Partial<Record<Key, string>>;
  prompt: string | undefined;
  promptFile: string | undefined;
  extra: Record<string, Json>;
  variants: readonly Variant[];
  /** Where each value stands, by the key as it is written. */
  places: ReadonlyMap<string, Position>;
}

/** Reads the fields of a job or of the defaults: every mistake of them, not only the first. */
export function readFields(fields: readonly Field[], place: 'job' | 'defaults'): { given: Given; mistakes: Mistake[] } {
  const mistakes: Mistake[] = [];
  const places = new Map<string, Position>();
  const given: Given = { settings: {}, prompt: undefined, promptFile: undefined, extra: {}, variants: [], places };
  /** How each setting was spelled. */
  const spelled = new Map<string, string>();
  for (const field of fields) {
    const key = aliases.get(field.key) ?? field.key;
    places.set(key, field.valueAt);
    const refuse = (message: string, hint?: string, at = field.valueAt) =>
      mistakes.push({ at, message, ...(hint && { hint }) });
    const setting = meantBy(key, field.value);
    const other = spelled.get(setting ?? key);
    spelled.set(setting ?? key, field.key);
    if (other !== undefined && other !== field.key)
      refuse(`${field.key} is given twice`, `${other} says the same`, field.at);
    else if (setting) readSetting(setting, key, field, given, refuse);
    else if (!(ownKeys as readonly string[]).includes(key))
      refuseKey(field.key, [...jobKeys.keys(), ...ownKeys], (...why) => refuse(...why, field.at));
    else if (place === 'defaults' && key.startsWith('prompt'))
      refuse(`${key} belongs to an image, not to the defaults`, undefined, field.at);
    else readOwn(key as (typeof ownKeys)[number], field, given, mistakes);
  }
  return { given, mistakes };
}

/** The setting that a key of a job stands for. A word is the model's quality, a number that of what it is converted to. */
function meantBy(key: string, value: Json): Key | undefined {
  return key === 'quality' && typeof value === 'number' ? 'convertQuality' : jobKeys.get(key);
}

function readSetting(
  setting: Key,
  key: string,
  { value }: Field,
  given: Given,
  refuse: (message: string, hint?: string) => void,
): void {
  const checked = checkSetting(setting, key, value);
  if (typeof checked === 'string') given.settings[setting] = checked;
  else refuse(checked.message, checked.hint);
}

/** The text of a value that a setting takes, or what is wrong with it. */
function checkSetting(setting: Key, key: string, value: Json): string | { message: string; hint: string | undefined } {
  const { parse } = settings[setting];
  const mismatch = mismatchOf(value, parse.schema);
  if (mismatch) return { message: `${key}: ${shown(value)} ${mismatch.message}`, hint: mismatch.hint };
  try {
    const text = `${value as string | number | boolean}`;
    parse(text);
    return text;
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    return { message: `${key}: ${shown(value)} ${error.message}`, hint: error.hint };
  }
}

function readOwn(key: (typeof ownKeys)[number], field: Field, given: Given, mistakes: Mistake[]): void {
  const { value, valueAt: at } = field;
  switch (key) {
    case 'prompt':
    case 'prompt-file':
      if (typeof value !== 'string')
        mistakes.push({ at, message: `${key}: ${shown(value)} is not text`, hint: 'put it in quotes' });
      else if (key === 'prompt') given.prompt = value.trim();
      else given.promptFile = value;
      break;
    case 'param':
      readParam(field, given, mistakes);
      break;
    case 'variants':
      readVariants(field, given, mistakes);
      break;
  }
}

function readParam(field: Field, given: Given, mistakes: Mistake[]): void {
  const { value } = field;
  if (!isMap(value))
    return void mistakes.push({
      at: field.valueAt,
      message: `param: ${shown(value)} is not a map of the API's fields`,
    });
  for (const name of Object.keys(value)) {
    const own = ownParams.get(name);
    if (own) mistakes.push({ at: field.within([name]), message: `param: ${name} has its own key`, hint: `use ${own}` });
  }
  given.extra = value;
}

function readVariants(field: Field, given: Given, mistakes: Mistake[]): void {
  const { value } = field;
  if (!Array.isArray(value))
    return void mistakes.push({ at: field.valueAt, message: `variants: ${shown(value)} is not a list` });
  given.variants = value.map((variant, index) => readVariant(variant, index, field, mistakes));
}

function readVariant(variant: Json, index: number, field: Field, mistakes: Mistake[]): Variant {
  const at = field.within([index]);
  const values: Variant['values'] = {};
  const refuse = (message: string, hint?: string, place = at) =>
    mistakes.push({ at: place, message, ...(hint && { hint }) });
  if (!isMap(variant)) {
    refuse(`variants: ${shown(variant)} is not a map`);
    return { at, values };
  }
  for (const [key, value] of Object.entries(variant)) {
    const place = field.within([index, key]);
    if (!Object.hasOwn(variantSettings, key)) {
      refuseKey(key, Object.keys(variantSettings), (message, hint) => refuse(`variants: ${message}`, hint, place));
      continue;
    }
    const name = key as keyof typeof variantSettings;
    const checked = checkSetting(variantSettings[name], key, value);
    if (typeof checked === 'string') values[name] = checked;
    else refuse(`variants: ${checked.message}`, checked.hint, place);
  }
  if (values.out === undefined && !('out' in variant)) refuse('variants: each needs an out, the file that it makes');
  return { at, values };
}

function refuseKey(key: string, known: readonly string[], refuse: (message: string, hint?: string) => void): void {
  const meant = closest(key, known);
  refuse(`${key} is not a key`, meant ? `did you mean ${meant}?` : `known: ${known.join(', ')}`);
}

function isMap(value: Json): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as a message shows it. */
function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
