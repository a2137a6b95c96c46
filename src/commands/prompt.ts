import { readFileSync } from 'node:fs';
import { messageOf, usageError } from '../errors.ts';
import { readInput } from '../terminal/ask.ts';
import type { Host } from '../terminal/types.ts';
import { closest } from '../similar.ts';

/** Far more than any model takes; what is longer is a mistaken file. */
const readLimit = 4 << 20;

/**
 * The prompt: the argument, `--prompt-file`, or stdin (`-`, or no argument when stdin is not a terminal).
 * Throws ImggenError `usage` when it is not said clearly.
 */
export async function readPrompt(
  words: readonly string[],
  promptFile: string | undefined,
  host: Host,
): Promise<string> {
  const [word] = words;
  if (words.length > 1) {
    throw usageError('the prompt must be one argument', `quote it: imggen "${words.join(' ')}"`);
  }
  if (promptFile !== undefined) {
    if (word !== undefined) throw usageError('a prompt and --prompt-file are given', 'give one of them');
    return fromFile(promptFile);
  }
  if (word !== undefined && word !== '-') return word;
  if (word === undefined && host.stdin.isTTY) {
    throw usageError('there is no prompt', 'imggen "a cat"; all options: imggen --help');
  }
  return await fromStdin(host);
}

function fromFile(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw usageError(`cannot read --prompt-file ${path}`, messageOf(error));
  }
  return decode(bytes, `--prompt-file ${path}`);
}

async function fromStdin(host: Host): Promise<string> {
  return decode(await readInput(host, (_chunk, length) => length > readLimit), 'stdin');
}

function decode(bytes: Buffer, source: string): string {
  if (bytes.length > readLimit) throw usageError(`${source} is too long for a prompt`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim();
  } catch {
    throw usageError(`${source} is not UTF-8 text`);
  }
}

/**
 * Refuses a single word that looks like a command: a mistyped one must not cost money.
 * @param commands every command's name
 * @param later the names of commands that are planned
 */
export function refuseLookalike(word: string, commands: readonly string[], later: readonly string[]): void {
  if (/\s/.test(word)) return;
  const meant = closest(word, [...commands, ...later]);
  if (meant === undefined) return;
  const generate = `to generate it: imggen generate ${word}`;
  if (later.includes(meant))
    throw usageError(`"${word}" looks like ${meant}, a command that this version does not have`, generate);
  throw usageError(`"${word}" looks like the command ${meant}`, `did you mean: imggen ${meant}; ${generate}`);
}
