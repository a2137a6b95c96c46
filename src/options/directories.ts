import { isAbsolute, join } from 'node:path';
import { ImggenError } from '../errors.ts';

/** The two directories that imggen keeps files in. */
export interface Directories {
  config: string;
  state: string;
}

/** What decides where they are. */
interface Machine {
  env: Readonly<Record<string, string | undefined>>;
  platform: string;
  home: string;
}

/**
 * Where the config file and the state are kept: `IMGGEN_CONFIG_DIR` and `IMGGEN_STATE_DIR`, else the platform's place
 * for them (the XDG base directories, on macOS too; `%APPDATA%` and `%LOCALAPPDATA%` on Windows).
 * Throws ImggenError `config` where none of these names an absolute path and there is no home directory.
 */
export function directories({ env, platform, home }: Machine): Directories {
  // The XDG specification says to ignore relative paths.
  const below = (base: string | undefined, ...fallback: string[]) => {
    if (base !== undefined && isAbsolute(base)) return base;
    if (home !== '') return join(home, ...fallback);
    const hint = 'set HOME, or IMGGEN_CONFIG_DIR and IMGGEN_STATE_DIR';
    throw new ImggenError('config', 'there is no home directory', { hint });
  };
  const windows = platform === 'win32';
  return {
    config:
      env.IMGGEN_CONFIG_DIR ||
      join(windows ? below(env.APPDATA, 'AppData', 'Roaming') : below(env.XDG_CONFIG_HOME, '.config'), 'imggen'),
    state:
      env.IMGGEN_STATE_DIR ||
      (windows
        ? join(below(env.LOCALAPPDATA, 'AppData', 'Local'), 'imggen-state')
        : join(below(env.XDG_STATE_HOME, '.local', 'state'), 'imggen')),
  };
}
