import type { Command } from 'commander';
import { usageError } from '../errors.ts';
import { directories } from '../options/directories.ts';
import { configPath, readConfig, storeValue } from '../options/store.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';

interface ProfileFlag {
  profile?: string;
}

/** Adds the flags of `imggen logout`. */
export function configure(command: Command, host: Host): void {
  command
    .option('--profile <name>', 'from a named set of values')
    .action((flags: ProfileFlag) => runLogout(flags, host));
}

async function runLogout({ profile }: ProfileFlag, host: Host): Promise<void> {
  const { config } = directories(host.env, host.platform, host.home);
  const file = await readConfig(config);
  const stored = profile === undefined ? file.values : file.profiles[profile];
  if (!stored) throw usageError(`there is no profile "${profile}"`);
  const terminal = new Terminal(host, { quiet: false, verbose: false });
  if (stored.apiKey === undefined) {
    terminal.info('no key is stored');
  } else {
    await storeValue(config, profile, 'apiKey', undefined);
    terminal.info(`the key is removed from ${configPath(config)}`);
  }
  if (host.env.IMGGEN_API_KEY) terminal.warn('IMGGEN_API_KEY is still set');
}
