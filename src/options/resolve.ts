import { parseNamed } from './parse.ts';
import { allows, environmentName, flagOf, type Key, keys, settings, type Values } from './settings.ts';
import type { StoredValues } from './store.ts';

/** Where a value came from, most specific first. */
export type Origin = 'flag' | 'environment' | 'profile' | 'file' | 'default';

export interface Resolved {
  values: Values;
  origins: Readonly<Record<Key, Origin>>;
  /** The name under which a user knows a value, by where it was given: `--size`, `IMGGEN_SIZE`, `size in …/config.json`. */
  label: (key: Key) => string;
}

/** By key: a batch resolves its settings for each job. */
const variables = Object.fromEntries(keys.map((key) => [key, environmentName(key)])) as Readonly<Record<Key, string>>;

/** What commander gives: settings, and the command's own flags. */
export type Flags = Readonly<Record<string, unknown>>;

export interface Layers {
  flags: Flags;
  env: Readonly<Record<string, string | undefined>>;
  profile: StoredValues | undefined;
  file: StoredValues;
  /** The config file's path, for messages. */
  path: string;
}

/**
 * Merges the layers into one frozen, fully filled set of values: the first of flag, environment, profile, file and
 * default wins. Throws ImggenError `usage` for a value that its setting does not take, naming where it was given.
 */
export function resolveSettings(layers: Layers): Resolved {
  const values: Partial<Record<Key, unknown>> = {};
  const origins = {} as Record<Key, Origin>;
  const label = (key: Key) => nameAt(key, origins[key], layers.path);
  for (const key of keys) {
    const [origin, raw] = firstGiven(key, layers);
    origins[key] = origin;
    values[key] = raw === undefined ? settings[key].fallback : parseValue(key, raw, label(key));
  }
  return { values: Object.freeze(values as Values), origins: Object.freeze(origins), label };
}

function firstGiven(key: Key, layers: Layers): [Origin, string | undefined] {
  const flag = layers.flags[key] as string | boolean | undefined;
  if (flag !== undefined && allows(key, 'flag')) return ['flag', String(flag)];
  // An empty variable is the usual way of a CI system to say "not set".
  const variable = layers.env[variables[key]];
  if (variable && allows(key, 'env')) return ['environment', variable];
  if (allows(key, 'file')) {
    const ofProfile = layers.profile?.[key];
    if (ofProfile !== undefined) return ['profile', String(ofProfile)];
    const ofFile = layers.file[key];
    if (ofFile !== undefined) return ['file', String(ofFile)];
  }
  return ['default', undefined];
}

/** Parses the text of one setting. Throws ImggenError `usage` that names the value by `label`. */
export function parseValue(key: Key, raw: string, label: string): unknown {
  return parseNamed<unknown>(label, raw, settings[key].parse, key === 'apiKey');
}

function nameAt(key: Key, origin: Origin, path: string): string {
  switch (origin) {
    case 'environment':
      return environmentName(key);
    case 'profile':
    case 'file':
      return `${key} in ${path}:`;
    default:
      return flagOf(key);
  }
}
