import { join } from 'node:path';
import type { Directories } from './types.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where the config file and the state are kept: `IMGGEN_CONFIG_DIR` and `IMGGEN_STATE_DIR`, else the platform's
 * place for them (the XDG base directories, on macOS too, as command-line tools do there; `%APPDATA%` on Windows).
 */
export function directories(env: Environment, platform: string, home: string): Directories {
  const windows = platform === 'win32';
  const config = windows
    ? (env.APPDATA ?? join(home, 'AppData', 'Roaming'))
    : absolute(env.XDG_CONFIG_HOME, join(home, '.config'));
  const state = windows
    ? (env.LOCALAPPDATA ?? join(home, 'AppData', 'Local'))
    : absolute(env.XDG_STATE_HOME, join(home, '.local', 'state'));
  return {
    config: env.IMGGEN_CONFIG_DIR || join(config, 'imggen'),
    state: env.IMGGEN_STATE_DIR || join(state, windows ? 'imggen-state' : 'imggen'),
  };
}

/** The XDG specification: a relative path in one of its variables is to be ignored. */
function absolute(path: string | undefined, otherwise: string): string {
  return path?.startsWith('/') ? path : otherwise;
}
