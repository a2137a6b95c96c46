import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { widestHelp } from './terminal/width.ts';

declare const __VERSION__: string;

/** Where bin/imggen.js enters: a lone --version or --help is answered at once, for all else the program is loaded. */
export async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  const text = argv.length === 1 ? answer(argv[0] as string) : undefined;
  if (text === undefined) return await (await import('./cli.ts')).main(argv);
  // A reader that goes away (`| head`) is no error.
  process.stdout.on('error', () => {}).write(text);
}

function answer(option: string): string | undefined {
  if (['-V', '--version'].includes(option)) return `${__VERSION__}\n`;
  return ['-h', '--help'].includes(option) ? help() : undefined;
}

/** The help as test/tools/build.js had it from the program, which lays it out anew for a narrow terminal. */
function help(): string | undefined {
  if ((process.stdout.columns ?? widestHelp) < widestHelp) return undefined;
  try {
    return readFileSync(join(__dirname, 'help.txt'), 'utf8');
  } catch {
    return undefined;
  }
}
