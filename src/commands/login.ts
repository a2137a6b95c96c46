import type { Command } from 'commander';
import { ImggenError } from '../errors.ts';
import { directories } from '../options/directories.ts';
import { parseValue } from '../options/resolve.ts';
import type { Secret } from '../options/secret.ts';
import { configPath, readConfig, storeValue } from '../options/store.ts';
import { askSecret } from '../terminal/ask.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';
import { checkProfileName, storedValues } from './context.ts';

interface ProfileFlag {
  profile?: string;
}

/** Adds `imggen login`. */
export function registerLogin(program: Command, host: Host): void {
  program
    .command('login')
    .description('store the API key: asks on a terminal, else reads a line of stdin')
    .option('--profile <name>', 'in a named set of values')
    .action((flags: ProfileFlag) => login(flags, host));
}

/** Adds `imggen logout`. */
export function registerLogout(program: Command, host: Host): void {
  program
    .command('logout')
    .description('remove the stored API key')
    .option('--profile <name>', 'from a named set of values')
    .action((flags: ProfileFlag) => logout(flags, host));
}

async function login({ profile }: ProfileFlag, host: Host): Promise<void> {
  const { config } = directories(host);
  if (profile !== undefined) checkProfileName(profile);
  // A broken file is an error before the question.
  await readConfig(config);
  const line = await askSecret('API key (not shown): ', host);
  if (line.trim() === '')
    throw new ImggenError('no_api_key', 'no key was given', { hint: 'imggen login < file-with-the-key' });
  const key = parseValue('apiKey', line, 'the key') as Secret;
  await storeValue(config, profile, 'apiKey', key.reveal());
  const terminal = new Terminal(host);
  terminal.info(`the key ${key} is stored in ${configPath(config)}`);
  if (host.env.IMGGEN_API_KEY) terminal.warn('IMGGEN_API_KEY is set and comes before the stored key');
}

async function logout({ profile }: ProfileFlag, host: Host): Promise<void> {
  const { config } = directories(host);
  const { apiKey } = await storedValues(config, profile);
  if (apiKey !== undefined) await storeValue(config, profile, 'apiKey', undefined);
  const terminal = new Terminal(host);
  terminal.info(apiKey === undefined ? 'no key is stored' : `the key is removed from ${configPath(config)}`);
  if (host.env.IMGGEN_API_KEY) terminal.warn('IMGGEN_API_KEY is still set');
}
