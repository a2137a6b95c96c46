import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import { usageError } from '../errors.ts';
import type { ImageFormat } from '../images/types.ts';
import { formatOfExtension } from './extensions.ts';
import { characterProblem } from './template.ts';

/** Where the images go: stdout, or files below a directory. */
export type Destination =
  | { kind: 'stdout' }
  | {
      kind: 'files';
      directory: string;
      /** Of `--name`, without its extension. */
      template: string | undefined;
      /** The file name of `--out`, without its extension. */
      stem: string | undefined;
      /** As it is written in one of the two. */
      extension: string | undefined;
    };

/** The formats that a name can ask for. */
type NamedFormat = Exclude<ImageFormat, 'gif'>;

interface NamedFile {
  stem: string;
  extension: string;
}

/** Extensions that stand for an image that no model makes. */
const foreign = /\.(gif|avif|bmp|tiff?|svg|heic|heif|jxl|ico)$/i;
const avif = /\.avif$/i;
const named = /^(.*[^/])\.(png|jpe?g|webp|avif)$/is;
const nameless = /(^|\/)\.(png|jpe?g|webp|avif)$/i;
/** Names of open streams, which look like files when they are redirected to one. */
const streams = /^\/(dev\/(stdout|stderr|null|fd\/\d+)|proc\/(self|\d+)\/fd\/\d+)$/;

/**
 * Reads `--out` and `--name`: `-` is stdout, a name with an image extension is a file, anything else a directory. `~`
 * is the home directory: a config file has no shell that expands it.
 *
 * Throws ImggenError `usage` for a path that cannot be written or is ambiguous, for an extension that no model makes,
 * and for two names at once.
 *
 * @param converted whether the images are converted, so that the extension may be one that no model makes
 */
export function destination(out: string, template: string | undefined, converted = false): Destination {
  if (out === '-') {
    if (template !== undefined) throw usageError('--name does not go with -o -, which writes no file');
    return { kind: 'stdout' };
  }
  const path = expandHome(out);
  const file = fileAt(path, out, converted);
  if (file) {
    if (template !== undefined) throw usageError(`-o ${out} names a file, and --name names it too`, 'give one of them');
    return { kind: 'files', directory: dirname(path), template, stem: basename(file.stem), extension: file.extension };
  }
  const inTemplate = template === undefined ? undefined : splitExtension(template, `--name ${template}`, converted);
  return {
    kind: 'files',
    directory: path,
    template: inTemplate?.stem ?? template,
    stem: undefined,
    extension: inTemplate?.extension,
  };
}

/** Whether `--out` alone says where an image goes: to a file, or to stdout. Throws like destination(). */
export function namesFile(out: string, converted: boolean): boolean {
  return out === '-' || formatOfDestination(destination(out, undefined, converted)) !== undefined;
}

/** The format that a destination's extension stands for, if it names one. */
export function formatOfDestination(to: Destination): NamedFormat | undefined {
  return to.kind === 'files' && to.extension ? (formatOfExtension(to.extension) as NamedFormat) : undefined;
}

function expandHome(out: string): string {
  const user = /^~([^/]*)(\/|$)/.exec(out);
  if (!user) return out;
  if (user[1] === '' && homedir() !== '') return join(homedir(), out.slice(1));
  // A lone `~cat` is a name like any other.
  if (user[1] !== '' && !out.includes('/')) return out;
  throw usageError(`-o ${out}: that home directory is not known`, `write the whole path, or ./${out}`);
}

/** The file that a path names; undefined for a directory. */
function fileAt(path: string, out: string, converted: boolean): NamedFile | undefined {
  const problem = characterProblem(out);
  if (problem !== undefined) throw usageError(`-o ${out} ${problem}`);
  const kind = kindOf(path);
  if (kind === 'device' || streams.test(path)) {
    throw usageError(`-o ${out} is no place for a file`, '-o - writes one image to stdout');
  }
  if (path.endsWith('/') || kind === 'directory') return undefined;
  const file = splitExtension(path, `-o ${out}`, converted);
  if (file || kind === 'file' || extname(path) === '') return file;
  throw usageError(
    `-o ${out} is neither a directory nor the name of an image`,
    `${out}/ is a directory, an image ends in .png, .jpg, .jpeg or .webp`,
  );
}

/** What stands under a path. What cannot be looked at, as below a file, fails when it is written. */
function kindOf(path: string): 'nothing' | 'file' | 'directory' | 'device' {
  try {
    const about = statSync(path, { throwIfNoEntry: false });
    if (about === undefined) return 'nothing';
    if (about.isDirectory()) return 'directory';
    return about.isFile() ? 'file' : 'device';
  } catch {
    return 'file';
  }
}

function splitExtension(name: string, label: string, converted: boolean): NamedFile | undefined {
  if (nameless.test(name)) throw usageError(`${label} has no name before the extension`);
  if (foreign.test(name) && !(converted && avif.test(name))) {
    const wayOut = avif.test(name) ? 'add --convert avif' : 'use .png, .jpg, .jpeg or .webp';
    throw usageError(`${label}: no model makes that format`, wayOut);
  }
  const [, stem, extension] = named.exec(name) ?? [];
  return stem === undefined || extension === undefined ? undefined : { stem, extension };
}
