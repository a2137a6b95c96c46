import { usageError } from '../errors.ts';
import { originalMark } from './extensions.ts';
import { slug } from './slug.ts';

/** What a name template may hold. `i` is the image's number, from 1. */
export const fieldNames = ['slug', 'i', 'n', 'model', 'size', 'format', 'date', 'time', 'id'] as const;
type FieldName = (typeof fieldNames)[number];

/** The values of a template's fields but `i`, which counts. `slug` is made from the prompt. */
export interface NameFields {
  prompt: string;
  n: number;
  model: string;
  size: string;
  format: string;
  /** ISO 8601. */
  at: string;
  id: string;
}

export const defaultTemplate = '{slug}-{i}';

/** Most file systems' longest name, in bytes, less what may be added: number, extension, `.json`, temporary mark. */
const segmentLimit = 200;
/** The same for a name that the user gave as a whole; numbers then have few digits. */
const stemLimit = 240;

/** A file name without its extension, made anew for each number. */
export interface NamePattern {
  /** Whether the names differ by number. */
  numbered: boolean;
  /** The path below the target directory, with `/` between its parts. */
  name(i: number): string;
}

/**
 * Reads a `--name` template. A `/` makes directories. A template without `{i}` gets `-{i}` at its end when there is
 * more than one image. Throws ImggenError `usage` for an unknown field, and for a name that leaves the directory, is
 * empty or too long, or has a character that some file system or terminal does not take.
 */
export function namePattern(template: string, fields: NameFields): NamePattern {
  const own = template.includes('{i}');
  const numbered = own || fields.n > 1;
  const full = own || fields.n === 1 ? template : `${template}-{i}`;
  const values: Record<FieldName, string> = {
    slug: slug(fields.prompt),
    i: '',
    n: String(fields.n),
    model: safe(fields.model),
    size: safe(fields.size),
    format: safe(fields.format),
    date: fields.at.slice(0, 10),
    time: fields.at.slice(11, 19).replaceAll(':', ''),
    id: fields.id,
  };
  const name = (i: number) => fill(full, { ...values, i: String(i) });
  checkPath(name(1), template);
  return { numbered, name };
}

/**
 * A name that is given, not made: `-o cat.png`. More than one image makes it `cat-1`, `cat-2`.
 * Throws ImggenError `usage` for one that is longer than file systems take.
 *
 * @param isMarked whether the original of the image has the longer name
 */
export function exactPattern(stem: string, n: number, isMarked: boolean): NamePattern {
  const limit = isMarked ? stemLimit - originalMark.length : stemLimit;
  if (Buffer.byteLength(stem) > limit) throw usageError(`the file name of -o has more than ${limit} bytes`);
  return { numbered: n > 1, name: (i) => (n > 1 ? `${stem}-${i}` : stem) };
}

function fill(template: string, values: Record<FieldName, string>): string {
  return template.replace(/\{([^{}]*)\}/g, (_match, name: string) => {
    if (Object.hasOwn(values, name)) return values[name as FieldName];
    const known = fieldNames.map((each) => `{${each}}`).join(' ');
    throw usageError(`--name ${template} has an unknown field {${name}}`, known);
  });
}

/**
 * Why a path is refused for its characters alone: control characters would reach terminals and scripts that read stdout,
 * NUL ends a name, and half of a surrogate pair is written as another character. Undefined for a good path.
 */
export function characterProblem(path: string): string | undefined {
  if (/[\0-\x1f\x7f-\x9f]/.test(path)) return 'has a control character';
  return path.isWellFormed() ? undefined : 'is not valid Unicode';
}

/** A value from outside cannot make a directory or a strange name. */
function safe(value: string): string {
  return value.replace(/[^\p{L}\p{M}\p{N}._-]+/gu, '-').replace(/^[.-]+/, '') || 'x';
}

function checkPath(path: string, template: string): void {
  const wrong = (why: string) =>
    usageError(`--name ${template} ${why}`, 'a relative path below --out, such as {date}/{slug}-{i}');
  const problem = characterProblem(path);
  if (problem !== undefined) throw wrong(problem);
  if (/[\\:*?"<>|]/.test(path)) throw wrong('has a character that file names do not have everywhere');
  for (const segment of path.split('/')) {
    if (segment === '') throw wrong('has an empty part');
    if (segment === '.' || segment === '..') throw wrong('leaves the directory of --out');
    if (segment.endsWith('.') || segment.endsWith(' ')) throw wrong('has a part that ends in a dot or a blank');
    if (Buffer.byteLength(segment) > segmentLimit) throw wrong(`has a part of more than ${segmentLimit} bytes`);
  }
}
