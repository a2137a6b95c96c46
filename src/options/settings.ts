import type { ConvertFormat, Fit } from '../renditions/spec.ts';
import { choices, compressionRange, countRange, type Format, sizes } from '../request/fields.ts';
import {
  baseUrl,
  boolean,
  dimensions,
  integer,
  oneOf,
  type Parse,
  seconds,
  secret,
  suggested,
  taskUrl,
  text,
} from './parse.ts';

type Group = 'Image' | 'Files' | 'Output' | 'API';

/** Where a value may be given, besides its default. */
type Place = 'flag' | 'env' | 'file';

/** `F` is the type of the default: undefined where the API or another setting decides. */
interface Definition<T, F extends T | undefined> {
  /** The flag as commander reads it; without one the value has no flag. */
  flag?: string;
  /** The section of `--help`. */
  group?: Group;
  /** The text of `--help`. */
  help: string;
  parse: Parse<T>;
  fallback: F;
  /** Everywhere by default. */
  places?: readonly Place[];
}

/** Defines settings that have a flag, in a section of `--help`. */
function inGroup(group: Group) {
  return <T, F extends T | undefined = undefined>(
    flag: string,
    help: string,
    parse: Parse<T>,
    fallback?: F,
    places?: readonly Place[],
  ): Definition<T, F> => ({ group, flag, help, parse, fallback: fallback as F, ...(places && { places }) });
}

/** Defines a setting of the environment and the config file. */
function unflagged<T, F extends T | undefined = undefined>(
  help: string,
  parse: Parse<T>,
  fallback?: F,
): Definition<T, F> {
  return { help, parse, fallback: fallback as F, places: ['env', 'file'] };
}

const image = inGroup('Image');
const files = inGroup('Files');
const output = inGroup('Output');
const api = inGroup('API');

/** Defines a setting of the image that is one of some words. */
function choice<T extends string>(flag: string, values: readonly T[], models = '') {
  return image(`${flag} <value>`, values.join(', ') + models, oneOf(values));
}

/** What may be stored; on a command line the model's own row decides. */
const sizeNames = [...sizes, 'square', 'landscape', 'portrait'];

/**
 * Every value that can come from more than one place: its flag, its type, its default. The key is the name in the
 * config file; in capitals and with `IMGGEN_` before it, it is the name of the environment variable.
 */
export const settings = {
  count: image('-n, --count <1-10>', 'how many images', integer(countRange.min, countRange.max), 1),
  size: image('-s, --size <size>', `${sizes.join(', ')}; or square, landscape, portrait`, suggested(sizeNames)),
  format: image(
    '-f, --format <png|jpeg|webp>',
    'the format of the files; taken from -o name.webp when not given',
    oneOf<Format>(choices.format, { jpg: 'jpeg' }),
  ),
  model: image('-m, --model <id>', 'the model', text, 'gpt-image-1.5'),
  quality: choice('--quality', choices.quality),
  background: choice('--background', choices.background),
  moderation: choice('--moderation', choices.moderation),
  style: choice('--style', choices.style, ' (dall-e-3)'),
  responseFormat: choice('--response-format', choices.responseFormat, ' (dall-e-2, dall-e-3)'),
  user: image('--user <id>', "your end user's id, passed to the API", text),
  compression: image(
    '--compression <0-100>',
    'compression of jpeg and webp, in percent',
    integer(compressionRange.min, compressionRange.max),
  ),
  resize: image(
    '--resize <WxH>',
    'make the saved image smaller: 800x600, 800x or x600; keeps its proportions: see --fit',
    dimensions,
  ),
  fit: image<Fit, Fit>(
    '--fit <value>',
    'how --resize fits: inside the size; cover it, cropped; contain it, padded',
    oneOf(['inside', 'cover', 'contain']),
    'inside',
  ),
  convert: image(
    '--convert <webp|avif|jpeg|png>',
    'convert the saved image to another format',
    oneOf<ConvertFormat>(['webp', 'avif', 'jpeg', 'png'], { jpg: 'jpeg' }),
  ),
  convertQuality: image(
    '--convert-quality <1-100>',
    'quality of resized and converted images; png has none',
    integer(1, 100),
  ),
  out: files('-o, --out <path>', 'a directory, a file name with an image extension, or - for stdout', text, '.'),
  name: files('--name <template>', 'file names: {slug} {i} {n} {model} {size} {format} {date} {time} {id}', text),
  sidecar: files('--sidecar', 'write <image>.json beside each image: request, ids, usage, hash', boolean, false),
  keepOriginal: files(
    '--no-keep-original',
    'do not keep the original, <name>.original.<ext>, of resized and converted images',
    boolean,
    true,
  ),
  quiet: output('-q, --quiet', 'nothing on stderr but errors', boolean, false),
  verbose: output('--verbose', 'show each HTTP exchange on stderr', boolean, false),
  stream: api('--stream', "ask for the API's streaming mode", boolean, false),
  timeout: api('--timeout <seconds>', "the limit for the API's whole answer", seconds, 300),
  retries: api(
    '--retries <n>',
    'how often to repeat a download, or a request that the API cannot have processed',
    integer(0, 20),
    2,
  ),
  retryUnknown: api(
    '--retry-unknown',
    'repeat a request also when its outcome is unknown; it may be charged again',
    boolean,
    false,
  ),
  baseUrl: api('--base-url <url>', "the API's base URL", baseUrl, 'https://api.aa.com.cn/api/v1'),
  sandbox: api('--sandbox', 'try it: placeholder images, no key, no network, no cost', boolean, false, ['flag', 'env']),
  apiKey: unflagged('the API key; stored by imggen login', secret),
  apiKeyCommand: unflagged('a command whose first line of output is the API key', text),
  taskUrl: unflagged('the URL that answers for a pending task, with {task_id} in it', taskUrl),
  allowPrivateDownloads: unflagged(
    'download from private addresses even when the API is on a public one',
    boolean,
    false,
  ),
  allowInsecure: unflagged('send the key over http: to a host that is not this machine', boolean, false),
  historyDays: unflagged('how long a run stays in the history, in days', integer(1, 36_500), 90),
  historyRuns: unflagged('how many finished runs stay in the history', integer(1, 1_000_000), 10_000),
};

export type Key = keyof typeof settings;
export const keys = Object.keys(settings) as Key[];

type ValueOf<D> = D extends Definition<infer T, infer F> ? (undefined extends F ? T | undefined : T) : never;

/** The resolved values, one of each setting. */
export type Values = { readonly [K in Key]: ValueOf<(typeof settings)[K]> };

/** `baseUrl` → `IMGGEN_BASE_URL`. */
export function environmentName(key: string): string {
  return `IMGGEN_${longName(key).replaceAll('-', '_').toUpperCase()}`;
}

/** `baseUrl` → `base-url`: the long flag without its dashes, and the key in a batch file. */
export function longName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Whether a setting may be given at a place. */
export function allows(key: Key, place: Place): boolean {
  const { flag, places }: { flag?: string; places?: readonly Place[] } = settings[key];
  return places ? places.includes(place) : place !== 'flag' || flag !== undefined;
}

/** The name of a setting on the command line, for messages: `--count`, `--no-keep-original`; the key where it has no flag. */
export function flagOf(key: Key): string {
  const { flag }: { flag?: string } = settings[key];
  return /--[a-z-]+/.exec(flag ?? '')?.[0] ?? key;
}
