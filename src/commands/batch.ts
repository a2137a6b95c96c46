import type { Command } from 'commander';
import type { ExitCode } from '../errors.ts';
import type { Host } from '../terminal/types.ts';
import { addBatchFlags, type BatchFlags } from './batch/flags.ts';

/** Adds the flags of `imggen batch`. */
export function configure(command: Command, host: Host, setExit: (code: ExitCode) => void): void {
  addBatchFlags(command.argument('[file]', 'YAML, JSON, JSON Lines or text; - reads JSON Lines or text from stdin'));
  command.action(async (file: string | undefined, flags: BatchFlags) => {
    const { runBatch } = await import('./batch/command.ts');
    setExit(await runBatch(file, flags, host));
  });
}
