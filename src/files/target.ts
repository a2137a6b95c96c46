import { existsSync, lstatSync, type Stats } from 'node:fs';
import { join, resolve } from 'node:path';
import { ImggenError } from '../errors.ts';
import type { Destination } from './destination.ts';
import { extensionOf, formatOfExtension, inSomeFormat, originalMark, renditionPath } from './extensions.ts';
import { defaultTemplate, exactPattern, type NameFields, type NamePattern, namePattern } from './template.ts';

/** What happens when a name is taken: the next number is used, the file is replaced, or the image is left out. */
export type Collision = 'number' | 'overwrite' | 'skip';

/** One image's place: planned before anything is sent. */
export interface Target {
  /** The number in the name, from 1. */
  i: number;
  /** As planned: the extension may still follow the bytes, and a name that is taken meanwhile is passed over. */
  path: string;
}

/** Everything that the names of a run's files follow from: enough to go on with them in another process. */
export interface Naming {
  directory: string;
  /** A template, or the stem of an exact name. */
  template: string | null;
  stem: string | null;
  extension: string;
  fields: NameFields;
  collision: Collision;
  /** Whether `<image>.json` must be free too. */
  sidecar: boolean;
  /**
   * Present when the images are originals, from each of which a rendition is made: the extension of the renditions, null
   * for that of the original. Both names must be free.
   */
  renditions?: { extension: string | null };
  /**
   * With `overwrite`: the stamp of each file that had a planned name, by path. Only these files may be replaced, and
   * only while they are unchanged. Absent in what an older version planned.
   */
  replaces?: Readonly<Record<string, string>>;
  targets: Target[];
}

/** The names of one run's files. It makes no directory and no file. */
export class TargetNames {
  /** What the names follow from; `targets` as planned. */
  readonly naming: Naming;
  /** Whether a name belongs to somebody else though no file has it yet: in a batch, to another job. */
  isTaken: (path: string) => boolean = () => false;
  readonly #pattern: NamePattern;
  #next: number;

  private constructor(naming: Naming) {
    const { template, stem, fields, targets } = naming;
    this.naming = naming;
    const isMarked = naming.renditions !== undefined;
    this.#pattern =
      stem === null ? namePattern(template ?? defaultTemplate, fields) : exactPattern(stem, fields.n, isMarked);
    this.#next = Math.max(fields.n, ...targets.map(({ i }) => i)) + 1;
  }

  /**
   * Plans the names of `fields.n` images. Numbered names take the next free numbers; with `overwrite` and `skip` the
   * numbers start at 1, and `skip` leaves out the images that exist. `fields.format` is the expected format.
   * Throws ImggenError `output` when an exact name exists, `usage` for an invalid template.
   *
   * @param made present when a rendition is made from each image: the name is the rendition's, and the image becomes the
   *   original of this format beside it; `convert` is the format of the renditions, null for that of the original
   */
  static plan(
    { directory, template, stem, extension }: Extract<Destination, { kind: 'files' }>,
    fields: NameFields,
    collision: Collision,
    sidecar: boolean,
    made?: { original: string; convert: string | null },
  ): TargetNames {
    const ofName = extension ?? extensionOf(fields.format);
    const isConverted = made !== undefined && made.convert !== null;
    const names = new TargetNames({
      directory,
      template: template ?? null,
      stem: stem ?? null,
      extension: isConverted ? extensionOf(made.original) : ofName,
      ...(made && { renditions: { extension: isConverted ? ofName : null } }),
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

  /** The names of some of the images: `positions` from 0. */
  only(positions: readonly number[]): TargetNames {
    const targets = this.naming.targets.filter((_target, position) => positions.includes(position));
    return new TargetNames({ ...this.naming, targets });
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

  /** Throws ImggenError `output` when a planned name belongs to a directory or a device, which nothing may replace. */
  ensureReplaceable(): void {
    for (const path of this.naming.targets.flatMap((target) => this.#namesOf(target.path))) {
      const entry = entryAt(path);
      if (entry === undefined || entry.isFile() || entry.isSymbolicLink()) continue;
      throw new ImggenError('output', `${path} is not a file`, { hint: 'move it away, or choose another name' });
    }
  }

  /**
   * Whether the file under a planned name may be replaced: with --overwrite, and only the file that was there when the
   * name was planned. A newer one is not this run's to destroy, least of all when the run is resumed much later.
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
    const extension = formatOfExtension(asked) === format ? asked : extensionOf(format);
    if (target) yield this.#path(target.i, extension);
    // Taken since it was planned: an image that was paid for is saved beside it, never over it.
    for (;;) {
      const i = this.#next++;
      const path = this.#pattern.numbered
        ? this.#path(i, extension)
        : join(directory, `${this.#pattern.name(1)}-${i}${this.#mark}.${extension}`);
      if (!this.#namesOf(path).some((each) => this.isTaken(each) || (each !== path && entryAt(each)))) yield path;
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

  /** Whether a name is taken and the next number follows. Throws ImggenError `output` when the names have no number. */
  #isPassedOver(path: string): boolean {
    const taken = this.#namesOf(path).find((each) => entryAt(each));
    if (taken === undefined) return false;
    if (this.#pattern.numbered) return true;
    throw new ImggenError('output', `${taken} exists`, { hint: 'use --overwrite, --skip-existing, or another name' });
  }

  /**
   * Whether the file that the user wants of an image exists. Throws ImggenError `output` when only its original does,
   * which was paid for; and for a link to nothing, under which no image can be saved.
   */
  #isDone(path: string): boolean {
    const { renditions } = this.naming;
    const wanted = this.#namesOf(path)[0] as string;
    const isExact = typeof renditions?.extension === 'string';
    if (isExact ? existsSync(wanted) : inSomeFormat(wanted) !== undefined) return true;
    if (entryAt(wanted)) throw new ImggenError('output', `${wanted} is a link to nothing`, { hint: 'remove the link' });
    const original = renditions && inSomeFormat(path);
    if (original === undefined) return false;
    throw new ImggenError('output', `${original} exists, and ${wanted}, which is made from it, does not`, {
      hint: 'imggen resume makes it after an interruption; else move the original away, or use --overwrite',
    });
  }

  /** The names that must be free for an image: that of its rendition, its own, and that of its sidecar. */
  #namesOf(path: string): string[] {
    const { renditions, sidecar } = this.naming;
    const wanted = renditions ? renditionPath(path, renditions.extension) : path;
    return [...new Set([wanted, path, ...(sidecar ? [`${wanted}.json`] : [])])];
  }

  /** The stamps of the files under the planned names. */
  #standing(): Record<string, string> {
    const paths = this.naming.targets.flatMap(({ path }) => this.#namesOf(path));
    return Object.fromEntries(
      paths.flatMap((path) => {
        const stamp = stampOf(path);
        return stamp === undefined ? [] : [[path, stamp]];
      }),
    );
  }

  #path(i: number, extension: string): string {
    return join(this.naming.directory, `${this.#pattern.name(i)}${this.#mark}.${extension}`);
  }

  get #mark(): string {
    return this.naming.renditions ? originalMark : '';
  }
}

/** The file, link or directory under a name: of a link the link itself. Undefined when the name is free or invalid. */
function entryAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Differs as soon as a file was replaced or written to; undefined when there is none. */
function stampOf(path: string): string | undefined {
  const entry = entryAt(path);
  return entry && `${entry.mtimeMs} ${entry.size}`;
}
