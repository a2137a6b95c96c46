import type { Command } from 'commander';
import { usageError } from '../errors.ts';
import { directories } from '../options/directories.ts';
import { parseValue } from '../options/resolve.ts';
import { allows, type Key, keys, settings } from '../options/settings.ts';
import { configPath, readConfig, storeValue } from '../options/store.ts';
import { oneOfHint, suggestion } from '../similar.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';
import { checkProfileName, loadSettings, profileOf, storedValues } from './context.ts';

interface ConfigFlags {
  profile?: string;
  showOrigin?: boolean;
  json?: boolean;
}

const storable = keys.filter((key) => allows(key, 'file'));

/** Adds `imggen config` and its verbs. */
export function registerConfig(program: Command, host: Host): void {
  const config = program
    .command('config')
    .description('the local config file: set, get, unset, list, path')
    .addHelpText('after', `\nKeys: ${[...storable, 'profile'].join(', ')}`);
  config
    .command('set <key> <value>')
    .description('store a value')
    .option('--profile <name>', 'in a named set of values')
    .action((key: string, value: string, flags: ConfigFlags) => set(key, value, flags, host));
  config
    .command('get <key>')
    .description('print the value in force')
    .option('--profile <name>', 'with a named set of values')
    .action((key: string, flags: ConfigFlags) => get(key, flags, host));
  config
    .command('unset <key>')
    .description('remove a stored value')
    .option('--profile <name>', 'from a named set of values')
    .action((key: string, flags: ConfigFlags) => unset(key, flags, host));
  config
    .command('list')
    .description('print every value in force')
    .option('--show-origin', 'say where each value comes from')
    .option('--json', 'as one JSON document')
    .option('--profile <name>', 'with a named set of values')
    .action((flags: ConfigFlags) => list(flags, host));
  config
    .command('path')
    .description("print the config file's path")
    .action(() => new Terminal(host).data(configPath(directory(host))));
}

async function set(name: string, text: string, { profile }: ConfigFlags, host: Host): Promise<void> {
  if (profile !== undefined) checkProfileName(profile);
  if (name === 'profile') return await setDefaultProfile(text, profile, host);
  const key = storableKey(name);
  if (key === 'apiKey')
    throw usageError('every process sees the command line: it cannot have the API key', 'store it: imggen login');
  const value = parseValue(key, text, key) as string | number | boolean;
  const names = settings[key].parse.schema.enum;
  if (names && !names.includes(String(value))) throw usageError(`${key} ${text} is not a ${key}`, oneOfHint(names));
  await storeValue(directory(host), profile, key, value);
}

async function setDefaultProfile(name: string, profile: string | undefined, host: Host): Promise<void> {
  if (profile !== undefined) throw usageError('a profile cannot name another profile');
  profileOf(await readConfig(directory(host)), name);
  await storeValue(directory(host), undefined, 'profile', name);
}

async function get(name: string, flags: ConfigFlags, host: Host): Promise<void> {
  const { values, profile } = await loadSettings({ profile: flags.profile }, host);
  const value = name === 'profile' ? profile : values[storableKey(name)];
  if (value === undefined) throw usageError(`${name} is not set`);
  await new Terminal(host).data(String(value));
}

async function unset(name: string, { profile }: ConfigFlags, host: Host): Promise<void> {
  const stored = await storedValues(directory(host), profile);
  // A key that is no setting can be removed too.
  if (!Object.hasOwn(stored, name)) throw usageError(`${name} is not stored`, oneOfHint(Object.keys(stored)));
  await storeValue(directory(host), profile, name, undefined);
}

async function list(flags: ConfigFlags, host: Host): Promise<void> {
  const { values, origins, label } = await loadSettings({ profile: flags.profile }, host);
  const terminal = new Terminal(host);
  const shown = storable.filter((key) => values[key] !== undefined);
  if (flags.json) {
    const entry = (key: Key) => (flags.showOrigin ? { value: values[key], origin: origins[key] } : values[key]);
    return await terminal.json(Object.fromEntries(shown.map((key) => [key, entry(key)])));
  }
  for (const key of shown) {
    const origin = origins[key] === 'environment' ? `environment ${label(key)}` : origins[key];
    await terminal.data(`${flags.showOrigin ? `${origin}\t` : ''}${key}=${String(values[key])}`);
  }
}

function directory(host: Host): string {
  return directories(host).config;
}

function storableKey(name: string): Key {
  if (storable.includes(name as Key)) return name as Key;
  if (name === 'sandbox')
    throw usageError('sandbox is not stored: a later run would make placeholders', 'use --sandbox or IMGGEN_SANDBOX=1');
  throw usageError(`${name} is not a setting`, suggestion(name, storable));
}
