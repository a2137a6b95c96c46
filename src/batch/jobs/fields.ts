import type { Field, Mistake, Node, Position } from '../file/types.ts';
import { characterProblem } from '../../files/template.ts';
import { ownParams } from '../../options/param.ts';
import { InvalidValue, mismatchOf } from '../../options/parse.ts';
import { type Key, settings, type Values } from '../../options/settings.ts';
import type { Json } from '../../request/types.ts';
import { closest } from '../../similar.ts';
import { aliases, jobKeys, ownKeys, variantSettings } from './keys.ts';

type Settings = { -readonly [K in Key]?: Values[K] };

/** One of `variants`. */
export interface Variant {
  at: Position;
  settings: Settings;
}

/** What a job, or the defaults, say: each value checked by itself. */
export interface Given {
  settings: Settings;
  prompt: string | undefined;
  promptFile: string | undefined;
  extra: Record<string, Json>;
  variants: readonly Variant[];
  /** Where each value stands. */
  places: ReadonlyMap<Key | OwnKey, Position>;
}

type OwnKey = (typeof ownKeys)[number];
type Refuse = (at: Position, message: string, hint?: string) => void;

/** Reads the fields of a job or of the defaults, with every mistake of them. */
export function readFields(fields: readonly Field[], place: 'job' | 'defaults'): { given: Given; mistakes: Mistake[] } {
  const mistakes: Mistake[] = [];
  const refuse: Refuse = (at, message, hint) => mistakes.push({ at, message, ...(hint && { hint }) });
  const places = new Map<Key | OwnKey, Position>();
  const given: Given = { settings: {}, prompt: undefined, promptFile: undefined, extra: {}, variants: [], places };
  /** How each key is spelled. */
  const spelled = new Map<Key | OwnKey, string>();
  for (const { key: written, at, node } of fields) {
    const name = aliases.get(written) ?? written;
    const key = meantBy(name, node.value);
    if (key === undefined) {
      refuseKey(at, '', written, [...jobKeys.keys(), ...ownKeys], refuse);
      continue;
    }
    places.set(key, node.at);
    const other = spelled.get(key);
    spelled.set(key, written);
    if (other !== undefined && other !== written) refuse(at, `${written} is given twice`, `${other} says the same`);
    else if (key === 'prompt' || key === 'prompt-file') {
      if (place === 'defaults') refuse(at, `${key} belongs to an image, not to the defaults`);
      else if (typeof node.value !== 'string')
        refuse(node.at, `${key}: ${shown(node.value)} is not text`, 'put it in quotes');
      else if (key === 'prompt') given.prompt = node.value.trim();
      else given.promptFile = node.value;
    } else if (key === 'param') readParam(node, given, refuse);
    else if (key === 'variants') {
      if (node.items) given.variants = node.items.map((item) => readVariant(item, refuse));
      else refuse(node.at, `variants: ${shown(node.value)} is not a list`);
    } else readSetting(key, name, node, given.settings, refuse);
  }
  return { given, mistakes };
}

/** What a key of a job stands for. As quality a word is the model's, a number that of what it is converted to. */
function meantBy(name: string, value: Json): Key | OwnKey | undefined {
  if (name === 'quality' && typeof value === 'number') return 'convertQuality';
  return jobKeys.get(name) ?? ownKeys.find((own) => own === name);
}

/** @param name the key as a message calls it */
function readSetting(key: Key, name: string, { at, value }: Node, into: Settings, refuse: Refuse): void {
  const { parse } = settings[key];
  const mismatch = mismatchOf(value, parse.schema) ?? mismatchOfName(key, value as string);
  if (mismatch) return refuse(at, `${name}: ${shown(value)} ${mismatch.message}`, mismatch.hint);
  try {
    into[key] = parse(`${value as string | number | boolean}`) as never;
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    refuse(at, `${name}: ${shown(value)} ${error.message}`, error.hint);
  }
}

/** Why a text names no file. */
function mismatchOfName(key: Key, text: string): { message: string; hint?: string } | undefined {
  if (key !== 'out' && key !== 'name') return undefined;
  const message = characterProblem(text);
  if (message !== undefined) return { message };
  if (key === 'name' || !text.startsWith('~')) return undefined;
  const hint = 'write the whole path, or ./~ for a name that begins so';
  return { message: 'begins with ~, which only a shell expands', hint };
}

function readParam({ at, value, fields }: Node, given: Given, refuse: Refuse): void {
  if (!fields) return refuse(at, `param: ${shown(value)} is not a map of the API's fields`);
  for (const { key, node } of fields) {
    const own = ownParams.get(key);
    if (own) refuse(node.at, `param: ${key} has its own key`, `use ${own}`);
  }
  given.extra = value as Record<string, Json>;
}

function readVariant({ at, value, fields }: Node, refuse: Refuse): Variant {
  const own: Settings = {};
  if (!fields) refuse(at, `variants: ${shown(value)} is not a map`);
  for (const { key, node } of fields ?? []) {
    if (Object.hasOwn(variantSettings, key))
      readSetting(variantSettings[key as keyof typeof variantSettings], `variants: ${key}`, node, own, refuse);
    else refuseKey(node.at, 'variants: ', key, Object.keys(variantSettings), refuse);
  }
  if (fields && !fields.some(({ key }) => key === 'out'))
    refuse(at, 'variants: each needs an out, the file that it makes');
  return { at, settings: own };
}

function refuseKey(at: Position, where: string, key: string, known: readonly string[], refuse: Refuse): void {
  const meant = closest(key, known);
  refuse(at, `${where}${key} is not a key`, meant ? `did you mean ${meant}?` : `known: ${known.join(', ')}`);
}

/** A value as a message shows it. */
function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
