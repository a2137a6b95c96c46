import { randomBytes } from 'node:crypto';
import { ImggenError, usageError } from '../errors.ts';
import { type Destination, destination, formatOfDestination, namesFile } from '../files/destination.ts';
import { type Collision, TargetNames } from '../files/target.ts';
import { idTime } from '../journal/store.ts';
import type { Resolved } from '../options/resolve.ts';
import type { Key } from '../options/settings.ts';
import type { Format } from '../request/fields.ts';
import type { ImageRequest, Json, RequestDraft } from '../request/types.ts';
import { checkRequest, type Problem, type RequestField } from '../request/validate.ts';
import { gateway } from '../dialects/gateway.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { checkRendition, renditionOf, type RenditionSpec } from '../renditions/spec.ts';

/** What one run was asked to do, besides its settings. */
export interface Job {
  prompt: string;
  /** `--param`, by the API's field names. */
  extra: Record<string, Json>;
  collision: Collision;
}

/** Everything that is known before anything is sent. */
export interface Plan {
  /** The run's id: sortable by time, and part of the names of its temporary files. */
  id: string;
  at: Date;
  dialect: Dialect;
  request: ImageRequest;
  /** What the request says, under the API's names. */
  fields: Record<string, Json>;
  /** The format that the files are expected to have. */
  format: Format;
  /** The files' names; undefined for stdout. With --skip-existing only those that are missing. */
  names: TargetNames | undefined;
  /** What is made of each image; null when the images are saved as they come. */
  rendition: RenditionSpec | null;
}

/** A request that the model does not take. Its message is the first problem; a batch tells them all. */
export class InvalidRequest extends ImggenError {
  readonly problems: readonly Problem[];
  constructor({ message, hint }: Problem, problems: readonly Problem[]) {
    super('usage', message, { hint });
    this.problems = problems;
  }
}

/**
 * Checks the whole of a job and plans its files. Pure but for looking which files exist.
 * Throws ImggenError `usage`, or `output` for a name that is taken.
 */
export function planRun(job: Job, settings: Resolved): Plan {
  const { values, origins, label } = settings;
  const at = new Date();
  const id = newId(at);
  const { to, rendition } = placeOf(settings);
  // A converted image comes in the format that the API makes best; the name is that of its rendition.
  const named = rendition?.convert ? undefined : (formatOfDestination(to) as Format | undefined);
  // A name on the command line outranks a format from the environment or the config file.
  const outranked = named !== undefined && origins.format !== 'flag';
  const format = chosenFormat(named, outranked ? undefined : values.format, values.out, values.name);
  const { request, problems } = checkRequest(draftOf(job, values, format), (field) =>
    field === 'format' && format === named ? `-o ${values.out}: the format` : label(settingOf(field)),
  );
  const [problem] = problems;
  if (problem) throw new InvalidRequest(problem, problems);
  if (to.kind === 'stdout' && origins.count !== 'flag') request.n = 1;
  if (to.kind === 'stdout' && request.n > 1) throw usageError('-o - takes one image, and --count asks for more');

  const expected = request.format ?? 'png';
  if (rendition) checkRendition(rendition, expected);
  let names: TargetNames | undefined;
  if (to.kind === 'files') {
    const { prompt, n, model, size } = request;
    const fields = { prompt, n, model, size, format: rendition?.convert ?? expected, at: at.toISOString(), id };
    const made = rendition ? { original: expected, convert: rendition.convert } : undefined;
    names = TargetNames.plan(to, fields, job.collision, values.sidecar, made);
    request.n = names.naming.targets.length;
  }
  return { id, at, dialect: gateway, request, fields: gateway.fields(request), format: expected, names, rendition };
}

/** The plan for some of its images: `positions` from 0. */
export function planPart(plan: Plan, positions: readonly number[]): Plan {
  const request = { ...plan.request, n: positions.length };
  return { ...plan, request, fields: plan.dialect.fields(request), names: plan.names?.only(positions) };
}

function newId(at: Date): string {
  return `${idTime(at)}-${randomBytes(4).toString('hex')}`;
}

/** Where the images go, and what is made of them. The name of a file and its format must agree. */
function placeOf({ values, origins }: Resolved): { to: Destination; rendition: RenditionSpec | null } {
  const { out, convert } = values;
  const isConverted = convert !== undefined;
  // A typed file name outranks a template from the environment or the config file.
  const template =
    values.name !== undefined && origins.out === 'flag' && origins.name !== 'flag' && namesFile(out, isConverted)
      ? undefined
      : values.name;
  const to = destination(out, template, isConverted);
  const named = formatOfDestination(to);
  if (!isConverted || named === undefined || named === convert) return { to, rendition: renditionOf(values) };
  // As a name does a format, it outranks a conversion from the environment or the config file.
  if (origins.convert !== 'flag')
    return { to: destination(out, template), rendition: renditionOf({ ...values, convert: undefined }) };
  const where = template === undefined ? `-o ${out}` : `--name ${template}`;
  throw usageError(`--convert ${convert} and ${where} do not agree`, 'the name is that of the converted image');
}

/** The format that is asked for: the flag's, or that of the name's extension. Both must agree. */
function chosenFormat(
  named: Format | undefined,
  asked: Format | undefined,
  out: string,
  template: string | undefined,
): Format | undefined {
  if (asked !== undefined && named !== undefined && asked !== named) {
    const where = template === undefined ? `-o ${out}` : `--name ${template}`;
    throw usageError(`--format ${asked} and ${where} do not agree`, 'leave --format out: the extension decides');
  }
  return asked ?? named;
}

function draftOf({ prompt, extra }: Job, values: Resolved['values'], format: Format | undefined): RequestDraft {
  const { model, count, size, quality, background, moderation, style, responseFormat, user, compression, stream } =
    values;
  const given = {
    n: count,
    size,
    format,
    quality,
    background,
    moderation,
    style,
    responseFormat,
    user,
    compression,
    stream,
  };
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...set, prompt, model, extra };
}

/** The setting that a field of the request comes from; the prompt comes from none. */
export function settingOf(field: RequestField): Key {
  if (field === 'n') return 'count';
  if (field === 'prompt') throw new ImggenError('bug', 'the prompt is no setting');
  return field;
}
