import type { BatchFile } from '../../batch/file/types.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import type { Host } from '../../terminal/types.ts';
import type { BatchFlags } from './flags.ts';
import type { Settings } from '../context.ts';

/** One `imggen batch`, and what it works on. */
export interface Batch {
  /** As it was given; `-` for stdin. */
  file: string;
  content: BatchFile;
  flags: BatchFlags;
  settings: Settings;
  terminal: Terminal;
  host: Host;
  /** What the paths in the file are relative to. */
  directory: string;
}
