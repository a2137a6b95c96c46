import { usageError } from '../errors.ts';
import { type Directories, directories } from '../options/directories.ts';
import { type Flags, type Layers, resolveSettings, type Resolved } from '../options/resolve.ts';
import { closest, oneOfHint } from '../similar.ts';
import { keys } from '../options/settings.ts';
import { type ConfigFile, configPath, readConfig, type StoredValues } from '../options/store.ts';
import type { Host } from '../terminal/types.ts';

/** The directories and the config file that a command works with. */
export interface Settings extends Resolved {
  directories: Directories;
  /** The profile in use, if any. */
  profile: string | undefined;
  /** Where the values come from that no flag gives. */
  layers: Omit<Layers, 'flags'>;
}

/**
 * Reads the config file and resolves every setting. Throws ImggenError `usage` or `config` for a value, a key or a
 * profile that is not known.
 */
export async function loadSettings(flags: Flags, host: Host): Promise<Settings> {
  const dirs = directories(host);
  const file = await readConfig(dirs.config);
  const path = configPath(dirs.config);
  checkKeys(file, path);
  const profile = profileName(flags, host, file);
  const layers = {
    env: host.env,
    profile: profile === undefined ? undefined : file.profiles[profile],
    file: file.values,
    path,
  };
  const resolved = resolveSettings({ ...layers, flags });
  if (resolved.values.apiKey) host.redactor.add(resolved.values.apiKey);
  return { ...resolved, directories: dirs, profile, layers };
}

function profileName(flags: Flags, host: Host, file: ConfigFile): string | undefined {
  const given = (flags.profile as string | undefined) ?? host.env.IMGGEN_PROFILE ?? file.values.profile;
  if (given === undefined || given === '') return undefined;
  const name = String(given);
  profileOf(file, name);
  return name;
}

/** The values of a profile. Throws ImggenError `usage` when there is none of that name. */
export function profileOf({ profiles }: ConfigFile, name: string): StoredValues {
  if (Object.hasOwn(profiles, name)) return profiles[name] as StoredValues;
  const hint = oneOfHint(Object.keys(profiles)) ?? `make one: imggen config set --profile ${name} <key> <value>`;
  throw usageError(`there is no profile "${name}"`, hint);
}

/** What the config file holds for a profile, or outside of all of them. Throws ImggenError `usage` and `config`. */
export async function storedValues(directory: string, profile: string | undefined): Promise<StoredValues> {
  const file = await readConfig(directory);
  return profile === undefined ? file.values : profileOf(file, profile);
}

/** A mistyped key would otherwise show only in the bill. */
function checkKeys({ values, profiles }: ConfigFile, path: string): void {
  const sets = [
    ['', values] as const,
    ...Object.entries(profiles).map(([name, set]) => [`profiles.${name}.`, set] as const),
  ];
  for (const [prefix, set] of sets)
    for (const key of Object.keys(set)) {
      if (key === 'profile' || keys.includes(key as never)) continue;
      const meant = closest(key, keys);
      const hint = meant ? `did you mean ${meant}?` : 'remove it: imggen config unset';
      throw usageError(`"${prefix}${key}" in ${path} is not a setting`, hint);
    }
}

/** Throws ImggenError `usage` for a name that does not work in messages and on command lines. */
export function checkProfileName(name: string): void {
  if (!/^[\p{L}\p{N}_-]{1,64}$/u.test(name))
    throw usageError(`"${name}" cannot name a profile`, 'letters, digits, - and _');
}

/** Throws ImggenError `usage` for a URL that would get the API key in clear text. */
export async function checkConnection({ values, label }: Settings): Promise<void> {
  if (values.allowInsecure) return;
  for (const key of values.sandbox ? [] : (['baseUrl', 'taskUrl'] as const)) {
    const url = values[key];
    if (url === undefined || url.startsWith('https:')) continue;
    const { isLoopbackHost } = await import('../http/address.ts');
    if (isLoopbackHost(url)) continue;
    throw usageError(
      `${label(key)} ${url} is not secure: the API key would travel in clear`,
      'use https:, or, on a network that you trust: imggen config set allowInsecure true',
    );
  }
}
