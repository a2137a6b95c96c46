import { exec, type ExecException } from 'node:child_process';
import { promisify } from 'node:util';
import { ImggenError } from '../errors.ts';
import { secret } from './parse.ts';
import type { Origin, Resolved } from './resolve.ts';
import type { Secret } from './secret.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const specificity: readonly Origin[] = ['flag', 'environment', 'profile', 'file', 'default'];
/** A password manager may wait for a person to unlock it. */
const commandTimeoutMs = 120_000;

/**
 * The API key, or the first line that `apiKeyCommand` prints: the one from the more specific place.
 * Throws ImggenError `no_api_key` when there is neither, or the command prints no key.
 */
export async function resolveApiKey(
  { values, origins }: Resolved,
  env: Environment,
  signal: AbortSignal,
): Promise<Secret> {
  const { apiKey, apiKeyCommand } = values;
  const commandFirst = specificity.indexOf(origins.apiKeyCommand) < specificity.indexOf(origins.apiKey);
  if (apiKey && !commandFirst) return apiKey;
  if (apiKeyCommand) return parseKey(await firstLine(apiKeyCommand, env, signal));
  throw new ImggenError('no_api_key', 'no API key is set', {
    hint: 'run: imggen login, or set IMGGEN_API_KEY; to try without one: --sandbox',
  });
}

const seeCommand = 'see: imggen config get apiKeyCommand';

function parseKey(line: string): Secret {
  try {
    return secret(line);
  } catch {
    throw new ImggenError('no_api_key', 'the first line that apiKeyCommand printed is not an API key', {
      hint: seeCommand,
    });
  }
}

async function firstLine(command: string, env: Environment, signal: AbortSignal): Promise<string> {
  const running = promisify(exec)(command, { env, signal, timeout: commandTimeoutMs, maxBuffer: 1 << 20 });
  running.child.stdin?.end();
  try {
    return (await running).stdout.split(/\r?\n/, 1)[0] ?? '';
  } catch (error) {
    signal.throwIfAborted();
    const { code, signal: killedBy, killed, stderr } = error as ExecException & { stderr: string };
    // Ctrl-C goes to both, and the command may end first.
    if (killedBy === 'SIGINT' || code === 130) throw new ImggenError('interrupted', 'interrupted');
    // The command may hold a secret, and its stdout is one: only its stderr is shown.
    const complaint = stderr.trim().split('\n').at(-1);
    const how = killed ? 'it took too long' : `it ended with code ${code}`;
    throw new ImggenError('no_api_key', 'apiKeyCommand failed', {
      cause: complaint ? `${how}: ${complaint}` : how,
      hint: seeCommand,
    });
  }
}
