import { constants, createReadStream, openSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { messageOf, usageError } from '../errors.ts';
import { closest } from '../similar.ts';
import { chunksOf, input, readStart } from '../terminal/ask.ts';
import type { Host } from '../terminal/types.ts';

/** In bytes: a hundred times what any model takes. */
const promptLimit = 4 << 20;

/**
 * The prompt: the argument, `--prompt-file`, or stdin (`-`, or no argument when stdin is not a terminal).
 * Throws ImggenError `usage` when there is none, more than one, or one that cannot be read.
 */
export async function readPrompt(words: readonly string[], file: string | undefined, host: Host): Promise<string> {
  const [word] = words;
  if (words.length > 1) throw usageError('the prompt must be one argument', `quote it: imggen "${words.join(' ')}"`);
  if (file !== undefined && word !== undefined) throw usageError('a prompt and --prompt-file are given', 'give one');
  const source = file ?? word;
  if (source === undefined && host.stdin.isTTY)
    throw usageError('there is no prompt', 'imggen "a cat"; all options: imggen --help');
  if (source === undefined || source === '-' || file === '/dev/stdin') return decode(await start(input(host)), 'stdin');
  return file === undefined ? source : decode(await readFile(file, host), `--prompt-file ${file}`);
}

/** The bytes of a file or a named pipe, up to the first chunk beyond the limit. */
async function readFile(path: string, { signal }: Host): Promise<Buffer> {
  try {
    const kind = statSync(path);
    if (kind.isFIFO()) {
      // Only a nonblocking pipe can be abandoned while it waits for a writer.
      const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      return await start(chunksOf(new Socket({ fd, writable: false }) as never, signal));
    }
    if (!kind.isFile()) throw new Error(kind.isDirectory() ? 'it is a directory' : 'it is not a file');
    return await start(createReadStream(path));
  } catch (error) {
    signal.throwIfAborted();
    throw usageError(`cannot read --prompt-file ${path}`, messageOf(error));
  }
}

function start(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  return readStart(chunks, (_chunk, length) => length > promptLimit);
}

function decode(bytes: Buffer, source: string): string {
  if (bytes.length > promptLimit) throw usageError(`${source} is too long for a prompt`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim();
  } catch {
    throw usageError(`${source} is not UTF-8 text`);
  }
}

/** Planned commands: as a prompt their names would be a surprise on the bill. */
const laterCommands: readonly string[] = ['gallery', 'completion', 'doctor'];

/** Refuses a single word that looks like a command: a mistyped one must not cost money. Throws ImggenError `usage`. */
export function refuseLookalike(word: string, commands: readonly string[]): void {
  if (/\s/.test(word)) return;
  const meant = closest(word, [...commands, ...laterCommands, 'version']);
  if (meant === undefined) return;
  const generate = `to generate it: imggen generate ${word}`;
  if (laterCommands.includes(meant))
    throw usageError(`"${word}" looks like ${meant}, a command that this version does not have`, generate);
  const [kind, name] = meant === 'version' ? ['option', '--version'] : ['command', meant];
  throw usageError(`"${word}" looks like the ${kind} ${name}`, `did you mean: imggen ${name}; ${generate}`);
}
