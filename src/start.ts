import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProcessOutput } from './terminal/output.ts';
import { widestHelp } from './terminal/width.ts';

declare const __VERSION__: string;

/** Where bin/imggen.js enters: a lone --version or --help is answered at once, for all else the program is loaded. */
export async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  const stdout = new ProcessOutput(1);
  const text = argv.length === 1 ? answer(argv[0] as string, stdout) : undefined;
  if (text === undefined) return await (await import('./cli.ts')).main(argv);
  stdout.write(text);
}

function answer(option: string, stdout: ProcessOutput): string | undefined {
  if (['-V', '--version'].includes(option)) return `${__VERSION__}\n`;
  return ['-h', '--help'].includes(option) ? help(stdout) : undefined;
}

/** The help as src/build.js had it from the program, which lays it out anew for a narrow terminal. */
function help({ columns = widestHelp }: ProcessOutput): string | undefined {
  if (columns < widestHelp) return undefined;
  try {
    return readFileSync(join(__dirname, 'help.txt'), 'utf8');
  } catch {
    return undefined;
  }
}
