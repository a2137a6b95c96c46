import type { Command } from 'commander';
import { ImggenError } from '../errors.ts';
import { directories } from '../options/directories.ts';
import { parseValue } from '../options/resolve.ts';
import type { Secret } from '../options/secret.ts';
import { configPath, readConfig, storeValue } from '../options/store.ts';
import { askSecret } from '../terminal/ask.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';
import { checkProfileName } from './context.ts';

interface ProfileFlag {
  profile?: string;
}

/** Adds the flags of `imggen login`. */
export function configure(command: Command, host: Host): void {
  command.option('--profile <name>', 'in a named set of values').action((flags: ProfileFlag) => runLogin(flags, host));
}

/** Throws ImggenError `no_api_key` when no key is given, `config` or `output` when it cannot be stored. */
async function runLogin({ profile }: ProfileFlag, host: Host): Promise<void> {
  const { config } = directories(host.env, host.platform, host.home);
  if (profile !== undefined) checkProfileName(profile);
  await readConfig(config);
  const line = await askSecret('API key (not shown): ', host);
  if (line.trim() === '') {
    throw new ImggenError('no_api_key', 'no key was given', { hint: 'imggen login < file-with-the-key' });
  }
  const key = parseValue('apiKey', line, 'the key') as Secret;
  await storeValue(config, profile, 'apiKey', key.reveal());
  const terminal = new Terminal(host, { quiet: false, verbose: false });
  terminal.info(`the key ${key} is stored in ${configPath(config)}`);
  if (host.env.IMGGEN_API_KEY) terminal.warn('IMGGEN_API_KEY is set and comes before the stored key');
}
