import type { Command } from 'commander';
import { usageError } from '../errors.ts';
import { directories } from '../options/directories.ts';
import { InvalidValue } from '../options/parse.ts';
import { parseValue } from '../options/resolve.ts';
import { allows, type Key, keys, settings } from '../options/settings.ts';
import { configPath, readConfig, storeValue } from '../options/store.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';
import { checkProfileName, loadSettings } from './context.ts';
import { closest } from '../similar.ts';

interface ConfigFlags {
  profile?: string;
  showOrigin?: boolean;
  json?: boolean;
}

const storable = keys.filter((key) => allows(key, 'file'));

/** Adds the verbs of `imggen config`. */
export function configure(config: Command, host: Host): void {
  config
    .command('set <key> <value>')
    .description('store a value')
    .option('--profile <name>', 'in a named set of values')
    .action((key: string, value: string, flags: ConfigFlags) => runSet(key, value, flags, host));
  config
    .command('get <key>')
    .description('print the value in force')
    .option('--profile <name>', 'with a named set of values')
    .action((key: string, flags: ConfigFlags) => runGet(key, flags, host));
  config
    .command('unset <key>')
    .description('remove a stored value')
    .option('--profile <name>', 'from a named set of values')
    .action((key: string, flags: ConfigFlags) => runUnset(key, flags, host));
  config
    .command('list')
    .description('print every value in force')
    .option('--show-origin', 'say where each value comes from')
    .option('--json', 'as one JSON document')
    .option('--profile <name>', 'with a named set of values')
    .action((flags: ConfigFlags) => runList(flags, host));
  config
    .command('path')
    .description("print the config file's path")
    .action(() => runPath(host));
  config.addHelpText('after', `\nKeys: ${[...storable, 'profile'].join(', ')}`);
}

async function runSet(name: string, text: string, { profile }: ConfigFlags, host: Host): Promise<void> {
  if (profile !== undefined) checkProfileName(profile);
  if (name === 'profile') return await setDefaultProfile(text, profile, host);
  const key = storableKey(name);
  if (key === 'apiKey') {
    throw usageError(
      'the API key is not taken from the command line, where every process sees it',
      'store it: imggen login',
    );
  }
  const value = parseValue(key, text, key);
  checkStored(key, value, text);
  await storeValue(directory(host), profile, key, value as string | number | boolean);
}

async function setDefaultProfile(text: string, profile: string | undefined, host: Host): Promise<void> {
  if (profile !== undefined) throw usageError('a profile cannot name another profile');
  const { profiles } = await readConfig(directory(host));
  if (!Object.hasOwn(profiles, text))
    throw usageError(`there is no profile "${text}"`, Object.keys(profiles).join(', ') || undefined);
  await storeValue(directory(host), undefined, 'profile', text);
}

function checkStored(key: Key, value: unknown, text: string): void {
  try {
    const { checkStored: check }: { checkStored?: (value: never) => void } = settings[key];
    check?.(value as never);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw usageError(`${key} ${text} ${error.message}`, error.hint);
  }
}

async function runGet(name: string, flags: ConfigFlags, host: Host): Promise<void> {
  const { values, profile } = await loadSettings({ profile: flags.profile }, host);
  const terminal = new Terminal(host, { quiet: false, verbose: false });
  const value = name === 'profile' ? profile : values[storableKey(name)];
  if (value === undefined) throw usageError(`${name} is not set`);
  await terminal.data(String(value));
}

async function runUnset(name: string, { profile }: ConfigFlags, host: Host): Promise<void> {
  const file = await readConfig(directory(host));
  const stored = profile === undefined ? file.values : file.profiles[profile];
  if (!stored) throw usageError(`there is no profile "${profile}"`, Object.keys(file.profiles).join(', ') || undefined);
  // Whatever the file has may be removed, a key that is no setting too.
  if (!Object.hasOwn(stored, name))
    throw usageError(`${name} is not stored`, Object.keys(stored).join(', ') || undefined);
  await storeValue(directory(host), profile, name, undefined);
}

async function runList(flags: ConfigFlags, host: Host): Promise<void> {
  const { values, origins, label } = await loadSettings({ profile: flags.profile }, host);
  const terminal = new Terminal(host, { quiet: false, verbose: false });
  const shown = storable.filter((key) => values[key] !== undefined);
  if (flags.json) {
    const entry = (key: Key) => (flags.showOrigin ? { value: values[key], origin: origins[key] } : values[key]);
    return await terminal.json(Object.fromEntries(shown.map((key) => [key, entry(key)])));
  }
  for (const key of shown) {
    const where = origins[key] === 'environment' ? `environment ${label(key)}` : origins[key];
    await terminal.data(flags.showOrigin ? `${where}\t${key}=${String(values[key])}` : `${key}=${String(values[key])}`);
  }
}

async function runPath(host: Host): Promise<void> {
  await new Terminal(host, { quiet: false, verbose: false }).data(configPath(directory(host)));
}

function directory(host: Host): string {
  return directories(host.env, host.platform, host.home).config;
}

function storableKey(name: string): Key {
  if (storable.includes(name as Key)) return name as Key;
  if (name === 'sandbox')
    throw usageError(
      'sandbox is not stored, so that no run is a placeholder by surprise',
      'use --sandbox or IMGGEN_SANDBOX=1',
    );
  const meant = closest(name, storable);
  throw usageError(`${name} is not a setting`, meant ? `did you mean ${meant}?` : storable.join(', '));
}
