import { existsSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { ImggenError, usageError } from '../errors.ts';
import type { Format } from '../request/fields.ts';
import { defaultTemplate, exactPattern, type NameFields, type NamePattern, namePattern } from './template.ts';
import type { Collision, Naming, Target } from './types.ts';

/** The extension that each format's files get. */
const extensionOf: Readonly<Record<string, string>> = { png: 'png', jpeg: 'jpg', webp: 'webp', gif: 'gif', avif: 'avif' };
const formatOfExtension: Readonly<Record<string, Format>> = { png: 'png', jpg: 'jpeg', jpeg: 'jpeg', webp: 'webp' };
/** Extensions that are surely meant as an image's, but which no model makes. */
const foreign = /\.(gif|avif|bmp|tiff?|svg|heic|heif|jxl|ico)$/i;

/** Where the images shall go, as the user wrote it. */
export type Destination =
  | { kind: 'stdout' }
  /** `extension` only when the name gave it. */
  | { kind: 'files'; directory: string; template: string | undefined; stem: string | undefined; extension: string | undefined };

/**
 * Reads `--out` and `--name`: `-` is stdout, a name with an image extension is a file, anything else a directory.
 * Throws ImggenError `usage` for an extension that no model makes and for two names at once.
 */
export function destination(out: string, template: string | undefined): Destination {
  if (out === '-') {
    if (template !== undefined) throw usageError('--name does not go with -o -, which writes no file');
    return { kind: 'stdout' };
  }
  const named = out.endsWith('/') || isDirectory(out) ? undefined : splitExtension(out, `-o ${out}`);
  if (named) {
    if (template !== undefined) throw usageError(`-o ${out} names a file, and --name names it too`, 'give one of them');
    return { kind: 'files', directory: dirname(out), template: undefined, stem: basename(named.stem), extension: named.extension };
  }
  const inTemplate = template === undefined ? undefined : splitExtension(template, `--name ${template}`);
  return {
    kind: 'files',
    directory: out,
    template: inTemplate?.stem ?? template,
    stem: undefined,
    extension: inTemplate?.extension,
  };
}

/** Whether `--out` alone says where an image goes: to a file, or to stdout. */
export function namesFile(out: string): boolean {
  return out === '-' || formatOfDestination(destination(out, undefined)) !== undefined;
}

/** What cannot be looked at, as below a file, is told by the attempt to write there. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function splitExtension(name: string, shown: string): { stem: string; extension: string } | undefined {
  if (foreign.test(name)) throw usageError(`${shown}: no model makes that format`, 'use .png, .jpg, .jpeg or .webp');
  const match = /^(.*[^/])\.(png|jpe?g|webp)$/i.exec(name);
  return match ? { stem: match[1] as string, extension: match[2] as string } : undefined;
}

/** The format that a destination's extension stands for, if it names one. */
export function formatOfDestination(destination: Destination): Format | undefined {
  if (destination.kind === 'stdout' || destination.extension === undefined) return undefined;
  return formatOfExtension[destination.extension.toLowerCase()];
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
    this.#pattern = stem === null ? namePattern(template ?? defaultTemplate, fields) : exactPattern(stem, fields.n);
    this.#next = Math.max(0, ...targets.map(({ i }) => i)) + 1;
  }

  /**
   * Plans the names of `fields.n` images. Numbered names take the next free numbers; with `overwrite` and `skip` the
   * numbers start at 1, and `skip` leaves out what exists. `fields.format` is the format that is expected.
   * Throws ImggenError `output` when an exact name exists, `usage` for a template that is not one.
   */
  static plan(
    { directory, template, stem, extension }: Extract<Destination, { kind: 'files' }>,
    fields: NameFields,
    collision: Collision,
    sidecar: boolean,
  ): TargetNames {
    const names = new TargetNames({
      directory,
      template: template ?? null,
      stem: stem ?? null,
      extension: extension ?? (extensionOf[fields.format] as string),
      fields,
      collision,
      sidecar,
      targets: [],
    });
    names.#plan(fields.n);
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
    };
  }

  /**
   * The names to try for an image that is there: the planned one first, then free numbers. The extension is that of
   * the bytes; a spelling of the same format that was asked for (`.jpeg`) stays.
   *
   * @param target undefined for an image that nobody asked for
   */
  *candidates(target: Target | undefined, format: string): Generator<string, never> {
    const { extension: asked, sidecar } = this.naming;
    const same = formatOfExtension[asked.toLowerCase()] === format;
    const extension = same ? asked : (extensionOf[format] as string);
    if (target) yield this.#path(target.i, extension);
    // Taken since it was planned: an image that was paid for is saved beside it, never over it.
    for (;;) {
      const i = this.#next++;
      const path = this.#pattern.numbered
        ? this.#path(i, extension)
        : join(this.naming.directory, `${this.#pattern.name(1)}-${i}.${extension}`);
      if (!sidecar || !existsSync(`${path}.json`)) yield path;
    }
  }

  #plan(n: number): void {
    const { targets, collision, extension } = this.naming;
    for (let i = 1; targets.length < n && (collision === 'number' || i <= n); i += 1) {
      const path = this.#path(i, extension);
      if (collision !== 'overwrite' && this.#isTaken(path)) {
        if (collision === 'skip' || this.#pattern.numbered) continue;
        throw new ImggenError('output', `${existsSync(path) ? path : `${path}.json`} exists`, { hint: 'use --overwrite, --skip-existing, or another name' });
      }
      targets.push({ i, path });
    }
    this.#next = Math.max(n, ...targets.map(({ i }) => i)) + 1;
  }

  #isTaken(path: string): boolean {
    const { sidecar, collision } = this.naming;
    if (collision === 'number') return existsSync(path) || (sidecar && existsSync(`${path}.json`));
    // The API may have made another format than was asked for: to skip must not mean to pay for it again and again.
    const stem = path.slice(0, -extname(path).length);
    return existsSync(path) || Object.keys(formatOfExtension).some((extension) => existsSync(`${stem}.${extension}`));
  }

  #path(i: number, extension: string): string {
    return join(this.naming.directory, `${this.#pattern.name(i)}.${extension}`);
  }
}
