import { allows, type Key, keys, longName, settings } from '../../options/settings.ts';

/** Settings that are about the whole run, not about one job. */
const ofTheRun: readonly Key[] = ['sandbox'];

/** The settings that a job may have, by the name it has there: that of the long flag. */
export const jobKeys: ReadonlyMap<string, Key> = new Map(
  keys
    .filter((key) => allows(key, 'flag') && groupOf(key) !== 'Output' && !ofTheRun.includes(key))
    .map((key) => [longName(key), key]),
);

/** What a job may have besides settings. */
export const ownKeys = ['prompt', 'prompt-file', 'param', 'variants'] as const;

/** What a variant may have, and the setting that each is. */
export const variantSettings = {
  out: 'out',
  resize: 'resize',
  fit: 'fit',
  convert: 'convert',
  quality: 'convertQuality',
} as const;

/** Another spelling of a key. */
export const aliases: ReadonlyMap<string, string> = new Map([['keepOriginal', 'keep-original']]);

/** The settings that decide how the API is reached: these, and no others, may come from the environment and the config file. */
export const reachKeys: readonly Key[] = keys.filter((key) => groupOf(key) === 'API' || groupOf(key) === undefined);

function groupOf(key: Key): string | undefined {
  const { group }: { group?: string } = settings[key];
  return group;
}
