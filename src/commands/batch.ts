import type { Command } from 'commander';
import type { Host } from '../terminal/types.ts';
import { addBatchFlags, type BatchFlags } from './batch/flags.ts';
import type { SetExit } from './flags.ts';

/** Adds `imggen batch`. */
export function registerBatch(program: Command, host: Host, setExit: SetExit): void {
  const command = program
    .command('batch')
    .description('generate the images that a file lists, but only those that are missing or changed')
    .argument('[file]', 'YAML, JSON, JSON Lines or text; - reads JSON Lines or text from stdin');
  addBatchFlags(command).action(async (file: string | undefined, flags: BatchFlags) => {
    const { runBatch } = await import('./batch/command.ts');
    setExit(await runBatch(file, flags, host));
  });
}
