import type { Pace, Services } from '../../generate/services.ts';
import type { Layers, Resolved } from '../../options/resolve.ts';
import type { Key } from '../../options/settings.ts';
import type { Directories } from '../../options/directories.ts';
import type { Json } from '../../request/types.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import type { Host } from '../../terminal/types.ts';
import type { Shard } from '../lock/types.ts';

/** What `imggen batch` takes besides the settings, as commander gives it. */
export interface BatchFlags extends Readonly<Record<string, unknown>> {
  check?: boolean;
  dryRun?: boolean;
  force?: boolean;
  overwrite?: boolean;
  only?: readonly string[];
  shard?: Shard;
  concurrency: number;
  /** The time between two generations, in milliseconds. */
  rate: number;
  maxImages: number;
  failFast?: boolean;
  prune?: boolean;
  yes?: boolean;
  lock?: string;
  mergeLocks?: readonly string[];
  schema?: boolean;
  json?: boolean;
  profile?: string;
  param?: Record<string, Json>;
}

/** One `imggen batch`, and what it works with. */
export interface Batch {
  /** As it was given; `-` for stdin. */
  file: string;
  /** The paths in the file are relative to it. */
  directory: string;
  flags: BatchFlags;
  /** The settings that the command line gave, as text. */
  given: Partial<Record<Key, string>>;
  settings: Resolved & { directories: Directories; layers: Omit<Layers, 'flags'> };
  terminal: Terminal;
  host: Host;
  /** Does work that sends something, and ends its connections; `work` gets the URL of the sandbox of this process. */
  connect: <T>(
    options: { needsKey: boolean; pace: Pace },
    work: (services: Services, sandboxUrl: string | undefined) => Promise<T>,
  ) => Promise<T>;
}
