import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImggenError, messageOf } from '../errors.ts';
import { isObject, lineOfMistake } from '../json.ts';

/** Settings as the config file holds them, by key. */
export type StoredValues = Readonly<Record<string, string | number | boolean>>;

/** The config file: settings, and named sets of settings that come before them. */
export interface ConfigFile {
  values: StoredValues;
  profiles: Readonly<Record<string, StoredValues>>;
}

export function configPath(directory: string): string {
  return join(directory, 'config.json');
}

/**
 * Reads the config file; a missing one is empty. Most runs need no more of it, so they never load `conf`.
 * Throws ImggenError `config`, with path and line, for a file that imggen would not write; the file stays as it is.
 */
export async function readConfig(directory: string): Promise<ConfigFile> {
  const path = configPath(directory);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { values: {}, profiles: {} };
    throw new ImggenError('config', `cannot read ${path}`, { cause: messageOf(error) });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new ImggenError('config', `${path}:${await lineOfMistake(text)} is not valid JSON`, {
      cause: messageOf(error),
      hint: 'correct the file, or move it away; imggen does not change it',
    });
  }
  return split(parsed, path);
}

function split(parsed: unknown, path: string): ConfigFile {
  if (!isObject(parsed)) throw new ImggenError('config', `${path} does not hold a JSON object`);
  const { profiles = {}, ...values } = parsed;
  if (!isObject(profiles)) throw new ImggenError('config', `"profiles" in ${path} is not an object of named profiles`);
  return {
    values: scalars(values, path, ''),
    profiles: Object.fromEntries(
      Object.entries(profiles).map(([name, profile]) => {
        if (!isObject(profile)) throw new ImggenError('config', `the profile "${name}" in ${path} is not an object`);
        return [name, scalars(profile, path, `profiles.${name}.`)];
      }),
    ),
  };
}

function scalars(values: Record<string, unknown>, path: string, prefix: string): StoredValues {
  for (const [key, value] of Object.entries(values)) {
    // JavaScript reads 1e999 as Infinity, and would write it back as null.
    const isScalar = ['string', 'boolean'].includes(typeof value) || Number.isFinite(value);
    if (!isScalar) {
      throw new ImggenError('config', `"${prefix}${key}" in ${path} is not a text, a number, true or false`);
    }
  }
  return values as StoredValues;
}

/**
 * Sets one value, or removes it when it is undefined, at the top or in a profile. Replaces the file, with mode 0600 in a
 * directory of mode 0700. Throws ImggenError `config` for a broken file, `output` when the new one cannot be written.
 */
export async function storeValue(
  directory: string,
  profile: string | undefined,
  key: string,
  value: string | number | boolean | undefined,
): Promise<void> {
  const { profiles } = await readConfig(directory);
  const { default: Conf } = await import('conf');
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const conf = new Conf<Record<string, unknown>>({
      cwd: directory,
      configName: 'config',
      configFileMode: 0o600,
      accessPropertiesByDotNotation: false,
      clearInvalidConfig: false,
    });
    if (profile === undefined) {
      if (value === undefined) conf.delete(key);
      else conf.set(key, value);
      return;
    }
    const { [key]: _old, ...others } = profiles[profile] ?? {};
    const changed = value === undefined ? others : { ...others, [key]: value };
    const { [profile]: _before, ...rest } = profiles;
    conf.set('profiles', Object.keys(changed).length > 0 ? { ...rest, [profile]: changed } : rest);
  } catch (error) {
    throw new ImggenError('output', `cannot write ${configPath(directory)}`, { cause: messageOf(error) });
  }
}
