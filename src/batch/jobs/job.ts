import { hash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { ImggenError, messageOf, usageError } from '../../errors.ts';
import { destination, formatOfDestination, namesFile } from '../../files/destination.ts';
import { renditionPath } from '../../files/extensions.ts';
import { exactPattern, fieldNames } from '../../files/template.ts';
import type { Entry, Field, Mistake, Position } from '../file/types.ts';
import { type Layers, type Resolved, resolveSettings } from '../../options/resolve.ts';
import { environmentName, type Key, settings } from '../../options/settings.ts';
import type { Json } from '../../request/types.ts';
import { renditionOf, type RenditionSpec } from '../../renditions/spec.ts';
import { InvalidRequest, type Plan, planRun, settingOf } from '../../generate/plan.ts';
import { isLoopbackHost } from '../../http/address.ts';
import { type Given, readFields, type Variant } from './fields.ts';
import { jobKeyOf, reachKeys } from './keys.ts';
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
  readonly #layers: Omit<Layers, 'flags'>;

  constructor(options: JobReaderOptions) {
    const { given, mistakes } = readFields(options.defaults, 'defaults');
    this.#options = options;
    this.#defaults = given;
    this.mistakes = mistakes;
    const { env, profile, file, path } = options.layers;
    const only = <T>(values: Readonly<Record<string, T>>, names: readonly string[]) =>
      Object.fromEntries(names.flatMap((name) => (Object.hasOwn(values, name) ? [[name, values[name] as T]] : [])));
    this.#layers = {
      env: only(env, reachKeys.map(environmentName)),
      profile: profile && only(profile, reachKeys),
      file: only(file, reachKeys),
      path,
    };
  }

  /** A job, or everything that is wrong with it. Throws ImggenError `usage` for what is wrong with other sources of values. */
  read(entry: Entry): BatchJob | Mistake[] {
    const { given, mistakes } = readFields(entry.fields, 'job');
    const placeOf = (key: Key | 'prompt'): Position => {
      const name = key !== 'prompt' ? jobKeyOf(key) : given.places.has(key) ? key : 'prompt-file';
      if (given.places.has(name)) return given.places.get(name) as Position;
      return key !== 'prompt' && this.#options.flags[key] === undefined
        ? (this.#defaults.places.get(name) ?? entry.at)
        : entry.at;
    };
    const prompt = this.#prompt(given, entry, mistakes);
    const resolved = this.#resolve(given);
    const { out, name, baseUrl, sandbox } = resolved.values;
    // Who may change the file need not be who has the key.
    if (!sandbox && !isLoopbackHost(baseUrl) && new URL(baseUrl).origin !== this.#options.origin) {
      const hint = 'name it yourself: --base-url, IMGGEN_BASE_URL or the config file';
      mistakes.push({
        at: placeOf('baseUrl'),
        message: `base-url: ${baseUrl} would get the API key, and only a file says so`,
        hint,
      });
    }
    const field = fields.exec(out)?.[0];
    if (field)
      mistakes.push({
        at: placeOf('out'),
        message: `out: ${field} would stand in the name as it is`,
        hint: 'fields are for name',
      });
    if (out === '-') mistakes.push({ at: placeOf('out'), message: 'out: an image of a batch needs a file' });
    const varying = changing.exec(name ?? '')?.[0];
    if (varying)
      mistakes.push({
        at: placeOf('name'),
        message: `name: ${varying} differs from run to run`,
        hint: 'a job must have the same names each time',
      });
    // With a mistake in a value, what follows from the value would be one too.
    if (mistakes.length > 0 || prompt === undefined) return mistakes;
    try {
      const extra = { ...this.#defaults.extra, ...this.#options.extra, ...given.extra };
      // Whatever stands in a job's place was made for it, or the survey finds that it was not.
      const plan = planRun({ prompt, extra, collision: 'overwrite' }, resolved);
      const outputs = [
        ...results(plan),
        ...given.variants.flatMap((variant) => this.#variant(variant, plan, mistakes)),
      ];
      return mistakes.length > 0 ? mistakes : this.#job(entry, plan, resolved, outputs);
    } catch (error) {
      if (error instanceof InvalidRequest) {
        return error.problems.map(({ field, message, hint }) => ({
          at: placeOf(field === 'prompt' ? field : settingOf(field)),
          ...inFileTerms(message, hint),
        }));
      }
      if (!(error instanceof ImggenError) || error.exit !== 2) throw error;
      return [{ at: placeOf(isFileName(out, true) ? 'out' : 'name'), ...inFileTerms(error.message, error.hint) }];
    }
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
      index: entry.index,
      plan,
      resolved,
      count: plan.request.n,
      originals,
      outputs,
      keepOriginal: keepOriginal || outputs.length === 0,
      hidesOriginal: plan.rendition !== null,
      // How the answer comes makes no other image, and the environment may say it.
      fingerprint: hashOf({ dialect: plan.dialect.name, body: { ...plan.fields, stream: undefined } }),
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
      mistakes.push({
        at: places.get('prompt-file') ?? at,
        message: `prompt-file: cannot read ${path}`,
        hint: messageOf(error),
      });
      return undefined;
    }
  }

  /** job > command line > defaults > for what reaches the API: environment and config file > what imggen has built in. */
  #resolve({ settings: own }: Given): Resolved {
    const { flags, directory } = this.#options;
    const { settings: defaults } = this.#defaults;
    const merged: Partial<Record<Key, string>> = { ...defaults, ...flags, ...own };
    // A path in the file is relative to the file, one on the command line to where that is typed.
    if (own.out !== undefined || flags.out === undefined) merged.out = this.#path(merged.out ?? '.');
    if (merged.out === join(directory, '-')) merged.out = '-';
    const isConverted = merged.convert !== undefined;
    // A job that names its file has no use for the names of the others.
    if (own.out !== undefined && own.name === undefined && isFileName(merged.out as string, isConverted))
      delete merged.name;
    return { ...resolveSettings({ ...this.#layers, flags: merged }), label: jobKeyOf };
  }

  #variant({ at, values }: Variant, plan: Plan, mistakes: Mistake[]): Output[] {
    if (values.out === undefined) return [];
    const targets = plan.names?.naming.targets ?? [];
    try {
      const { edit, directory, stem, extension } = this.#variantPlace(values, values.out);
      const { name } = exactPattern(stem, targets.length, false);
      return targets.map(({ i }, from) => ({ from, edit, path: join(directory, `${name(i)}.${extension}`) }));
    } catch (error) {
      if (!(error instanceof ImggenError)) throw error;
      mistakes.push({ at, ...inFileTerms(`variants: ${error.message}`, error.hint) });
      return [];
    }
  }

  #variantPlace(
    values: Variant['values'],
    out: string,
  ): { edit: RenditionSpec; directory: string; stem: string; extension: string } {
    const to = destination(this.#path(out), undefined, true);
    const format = formatOfDestination(to);
    if (to.kind !== 'files' || to.stem === undefined || to.extension === undefined || format === undefined) {
      throw usageError(`out ${out} is no image file`, 'use .png, .jpg, .webp or .avif');
    }
    const { resize, fit, convert, quality } = values;
    const parsed = {
      resize: resize === undefined ? undefined : settings.resize.parse(resize),
      fit: fit === undefined ? settings.fit.fallback : settings.fit.parse(fit),
      convert: convert === undefined ? format : settings.convert.parse(convert),
      convertQuality: quality === undefined ? undefined : settings.convertQuality.parse(quality),
    };
    if (parsed.convert !== format)
      throw usageError(`convert ${convert} and out ${out} do not agree`, 'leave convert out: the extension decides');
    return {
      edit: renditionOf(parsed) as RenditionSpec,
      directory: to.directory,
      stem: to.stem,
      extension: to.extension,
    };
  }

  #path(path: string): string {
    return isAbsolute(path) ? path : join(this.#options.directory, path);
  }
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

/** Every file that a job makes. */
export function pathsOf({ originals, outputs }: BatchJob): string[] {
  return [...originals, ...outputs.map(({ path }) => path)];
}

/** Those of them that are told of: an original whose name an output takes is not. */
export function declaredPaths(job: BatchJob): string[] {
  return job.hidesOriginal ? job.outputs.map(({ path }) => path) : pathsOf(job);
}

/** What the run itself makes of its images. */
function results({ rendition: edit, names }: Plan): Output[] {
  const naming = names?.naming;
  const made = naming?.renditions;
  if (!edit || !naming || !made) return [];
  return naming.targets.map(({ path }, from) => ({ from, edit, path: renditionPath(path, made.extension) }));
}

/** What the command line calls `--size` is `size` in a file. */
function inFileTerms(message: string, hint: string | undefined): { message: string; hint?: string } {
  const said = (text: string) => text.replace(/(^|\s)--(?=[a-z])/g, '$1').replace(/(^|\s)-o /g, '$1out ');
  return { message: said(message), ...(hint !== undefined && { hint: said(hint) }) };
}

/** SHA-256 of a value, in hexadecimal; the order of the members of its objects makes no difference. */
function hashOf(value: unknown): string {
  return hash('sha256', JSON.stringify(value, sorted));
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
