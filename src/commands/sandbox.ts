import type { Command } from 'commander';
import { integer, oneOf } from '../options/parse.ts';
import { type AnswerShape, answerShapes } from '../sandbox/context.ts';
import { type Fault, faultKinds, parseFault } from '../sandbox/faults.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';
import { checked } from './flags.ts';

interface SandboxFlags {
  port?: number;
  latency?: number;
  answer?: AnswerShape;
  expires?: number;
  fault?: readonly Fault[];
  seed?: number;
}

/** Adds `imggen sandbox`. */
export function registerSandbox(program: Command, host: Host): void {
  program
    .command('sandbox')
    .description("run the gateway's emulator on loopback: prints its base URL, runs until interrupted")
    .option('--port <number>', 'the port (default: any free one)', checked('--port', integer(0, 65_535)))
    .option('--latency <ms>', 'wait before each answer to a generation', checked('--latency', integer(0, 3_600_000)))
    .option('--answer <shape>', `how images come: ${answerShapes.join(', ')}`, checked('--answer', oneOf(answerShapes)))
    .option('--expires <seconds>', 'how long the URLs of images work', checked('--expires', integer(0, 86_400)))
    .option('--fault <kind[:rate]>', 'fail on purpose; repeatable; a rate from 0 to 1, or once', addFault)
    .option('--seed <number>', 'decides which requests a rate strikes', checked('--seed', integer(0, 2 ** 31)))
    .addHelpText('after', faultHelp())
    .action((flags: SandboxFlags) => serve(flags, host));
}

function addFault(text: string, previous: readonly Fault[] = []): readonly Fault[] {
  return [...previous, parseFault(text)];
}

function faultHelp(): string {
  const rows = Object.entries(faultKinds).map(([kind, help]) => `  ${kind.padEnd(20)} ${help}`);
  return `\nKinds of faults:\n${rows.join('\n')}\n\nWhat it charged: GET <origin>/sandbox/stats`;
}

/** Serves until SIGINT or SIGTERM, which is no error. */
async function serve({ fault, ...options }: SandboxFlags, host: Host): Promise<void> {
  const terminal = new Terminal(host);
  const { startSandbox } = await import('../sandbox/server.ts');
  const sandbox = await startSandbox({ ...options, ...(fault && { faults: fault }) });
  terminal.info('sandbox: any key is accepted, the images are placeholders; Ctrl-C ends it');
  await terminal.data(sandbox.baseUrl);
  await new Promise<void>((resolve) => {
    if (host.signal.aborted) resolve();
    host.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await sandbox.close();
}
