import { existsSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { ImggenError, usageError } from '../errors.ts';
import type { Format } from '../request/fields.ts';
import { originalMark, resultPath } from './original.ts';
import { defaultTemplate, exactPattern, type NameFields, type NamePattern, namePattern } from './template.ts';
import type { Collision, Naming, Target } from './types.ts';

/** The extension that each format's files get. */
const extensionOf: Readonly<Record<string, string>> = {
  png: 'png',
  jpeg: 'jpg',
  webp: 'webp',
  gif: 'gif',
  avif: 'avif',
};
const formatOfExtension: Readonly<Record<string, Format>> = { png: 'png', jpg: 'jpeg', jpeg: 'jpeg', webp: 'webp' };
/** Extensions that are surely meant as an image's, but which no model makes. */
const foreign = /\.(gif|avif|bmp|tiff?|svg|heic|heif|jxl|ico)$/i;
/** Of these the one that images can be converted to. */
const avif = /\.avif$/i;

/** Where the images shall go, as the user wrote it. */
export type Destination =
  | { kind: 'stdout' }
  /** `extension` only when the name gave it. */
  | {
      kind: 'files';
      directory: string;
      template: string | undefined;
      stem: string | undefined;
      extension: string | undefined;
    };

/**
 * Reads `--out` and `--name`: `-` is stdout, a name with an image extension is a file, anything else a directory.
 * Throws ImggenError `usage` for an extension that no model makes and for two names at once.
 *
 * @param converted whether the images are converted, so that a name may stand for what no model makes
 */
export function destination(out: string, template: string | undefined, converted = false): Destination {
  if (out === '-') {
    if (template !== undefined) throw usageError('--name does not go with -o -, which writes no file');
    return { kind: 'stdout' };
  }
  const named = out.endsWith('/') || isDirectory(out) ? undefined : splitExtension(out, `-o ${out}`, converted);
  if (named) {
    if (template !== undefined) throw usageError(`-o ${out} names a file, and --name names it too`, 'give one of them');
    return {
      kind: 'files',
      directory: dirname(out),
      template: undefined,
      stem: basename(named.stem),
      extension: named.extension,
    };
  }
  const inTemplate = template === undefined ? undefined : splitExtension(template, `--name ${template}`, converted);
  return {
    kind: 'files',
    directory: out,
    template: inTemplate?.stem ?? template,
    stem: undefined,
    extension: inTemplate?.extension,
  };
}

/** Whether `--out` alone says where an image goes: to a file, or to stdout. */
export function namesFile(out: string, converted: boolean): boolean {
  return out === '-' || formatOfDestination(destination(out, undefined, converted)) !== undefined;
}

/** What cannot be looked at, as below a file, is told by the attempt to write there. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}

function splitExtension(
  name: string,
  shown: string,
  converted: boolean,
): { stem: string; extension: string } | undefined {
  if (foreign.test(name) && !(converted && avif.test(name))) {
    const wayOut = avif.test(name) ? 'add --convert avif' : 'use .png, .jpg, .jpeg or .webp';
    throw usageError(`${shown}: no model makes that format`, wayOut);
  }
  const match = /^(.*[^/])\.(png|jpe?g|webp|avif)$/i.exec(name);
  return match ? { stem: match[1] as string, extension: match[2] as string } : undefined;
}

/** The format that a destination's extension stands for, if it names one. */
export function formatOfDestination(destination: Destination): Format | 'avif' | undefined {
  if (destination.kind === 'stdout' || destination.extension === undefined) return undefined;
  const extension = destination.extension.toLowerCase();
  return extension === 'avif' ? 'avif' : formatOfExtension[extension];
}

/** The names of one run's files. It makes no directory and no file. */
export class TargetNames {
  /** What the names follow from; `targets` as planned. */
  readonly naming: Naming;
  readonly #pattern: NamePattern;
  #next: number;

  private constructor(naming: Naming) {
    const { template, stem, fields, targets } = naming;
    this.naming = naming;
    const isMarked = naming.results !== undefined;
    this.#pattern =
      stem === null ? namePattern(template ?? defaultTemplate, fields) : exactPattern(stem, fields.n, isMarked);
    this.#next = Math.max(0, ...targets.map(({ i }) => i)) + 1;
  }

  /**
   * Plans the names of `fields.n` images. Numbered names take the next free numbers; with `overwrite` and `skip` the
   * numbers start at 1, and `skip` leaves out what exists. `fields.format` is the format that is expected.
   * Throws ImggenError `output` when an exact name exists, `usage` for a template that is not one.
   *
   * @param edited where a result is made from each image, the name is the result's, and the image is the original of
   *   this format beside it; `convert` is the format of the results, null for that of the original
   */
  static plan(
    { directory, template, stem, extension }: Extract<Destination, { kind: 'files' }>,
    fields: NameFields,
    collision: Collision,
    sidecar: boolean,
    edited?: { original: string; convert: string | null },
  ): TargetNames {
    const ofName: string = extension ?? (extensionOf[fields.format] as string);
    const isConverted = edited !== undefined && edited.convert !== null;
    const names = new TargetNames({
      directory,
      template: template ?? null,
      stem: stem ?? null,
      extension: isConverted ? (extensionOf[edited.original] as string) : ofName,
      ...(edited && { results: { extension: isConverted ? ofName : null } }),
      fields,
      collision,
      sidecar,
      targets: [],
    });
    names.#plan(fields.n);
    if (collision === 'overwrite') names.naming.replaces = names.#standing();
    return names;
  }

  /** The names of a run that another process planned. */
  static resume(naming: Naming): TargetNames {
    return new TargetNames(naming);
  }

  /** The naming for another process, which may work elsewhere: with absolute paths. */
  get absolute(): Naming {
    const { naming } = this;
    return {
      ...naming,
      directory: resolve(naming.directory),
      targets: naming.targets.map(({ i, path }) => ({ i, path: resolve(path) })),
      ...(naming.replaces && {
        replaces: Object.fromEntries(Object.entries(naming.replaces).map(([path, stamp]) => [resolve(path), stamp])),
      }),
    };
  }

  /**
   * Whether what stands under a planned name may be replaced: with --overwrite, and when it is what stood there when the
   * name was planned. Something newer is not this run's to destroy, least of all when it is resumed much later.
   */
  mayReplace(path: string): boolean {
    const { collision, replaces } = this.naming;
    return collision === 'overwrite' && (replaces === undefined || stampOf(path) === replaces[path]);
  }

  /**
   * The names to try for an image that is there: the planned one first, then free numbers. The extension is that of
   * the bytes; a spelling of the same format that was asked for (`.jpeg`) stays.
   *
   * @param target undefined for an image that nobody asked for
   */
  *candidates(target: Target | undefined, format: string): Generator<string, never> {
    const { extension: asked, directory } = this.naming;
    const same = formatOfExtension[asked.toLowerCase()] === format;
    const extension = same ? asked : (extensionOf[format] as string);
    if (target) yield this.#path(target.i, extension);
    // Taken since it was planned: an image that was paid for is saved beside it, never over it.
    for (;;) {
      const i = this.#next++;
      const path = this.#pattern.numbered
        ? this.#path(i, extension)
        : join(directory, `${this.#pattern.name(1)}-${i}${this.#mark}.${extension}`);
      if (!this.#namesOf(path).some((each) => each !== path && existsSync(each))) yield path;
    }
  }

  #plan(n: number): void {
    const { targets, collision, extension } = this.naming;
    for (let i = 1; targets.length < n && (collision === 'number' || i <= n); i += 1) {
      const path = this.#path(i, extension);
      if (collision === 'skip' ? this.#isDone(path) : collision === 'number' && this.#isPassedOver(path)) continue;
      targets.push({ i, path });
    }
    this.#next = Math.max(n, ...targets.map(({ i }) => i)) + 1;
  }

  /** Whether a name is taken, so that a numbered one is to follow. Throws ImggenError `output` where none can. */
  #isPassedOver(path: string): boolean {
    const taken = this.#namesOf(path).find((each) => existsSync(each));
    if (taken === undefined) return false;
    if (this.#pattern.numbered) return true;
    throw new ImggenError('output', `${taken} exists`, { hint: 'use --overwrite, --skip-existing, or another name' });
  }

  /**
   * Whether what the user wants of an image is there. Throws ImggenError `output` when only its original is: it was
   * paid for, and another one would take its place or stand beside it.
   */
  #isDone(path: string): boolean {
    const { results } = this.naming;
    if (!results) return inSomeFormat(path) !== undefined;
    const result = resultPath(path, results.extension);
    if (results.extension === null ? inSomeFormat(result) !== undefined : existsSync(result)) return true;
    const original = inSomeFormat(path);
    if (original === undefined) return false;
    throw new ImggenError('output', `${original} exists, and ${result}, which is made from it, does not`, {
      hint: 'imggen resume makes it after an interruption; else move the original away, or use --overwrite',
    });
  }

  /** The names that must be free for an image: its own, and of what is made from it and stands beside that. */
  #namesOf(path: string): string[] {
    const { results, sidecar } = this.naming;
    const result = results ? resultPath(path, results.extension) : path;
    return [...new Set([result, path, ...(sidecar ? [`${result}.json`] : [])])];
  }

  /** What stands under the planned names. */
  #standing(): Record<string, string> {
    const paths = this.naming.targets.flatMap(({ path }) => this.#namesOf(path));
    return Object.fromEntries(paths.flatMap((path) => stampedPath(path)));
  }

  #path(i: number, extension: string): string {
    return join(this.naming.directory, `${this.#pattern.name(i)}${this.#mark}.${extension}`);
  }

  get #mark(): string {
    return this.naming.results ? originalMark : '';
  }
}

/**
 * A file of this name that exists, whatever its extension: the API may have made another format than was asked for, and
 * to skip must not mean to pay for it again and again.
 */
function inSomeFormat(path: string): string | undefined {
  const stem = path.slice(0, -extname(path).length);
  return [path, ...Object.keys(formatOfExtension).map((extension) => `${stem}.${extension}`)].find((each) =>
    existsSync(each),
  );
}

function stampedPath(path: string): [path: string, stamp: string][] {
  const stamp = stampOf(path);
  return stamp === undefined ? [] : [[path, stamp]];
}

/** Tells whether a file is still the one that it was; undefined when there is none. */
function stampOf(path: string): string | undefined {
  try {
    const { mtimeMs, size } = statSync(path);
    return `${mtimeMs} ${size}`;
  } catch {
    return undefined;
  }
}
