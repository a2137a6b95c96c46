import { type Command, Option } from 'commander';
import { type ExitCode, usageError } from '../errors.ts';
import { jsonOrText, ownParams } from '../options/param.ts';
import { parseNamed } from '../options/parse.ts';
import { type Key, keys, longName, settings } from '../options/settings.ts';
import type { Json } from '../request/types.ts';

/** Sets the exit code of the process; without a call it is 0. */
export type SetExit = (code: ExitCode) => void;

/** Adds the flag of every setting that has one. */
export function addSettings(command: Command): void {
  for (const key of keys) addSetting(command, key);
}

function addSetting(command: Command, key: Key): void {
  const { flag, group, help, fallback }: { flag?: string; group?: string; help: string; fallback?: unknown } =
    settings[key];
  if (flag === undefined) return;
  const hasDefault = typeof fallback === 'string' || typeof fallback === 'number';
  const option = new Option(flag, hasDefault ? `${help} (default: ${fallback})` : help).helpGroup(`${group}:`);
  const isSwitch = !flag.includes('<') && settings[key].parse('false') === false;
  // A flag can undo for one run what the config file switches on or off.
  const opposite = option.negate ? `--${longName(key)}` : `--no-${longName(key)}`;
  const options = isSwitch ? [option, new Option(opposite).hideHelp()] : [option];
  // The positive form comes first: commander takes a negative one that stands alone for given.
  for (const each of options.toSorted((a, b) => Number(a.negate) - Number(b.negate))) command.addOption(each);
}

/** Adds `--param`. */
export function addParamFlag(command: Command): Command {
  const param = new Option('--param <name=value>', 'any other field of the API, repeatable; JSON or text');
  return command.addOption(param.helpGroup('API:').argParser(addParam));
}

function addParam(text: string, previous: Record<string, Json> = {}): Record<string, Json> {
  const [, name, value] = /^([A-Za-z_][\w.-]*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw usageError(`--param ${text} is not name=value`);
  const own = ownParams.get(name);
  if (own !== undefined)
    throw usageError(
      `--param ${name}: this field has its own option`,
      `use ${own === 'prompt' ? 'the prompt argument' : `--${own}`}`,
    );
  return { ...previous, [name]: parseNamed(`--param ${name}:`, value, jsonOrText, true) };
}

/** The parser of a flag that is no setting. It throws ImggenError `usage`, which names the flag. */
export function checked<T>(flag: string, parse: (text: string) => T): (text: string) => T {
  return (text) => parseNamed(flag, text, parse);
}
