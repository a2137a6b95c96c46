import { hash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { ImggenError, messageOf, usageError } from '../../errors.ts';
import { destination, formatOfDestination, namesFile } from '../../files/destination.ts';
import { renditionPath } from '../../files/extensions.ts';
import { exactPattern, fieldNames } from '../../files/template.ts';
import type { Entry, Field, Mistake, Position } from '../file/types.ts';
import { type Layers, type Resolved, resolveSettings } from '../../options/resolve.ts';
import { environmentName, type Key, keys, longName, settings } from '../../options/settings.ts';
import type { Json } from '../../request/types.ts';
import { renditionOf, type RenditionSpec } from '../../renditions/spec.ts';
import { InvalidRequest, type Plan, planRun, settingOf } from '../../generate/plan.ts';
import { isLoopbackHost } from '../../http/address.ts';
import { type Given, readFields, type Variant } from './fields.ts';
import { reachKeys } from './keys.ts';
import { relativePath } from './paths.ts';
import type { BatchJob, Output } from './types.ts';

export interface JobReaderOptions {
  /** Of the batch file: what its paths are relative to. */
  directory: string;
  /** The fields of `defaults`. */
  defaults: readonly Field[];
  /** What the command line says instead of the defaults, as text. */
  flags: Partial<Record<Key, string>>;
  /** `--param`. */
  extra: Readonly<Record<string, Json>>;
  /** Of the base URL that the command line, the environment or the config file says: where the key belongs. */
  origin: string;
  /** Where values come from that are no job's. */
  layers: Omit<Layers, 'flags'>;
}

/** The largest file of a prompt, in bytes; no model takes a hundredth of it. */
const promptFileLimit = 4 << 20;
/** Fields of a name, which `out` does not have. */
const fields = new RegExp(`\\{(${fieldNames.join('|')})\\}`);
/** Fields of a name that differ from run to run. */
const changing = /\{(date|time|id)\}/;

/**
 * Makes jobs of entries. What determines an image comes from the file and the command line alone, so that every machine
 * sees the same; the environment and the config file say only how the API is reached.
 */
export class JobReader {
  /** What is wrong with the defaults. */
  readonly mistakes: readonly Mistake[];
  readonly #options: JobReaderOptions;
  readonly #defaults: Given;
  /** Of a job that says nothing: command line > defaults > for what reaches the API: environment, config file. */
  readonly #base: Resolved;

  /** Throws ImggenError `usage` for a value that no batch file gave. */
  constructor(options: JobReaderOptions) {
    const { given, mistakes } = readFields(options.defaults, 'defaults');
    this.#options = options;
    this.#defaults = given;
    this.mistakes = mistakes;
    const { flags, layers } = options;
    const { env, profile, file, path } = layers;
    const resolved = resolveSettings({
      flags,
      env: only(env, reachKeys.map(environmentName)),
      profile: profile && only(profile, reachKeys),
      file: only(file, reachKeys),
      path,
    });
    const defaults = Object.entries(given.settings).filter(([key]) => flags[key as Key] === undefined);
    // To planRun all of it is typed: nothing that determines an image comes from elsewhere.
    const origins = Object.fromEntries(keys.map((key) => [key, 'flag'])) as Resolved['origins'];
    this.#base = { values: { ...resolved.values, ...Object.fromEntries(defaults) }, origins, label: longName };
  }

  /** A job, or everything that is wrong with it. */
  read(entry: Entry): BatchJob | Mistake[] {
    const { given, mistakes } = readFields(entry.fields, 'job');
    const refuse = (key: Key | 'prompt', message: string, hint?: string) =>
      mistakes.push({ at: this.#placeOf(key, given, entry), message, ...(hint && { hint }) });
    const prompt = this.#prompt(given, entry, mistakes);
    const resolved = this.#resolve(given);
    const { out, name, baseUrl, sandbox } = resolved.values;
    // Who may change the file need not be who has the key.
    if (!sandbox && new URL(baseUrl).origin !== this.#options.origin && !isLoopbackHost(baseUrl)) {
      const hint = 'name it yourself: --base-url, IMGGEN_BASE_URL or the config file';
      refuse('baseUrl', `base-url: ${baseUrl} would get the API key, and only a file says so`, hint);
    }
    const field = fields.exec(out)?.[0];
    if (field) refuse('out', `out: ${field} would stand in the name as it is`, 'fields are for name');
    if ((given.settings.out ?? this.#base.values.out) === '-') refuse('out', 'out: an image of a batch needs a file');
    const varying = changing.exec(name ?? '')?.[0];
    if (varying) refuse('name', `name: ${varying} differs from run to run`, 'a job must have the same names each time');
    // With a mistake in a value, what follows from the value would be one too.
    if (mistakes.length > 0 || prompt === undefined) return mistakes;
    try {
      const extra = { ...this.#defaults.extra, ...this.#options.extra, ...given.extra };
      // What stands in a job's place was made for it, or the survey finds that it was not.
      const plan = planRun({ prompt, extra, collision: 'overwrite' }, resolved);
      const variants = given.variants.flatMap((variant) => this.#variant(variant, plan, mistakes));
      return mistakes.length > 0 ? mistakes : this.#job(entry, plan, resolved, [...results(plan), ...variants]);
    } catch (error) {
      if (!(error instanceof ImggenError) || error.exit !== 2) throw error;
      if (!(error instanceof InvalidRequest))
        refuse(isFileName(out, true) ? 'out' : 'name', ...inFileTerms(error.message, error.hint));
      else
        for (const { field, message, hint } of error.problems)
          refuse(field === 'prompt' ? field : settingOf(field), ...inFileTerms(message, hint));
      return mistakes;
    }
  }

  /** Where a value stands, or the job that it is wrong for when the command line or nobody gives it. */
  #placeOf(key: Key | 'prompt', { places }: Given, { at }: Entry): Position {
    if (key === 'prompt') return places.get('prompt') ?? places.get('prompt-file') ?? at;
    const ofDefaults = this.#options.flags[key] === undefined ? this.#defaults.places.get(key) : undefined;
    return places.get(key) ?? ofDefaults ?? at;
  }

  #job(entry: Entry, plan: Plan, resolved: Resolved, outputs: readonly Output[]): BatchJob {
    const { directory } = this.#options;
    const originals = plan.names?.naming.targets.map(({ path }) => path) ?? [];
    const [first] = plan.rendition ? outputs.map(({ path }) => path) : originals;
    const { keepOriginal } = resolved.values;
    const made = outputs.map(({ from, edit, path }) => ({ from, edit, path: relativePath(path, directory) }));
    return {
      key: relativePath(first as string, directory),
      at: entry.at,
      plan,
      resolved,
      count: plan.request.n,
      originals,
      outputs,
      keepOriginal: keepOriginal || outputs.length === 0,
      hidesOriginal: plan.rendition !== null,
      fingerprint: fingerprintOf(plan),
      processing: outputs.length === 0 ? null : hashOf({ made, keepOriginal }),
    };
  }

  #prompt({ prompt, promptFile, places }: Given, { at }: Entry, mistakes: Mistake[]): string | undefined {
    const isGiven = places.has('prompt');
    if (isGiven && places.has('prompt-file'))
      mistakes.push({ at, message: 'prompt and prompt-file are given', hint: 'give one of them' });
    if (!isGiven && !places.has('prompt-file')) mistakes.push({ at, message: 'there is no prompt' });
    if (promptFile === undefined) return prompt;
    const path = this.#path(promptFile);
    try {
      return readText(path).trim();
    } catch (error) {
      const message = `prompt-file: cannot read ${path}`;
      mistakes.push({ at: places.get('prompt-file') ?? at, message, hint: messageOf(error) });
      return undefined;
    }
  }

  #resolve({ settings: own }: Given): Resolved {
    const { values } = this.#base;
    // A path in the file is relative to the file, one on the command line to where that is typed.
    const isTyped = own.out === undefined && this.#options.flags.out !== undefined;
    const out = isTyped ? values.out : this.#path(own.out ?? values.out);
    const isConverted = (own.convert ?? values.convert) !== undefined;
    // A job that names its file has no use for the names of the others.
    const isNamed = values.name !== undefined && own.out !== undefined && isFileName(out, isConverted);
    return { ...this.#base, values: { ...values, ...(isNamed && { name: undefined }), ...own, out } };
  }

  #variant({ at, settings: own }: Variant, plan: Plan, mistakes: Mistake[]): Output[] {
    const { out, convert } = own;
    if (out === undefined) return [];
    const targets = plan.names?.naming.targets ?? [];
    try {
      const to = destination(this.#path(out), undefined, true);
      const format = formatOfDestination(to);
      if (to.kind !== 'files' || to.stem === undefined || format === undefined)
        throw usageError(`out ${out} is no image file`, 'use .png, .jpg, .webp or .avif');
      if (convert !== undefined && convert !== format)
        throw usageError(`convert ${convert} and out ${out} do not agree`, 'leave convert out: the extension decides');
      const { resize, fit = settings.fit.fallback, convertQuality } = own;
      const edit = renditionOf({ resize, fit, convert: format, convertQuality }) as RenditionSpec;
      const { name } = exactPattern(to.stem, targets.length, false);
      return targets.map(({ i }, from) => ({ from, edit, path: join(to.directory, `${name(i)}.${to.extension}`) }));
    } catch (error) {
      if (!(error instanceof ImggenError)) throw error;
      const [message, hint] = inFileTerms(`variants: ${error.message}`, error.hint);
      mistakes.push({ at, message, ...(hint && { hint }) });
      return [];
    }
  }

  #path(path: string): string {
    return isAbsolute(path) ? path : join(this.#options.directory, path);
  }
}

function only<T>(values: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)));
}

/** Reads a file of UTF-8. Throws an Error for a device or a pipe, which may never end, and for what is larger than any prompt. */
function readText(path: string): string {
  const about = statSync(path);
  if (!about.isFile()) throw new Error('it is not a file');
  if (about.size > promptFileLimit) throw new Error('it is larger than any prompt');
  return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
}

/** Whether `out` names a file. That of a format which no model makes does so too: planRun says what is wrong with it. */
function isFileName(out: string, isConverted: boolean): boolean {
  try {
    return namesFile(out, isConverted);
  } catch (error) {
    if (!(error instanceof ImggenError)) throw error;
    return true;
  }
}

/** What the run itself makes of its images. */
function results({ rendition: edit, names }: Plan): Output[] {
  const naming = names?.naming;
  const made = naming?.renditions;
  if (!edit || !naming || !made) return [];
  return naming.targets.map(({ path }, from) => ({ from, edit, path: renditionPath(path, made.extension) }));
}

/** What the command line calls `--size` is `size` in a file. */
function inFileTerms(message: string, hint: string | undefined): [message: string, hint?: string] {
  const said = (text: string) => text.replace(/(^|\s)--(?=[a-z])/g, '$1').replace(/(^|\s)-o /g, '$1out ');
  return hint === undefined ? [said(message)] : [said(message), said(hint)];
}

/** Of all that determines the images of a request. How the answer comes does not, and the environment may say it. */
function fingerprintOf({ dialect, fields }: Plan): string {
  return hashOf({ dialect: dialect.name, body: { ...fields, stream: undefined } });
}

/** SHA-256 of a value, in hexadecimal; the order of the members of its objects makes no difference. */
function hashOf(value: unknown): string {
  return hash('sha256', JSON.stringify(value, sorted));
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
