import { Command, CommanderError } from 'commander';
import { addGenerateFlags, type GenerateFlags } from './commands/flags.ts';
import { runGenerate } from './commands/generate.ts';
import { refuseLookalike } from './commands/prompt.ts';
import { type ExitCode, exitCodes, ImggenError, messageOf, usageError } from './errors.ts';
import { realHost } from './terminal/host.ts';
import { Terminal } from './terminal/terminal.ts';
import type { Host } from './terminal/types.ts';
import { widestHelp } from './terminal/width.ts';

declare const __VERSION__: string;

/** The commands besides generate, in the order of the help. */
const commands = {
  batch: 'generate the images that a file declares, as far as they are out of date',
  resume: 'finish what was paid for and not saved: download again, no new generation',
  history: 'what was generated: when, prompt, files, usage, request id',
  models: 'what each known model accepts',
  config: 'the local config file: set, get, unset, list, path',
  login: 'store the API key: asks on a terminal, else reads a line of stdin',
  logout: 'remove the stored API key',
  sandbox: "run the gateway's emulator on loopback: prints its base URL, runs until interrupted",
} as const;

/** Commands that are planned: as a prompt they would be a surprise on the bill. */
const laterCommands: readonly string[] = ['gallery', 'completion', 'doctor'];

/** Runs the command line to its end and sets the exit code. The only place that turns an error into one. */
export async function main(argv: readonly string[] = process.argv.slice(2), host: Host = realHost()): Promise<void> {
  try {
    process.exitCode = await run(argv, host);
  } catch (error) {
    process.exitCode = await report(error, argv, host);
  }
}

const loadCommands = () => import('./commands/index.ts');

async function run(argv: readonly string[], host: Host): Promise<ExitCode> {
  let exit: ExitCode = 0;
  const setExit = (code: ExitCode) => {
    exit = code;
  };
  const generate = async (words: string[], flags: GenerateFlags) => {
    setExit(await runGenerate(words, flags, host));
  };
  const program = createProgram(host);
  program.argument('[prompt...]', 'what to draw; - or nothing reads stdin');
  addGenerateFlags(program).action(async (words: string[], flags: GenerateFlags) => {
    if (words.length === 1)
      refuseLookalike(words[0] as string, ['generate', 'help', 'version', ...Object.keys(commands)], laterCommands);
    await generate(words, flags);
  });
  const explicit = program
    .command('generate')
    .description('the same as imggen [prompt], for a prompt that is the name of a command');
  if (argv.includes('generate')) addGenerateFlags(explicit.argument('[prompt...]')).action(generate);
  for (const [name, description] of Object.entries(commands)) {
    const command = program.command(name).description(description);
    // Its module is loaded only when the command may be meant, so that starting stays quick.
    if (argv.includes(name)) (await loadCommands())[name as keyof typeof commands].configure(command, host, setExit);
  }
  addHelp(program, host);
  await program.parseAsync(argv, { from: 'user' });
  return exit;
}

function createProgram(host: Host): Command {
  const program = new Command('imggen')
    .description('Generate images from the command line: prompts in, image files out.')
    .usage('[options] [prompt]')
    .version(__VERSION__, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      // Errors are told once, by report().
      writeErr: () => {},
      getOutHelpWidth: () => Math.min(host.stdout.columns ?? widestHelp, widestHelp),
    })
    .configureHelp({ sortSubcommands: false });
  program.hook('preSubcommand', (_program, subcommand) => {
    const [flag] = Object.keys(program.opts());
    if (flag)
      throw usageError(
        `options of imggen ${subcommand.name()} stand after its name`,
        `imggen ${subcommand.name()} --help`,
      );
  });
  return program;
}

function addHelp(program: Command, host: Host): void {
  const table = Object.entries(exitCodes)
    .map(([code, meaning]) => `${code.padStart(3)}  ${meaning}`)
    .join('\n');
  program.helpCommand(false);
  program
    .command('help')
    .description('print the help of a command, or the exit codes: imggen help exit-codes')
    .argument('[topic]')
    .action(async (topic: string | undefined) => {
      if (topic === 'exit-codes') return void host.stdout.write(`${table}\n`);
      const topics = ['generate', ...Object.keys(commands)];
      if (topic !== undefined && !topics.includes(topic))
        throw usageError(`there is no help on ${topic}`, [...topics, 'exit-codes'].join(', '));
      await run(topic === undefined ? ['--help'] : [topic, '--help'], host);
    });
  program.addHelpText(
    'after',
    `
Examples:
  imggen "a cat" --sandbox              try it: no key, no network, no cost
  imggen "a cat" -n 2 -o ./out          two images in ./out
  imggen "a cat" -o cat.webp -s square  one file, its format from its name
  imggen - < prompt.txt | xargs ls -l   stdout has the paths, nothing else`,
  );
}

/** Tells the user what happened, and returns the exit code that says the same to a script. */
async function report(error: unknown, argv: readonly string[], host: Host): Promise<ExitCode> {
  const failure = error instanceof CommanderError ? ofCommander(error) : error;
  if (failure === undefined) return 0;
  const terminal = new Terminal(host, { quiet: false, verbose: argv.includes('--verbose') });
  const known = failure instanceof ImggenError ? failure : new ImggenError('bug', messageOf(failure));
  if (argv.includes('--json')) {
    const { code, exit, message, reason: cause = null, hint = null, requestId = null } = known;
    try {
      await terminal.jsonLine({ error: { code, exit, message, cause, hint, request_id: requestId } });
    } catch {
      // Where stdout fails, stderr and the exit code still tell.
    }
  }
  terminal.error(failure);
  return known.exit;
}

/** Commander's own mistakes as ours; undefined for those that are none, help and version. */
function ofCommander(error: CommanderError): ImggenError | undefined {
  if (error.exitCode === 0) return undefined;
  if (error.code === 'commander.help') return usageError('a command is missing', 'imggen config --help');
  const [what = '', meant] = error.message.replace(/^error: /, '').split('\n');
  // The value of an option that there is not may be a secret: `--api-key=sk-…`.
  const shown = what.replace(/^(unknown option '[^'=]*)=.*'$/s, "$1'");
  return usageError(shown, meant?.replace(/^\((.*)\)$/, '$1') ?? 'all options: imggen --help');
}
