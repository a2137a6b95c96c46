import { Command, CommanderError } from 'commander';
import { registerBatch } from './commands/batch.ts';
import { registerConfig } from './commands/config.ts';
import { registerGenerate } from './commands/generate.ts';
import { registerHistory } from './commands/history.ts';
import { registerLogin, registerLogout } from './commands/login.ts';
import { registerModels } from './commands/models.ts';
import { registerResume } from './commands/resume.ts';
import { registerSandbox } from './commands/sandbox.ts';
import { type ExitCode, exitCodes, ImggenError, messageOf, usageError } from './errors.ts';
import { oneOfHint } from './similar.ts';
import { realHost } from './terminal/host.ts';
import { Terminal } from './terminal/terminal.ts';
import type { Host } from './terminal/types.ts';

declare const __VERSION__: string;

/** In characters: longer lines of help are hard to read. */
const widestHelp = 100;

/** Runs the command line to its end and sets the exit code. The only place that turns an error into one. */
export async function main(argv: readonly string[] = process.argv.slice(2), host: Host = realHost()): Promise<void> {
  try {
    process.exitCode = await run(argv, host);
  } catch (error) {
    process.exitCode = await report(error, argv, host);
  }
}

async function run(argv: readonly string[], host: Host): Promise<ExitCode> {
  // Node puts this character where bytes are not UTF-8: the API would get another text than the user wrote.
  const invalid = argv.find((argument) => argument.includes('\ufffd'));
  if (invalid !== undefined)
    throw usageError(`the argument "${invalid}" is not valid UTF-8`, 'a prompt can come from stdin or --prompt-file');
  let exit: ExitCode = 0;
  let help = '';
  const program = createProgram(
    host,
    (code) => (exit = code),
    (text) => (help += text),
  );
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    // --help and --version end in an error too.
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageErrorOf(error, argv, program);
  }
  if (help !== '') await new Terminal(host).data(help.trimEnd());
  return exit;
}

function createProgram(host: Host, setExit: (code: ExitCode) => void, print: (text: string) => void): Command {
  const program = new Command('imggen')
    .description('Generate images from the command line: prompts in, image files out.')
    .usage('[options] [prompt]')
    .version(__VERSION__, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: print,
      // report() writes the errors.
      writeErr: () => {},
      getOutHelpWidth: () => Math.min(host.stdout.columns || widestHelp, widestHelp),
    })
    .hook('preSubcommand', refuseOptionsBefore)
    .addHelpText('after', examples);
  registerGenerate(program, host, setExit);
  registerBatch(program, host, setExit);
  registerResume(program, host, setExit);
  registerHistory(program, host);
  registerModels(program, host);
  registerConfig(program, host);
  registerLogin(program, host);
  registerLogout(program, host);
  registerSandbox(program, host);
  registerHelp(program, print);
  return program;
}

const examples = `
Examples:
  imggen "a cat" --sandbox              try it: no key, no network, no cost
  imggen "a cat" -n 2 -o ./out          two images in ./out
  imggen "a cat" -o cat.webp -s square  one file, its format from its name
  imggen -- "-5 degrees"                a prompt that begins with a dash
  imggen - < prompt.txt | xargs ls -l   stdout has the paths, nothing else`;

function refuseOptionsBefore(program: Command, subcommand: Command): void {
  const name = `imggen ${subcommand.name()}`;
  if (Object.keys(program.opts()).length > 0)
    throw usageError(`options of ${name} stand after its name`, `${name} --help`);
}

function registerHelp(program: Command, print: (text: string) => void): void {
  program
    .command('help')
    .description('print the help of a command, or the exit codes: imggen help exit-codes')
    .argument('[topic]')
    .action((topic: string | undefined) => {
      if (topic === 'exit-codes')
        return Object.entries(exitCodes).forEach(([code, meaning]) => print(`${code.padStart(3)}  ${meaning}\n`));
      const command = topic === undefined ? program : program.commands.find((each) => each.name() === topic);
      const topics = [...program.commands.map((each) => each.name()), 'exit-codes'];
      if (!command) throw usageError(`there is no help on ${topic}`, oneOfHint(topics));
      command.outputHelp();
    });
}

/** Writes the error for people and scripts, and returns its exit code. */
async function report(error: unknown, argv: readonly string[], host: Host): Promise<ExitCode> {
  const terminal = new Terminal(host, { verbose: argv.includes('--verbose') });
  const known = error instanceof ImggenError ? error : new ImggenError('bug', messageOf(error));
  if (argv.includes('--json')) {
    const { code, exit, message, reason: cause = null, hint = null, requestId = null } = known;
    try {
      await terminal.jsonLine({ error: { code, exit, message, cause, hint, request_id: requestId } });
    } catch {
      // stdout fails; stderr and the exit code have the error too.
    }
  }
  terminal.error(error);
  return known.exit;
}

/** Commander's mistake as ours, with a hint that leads on from there. */
function usageErrorOf(error: CommanderError, argv: readonly string[], program: Command): ImggenError {
  const command = commandOf(argv, program);
  if (error.code === 'commander.help') return usageError('a command is missing', `${command} --help`);
  const [what = '', meant] = error.message.replace(/^error: /, '').split(/\n(?=\(Did you mean )/);
  // The value of an unknown option may be a secret: `--api-key=sk-…`.
  const shown = what.replace(/^(unknown option '[^'=]*)=.*'$/s, "$1'");
  const [, prompt] = /^unknown option '(-.*\s.*)'$/s.exec(shown) ?? [];
  if (prompt !== undefined)
    return usageError(shown, `a prompt that begins with a dash stands after --: imggen -- "${prompt}"`);
  return usageError(shown, meant?.replace(/^\((.*)\)$/, '$1') ?? `all options: ${command} --help`);
}

/** `imggen config get`: the command that the arguments lead to. */
function commandOf([word, ...rest]: readonly string[], command: Command): string {
  const subcommand = command.commands.find((each) => each.name() === word);
  return subcommand ? `${command.name()} ${commandOf(rest, subcommand)}` : command.name();
}
