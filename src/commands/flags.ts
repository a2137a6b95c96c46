import { type Command, Option } from 'commander';
import { usageError } from '../errors.ts';
import { InvalidValue } from '../options/parse.ts';
import { type Key, keys, settings } from '../options/settings.ts';
import type { Json } from '../request/types.ts';

/** What generate takes besides the settings, as commander gives it. */
export interface GenerateFlags extends Readonly<Record<string, unknown>> {
  promptFile?: string;
  param?: Record<string, Json>;
  overwrite?: boolean;
  skipExisting?: boolean;
  dryRun?: boolean;
  json?: boolean;
  profile?: string;
}

/** Adds every flag of generate to a command. */
export function addGenerateFlags(command: Command): Command {
  addSettings(command);
  const own: [group: string, flags: string, help: string][] = [
    ['Image', '--prompt-file <file>', 'read the prompt from a file'],
    ['Files', '--overwrite', 'replace files that exist'],
    ['Files', '--skip-existing', 'generate only what does not exist yet'],
    ['Output', '--json', 'one JSON document on stdout, also for errors'],
    ['Output', '--dry-run', 'check everything and show what would be done; sends nothing, needs no key'],
    ['API', '--profile <name>', 'a named set of config values'],
  ];
  for (const [group, flags, help] of own) command.addOption(new Option(flags, help).helpGroup(`${group}:`));
  return addParamFlag(command);
}

/** Adds the flag of every setting that has one. */
export function addSettings(command: Command): void {
  for (const key of keys) addSetting(command, key);
}

/** Adds `--param`. */
export function addParamFlag(command: Command): Command {
  const param = new Option('--param <name=value>', 'any other field of the API, repeatable; JSON or text').helpGroup(
    'API:',
  );
  return command.addOption(param.argParser(addParam));
}

function addSetting(command: Command, key: Key): void {
  const { flag, group, help, fallback }: { flag?: string; group?: string; help: string; fallback?: unknown } =
    settings[key];
  if (flag === undefined) return;
  const hasDefault = typeof fallback === 'string' || typeof fallback === 'number';
  const shown = hasDefault ? `${help} (default: ${fallback})` : help;
  const option = new Option(flag, shown).helpGroup(`${group}:`);
  const isSwitch = !flag.includes('<') && settings[key].parse('false') === false;
  // What the config file switches must be possible to switch back for one run. The positive form comes first: commander
  // would take a negative one that stands alone for given.
  const opposite = isSwitch ? [new Option(negated(flag)).hideHelp()] : [];
  for (const each of option.negate ? [...opposite, option] : [option, ...opposite]) command.addOption(each);
}

function negated(flag: string): string {
  const name = /--([a-z-]+)/.exec(flag)?.[1] as string;
  return name.startsWith('no-') ? `--${name.slice(3)}` : `--no-${name}`;
}

/** Fields that decide how imggen itself works: they have flags, and passing them by would break its promises. */
const ownFields: Readonly<Record<string, string>> = {
  prompt: 'the prompt argument',
  n: '--count',
  model: '--model',
  stream: '--stream',
};

function addParam(text: string, previous: Record<string, Json> = {}): Record<string, Json> {
  const [, name, value] = /^([A-Za-z_][\w.-]*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw usageError(`--param ${text} is not name=value`);
  const own = Object.hasOwn(ownFields, name) ? ownFields[name] : undefined;
  if (own !== undefined) throw usageError(`--param ${name}: this field has its own option`, `use ${own}`);
  return { ...previous, [name]: jsonOrText(value) };
}

function jsonOrText(value: string): Json {
  try {
    return JSON.parse(value) as Json;
  } catch {
    return value;
  }
}

/** Parses the value of a flag that is no setting. What it throws, ImggenError `usage`, names the flag. */
export function checked<T>(flag: string, parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      throw usageError(`${flag} ${text} ${error.message}`, error.hint);
    }
  };
}
