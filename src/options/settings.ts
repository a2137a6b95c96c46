import type { ConvertFormat, Fit } from '../renditions/spec.ts';
import { oneOfHint } from '../similar.ts';
import {
  backgrounds,
  compressionRange,
  countRange,
  type Format,
  formats,
  moderations,
  qualities,
  responseFormats,
  sizes,
  styles,
} from '../request/fields.ts';
import {
  baseUrl,
  boolean,
  dimensions,
  integer,
  InvalidValue,
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

interface Definition<T, F extends T | undefined> {
  /** The flag as commander reads it; without one the value has no flag. */
  flag?: string;
  /** The section of `--help`. */
  group?: Group;
  /** The text of `--help`. */
  help: string;
  parse: Parse<T>;
  /** The default; undefined where the API or another setting decides. */
  fallback: F;
  /** A further check before the value is stored. Throws InvalidValue. */
  checkStored?: (value: T) => void;
  /** Everywhere by default. */
  places?: readonly Place[];
}

function setting<T, F extends T | undefined>(definition: Definition<T, F>): Definition<T, F> {
  return definition;
}

const sizeNames = [...sizes, 'square', 'landscape', 'portrait'];

/**
 * Every value that can come from more than one place: its flag, its type, its default. The key is the name in the
 * config file; in capitals and with `IMGGEN_` before it, it is the name of the environment variable.
 */
export const settings = {
  count: setting({
    group: 'Image',
    flag: '-n, --count <1-10>',
    help: 'how many images',
    parse: integer(countRange.min, countRange.max),
    fallback: 1,
  }),
  size: setting({
    group: 'Image',
    flag: '-s, --size <size>',
    help: `${sizes.join(', ')}; or square, landscape, portrait`,
    parse: suggested(sizeNames),
    fallback: undefined,
    // On a command line the model's own table decides.
    checkStored(value) {
      if (!sizeNames.includes(value)) throw new InvalidValue('is not a size', oneOfHint(sizeNames));
    },
  }),
  format: setting({
    group: 'Image',
    flag: '-f, --format <png|jpeg|webp>',
    help: 'the format of the files; taken from -o name.webp when not given',
    parse: oneOf<Format>(formats, { jpg: 'jpeg' }),
    fallback: undefined,
  }),
  model: setting({
    group: 'Image',
    flag: '-m, --model <id>',
    help: 'the model',
    parse: text,
    fallback: 'gpt-image-1.5',
  }),
  quality: setting({
    group: 'Image',
    flag: '--quality <value>',
    help: qualities.join(', '),
    parse: oneOf(qualities),
    fallback: undefined,
  }),
  background: setting({
    group: 'Image',
    flag: '--background <value>',
    help: backgrounds.join(', '),
    parse: oneOf(backgrounds),
    fallback: undefined,
  }),
  moderation: setting({
    group: 'Image',
    flag: '--moderation <value>',
    help: moderations.join(', '),
    parse: oneOf(moderations),
    fallback: undefined,
  }),
  style: setting({
    group: 'Image',
    flag: '--style <value>',
    help: `${styles.join(', ')} (dall-e-3)`,
    parse: oneOf(styles),
    fallback: undefined,
  }),
  responseFormat: setting({
    group: 'Image',
    flag: '--response-format <value>',
    help: `${responseFormats.join(', ')} (dall-e-2, dall-e-3)`,
    parse: oneOf(responseFormats),
    fallback: undefined,
  }),
  user: setting({
    group: 'Image',
    flag: '--user <id>',
    help: "your end user's id, passed to the API",
    parse: text,
    fallback: undefined,
  }),
  compression: setting({
    group: 'Image',
    flag: '--compression <0-100>',
    help: 'compression of jpeg and webp, in percent',
    parse: integer(compressionRange.min, compressionRange.max),
    fallback: undefined,
  }),
  resize: setting({
    group: 'Image',
    flag: '--resize <WxH>',
    help: 'make the saved image smaller: 800x600, 800x or x600; keeps its proportions: see --fit',
    parse: dimensions,
    fallback: undefined,
  }),
  fit: setting<Fit, Fit>({
    group: 'Image',
    flag: '--fit <value>',
    help: 'how --resize fits: inside the size; cover it, cropped; contain it, padded',
    parse: oneOf(['inside', 'cover', 'contain']),
    fallback: 'inside',
  }),
  convert: setting({
    group: 'Image',
    flag: '--convert <webp|avif|jpeg|png>',
    help: 'convert the saved image to another format',
    parse: oneOf<ConvertFormat>(['webp', 'avif', 'jpeg', 'png'], { jpg: 'jpeg' }),
    fallback: undefined,
  }),
  convertQuality: setting({
    group: 'Image',
    flag: '--convert-quality <1-100>',
    help: 'quality of resized and converted images; png has none',
    parse: integer(1, 100),
    fallback: undefined,
  }),
  out: setting({
    group: 'Files',
    flag: '-o, --out <path>',
    help: 'a directory, a file name with an image extension, or - for stdout',
    parse: text,
    fallback: '.',
  }),
  name: setting({
    group: 'Files',
    flag: '--name <template>',
    help: 'file names: {slug} {i} {n} {model} {size} {format} {date} {time} {id}',
    parse: text,
    fallback: undefined,
  }),
  sidecar: setting({
    group: 'Files',
    flag: '--sidecar',
    help: 'write <image>.json beside each image: request, ids, usage, hash',
    parse: boolean,
    fallback: false,
  }),
  keepOriginal: setting({
    group: 'Files',
    flag: '--no-keep-original',
    help: 'do not keep the original, <name>.original.<ext>, of resized and converted images',
    parse: boolean,
    fallback: true,
  }),
  quiet: setting({
    group: 'Output',
    flag: '-q, --quiet',
    help: 'nothing on stderr but errors',
    parse: boolean,
    fallback: false,
  }),
  verbose: setting({
    group: 'Output',
    flag: '--verbose',
    help: 'show each HTTP exchange on stderr',
    parse: boolean,
    fallback: false,
  }),
  stream: setting({
    group: 'API',
    flag: '--stream',
    help: "ask for the API's streaming mode",
    parse: boolean,
    fallback: false,
  }),
  timeout: setting({
    group: 'API',
    flag: '--timeout <seconds>',
    help: "the limit for the API's whole answer",
    parse: seconds,
    fallback: 300,
  }),
  retries: setting({
    group: 'API',
    flag: '--retries <n>',
    help: 'how often to repeat a download, or a request that the API cannot have processed',
    parse: integer(0, 20),
    fallback: 2,
  }),
  retryUnknown: setting({
    group: 'API',
    flag: '--retry-unknown',
    help: 'repeat a request also when its outcome is unknown; it may be charged again',
    parse: boolean,
    fallback: false,
  }),
  baseUrl: setting({
    group: 'API',
    flag: '--base-url <url>',
    help: "the API's base URL",
    parse: baseUrl,
    fallback: 'https://api.aa.com.cn/api/v1',
  }),
  sandbox: setting({
    group: 'API',
    flag: '--sandbox',
    help: 'try it: placeholder images, no key, no network, no cost',
    parse: boolean,
    fallback: false,
    places: ['flag', 'env'],
  }),
  apiKey: setting({
    help: 'the API key; stored by imggen login',
    parse: secret,
    fallback: undefined,
    places: ['env', 'file'],
  }),
  apiKeyCommand: setting({
    help: 'a command whose first line of output is the API key',
    parse: text,
    fallback: undefined,
    places: ['env', 'file'],
  }),
  taskUrl: setting({
    help: 'the URL that answers for a pending task, with {task_id} in it',
    parse: taskUrl,
    fallback: undefined,
    places: ['env', 'file'],
  }),
  allowPrivateDownloads: setting({
    help: 'download from private addresses even when the API is on a public one',
    parse: boolean,
    fallback: false,
    places: ['env', 'file'],
  }),
  allowInsecure: setting({
    help: 'send the key over http: to a host that is not this machine',
    parse: boolean,
    fallback: false,
    places: ['env', 'file'],
  }),
  historyDays: setting({
    help: 'how long a run stays in the history, in days',
    parse: integer(1, 36_500),
    fallback: 90,
    places: ['env', 'file'],
  }),
  historyRuns: setting({
    help: 'how many finished runs stay in the history',
    parse: integer(1, 1_000_000),
    fallback: 10_000,
    places: ['env', 'file'],
  }),
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
