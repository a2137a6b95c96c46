import { choices, compressionRange, countRange, type Format, type OptionalField, sizes } from '../request/fields.ts';
import { type Limits, limitsOf } from '../request/models.ts';
import { gatewayRefusal, type Refusal } from './refusal.ts';
import type { Frame } from './scene.ts';

/** A request that passed every check. */
export interface CheckedRequest {
  prompt: string;
  n: number;
  frame: Frame;
  stream: boolean;
  /** Whether `response_format` asks for base64. */
  base64: boolean;
}

/** The body of a request: the fields that the gateway's document requires, and those that the checks below read. */
interface WireRequest {
  prompt: string;
  n: number;
  size: string;
  stream: boolean;
  output_compression: number;
  model: string;
  background?: string;
  output_format?: Format;
  response_format?: string;
}

interface FieldRule {
  type: 'string' | 'boolean' | 'integer';
  required?: true;
  values?: readonly string[];
  range?: { min: number; max: number };
  /** The field of the model table that says which models take it; without it all models do. */
  option?: OptionalField;
}

/** The request body of the gateway's document, under its own field names. */
const rules: Readonly<Record<string, FieldRule>> = {
  prompt: { type: 'string', required: true },
  n: { type: 'integer', required: true, range: countRange },
  size: { type: 'string', required: true, values: sizes },
  stream: { type: 'boolean', required: true },
  output_compression: { type: 'integer', required: true, range: compressionRange },
  model: { type: 'string', required: true },
  background: { type: 'string', values: choices.background, option: 'background' },
  moderation: { type: 'string', values: choices.moderation, option: 'moderation' },
  output_format: { type: 'string', values: choices.format, option: 'format' },
  // The quality, under the name that the gateway's document gives it.
  partial_images: { type: 'string', values: choices.quality, option: 'quality' },
  response_format: { type: 'string', values: choices.responseFormat, option: 'responseFormat' },
  style: { type: 'string', values: choices.style, option: 'style' },
  user: { type: 'string', option: 'user' },
};

/**
 * Checks the body of a generation as strictly as the gateway's document and the model table allow.
 * @throws {Refusal} naming the field, its value and the allowed ones
 */
export function checkRequest(text: string): CheckedRequest {
  const fields = parseObject(text);
  for (const name of Object.keys(fields))
    if (!Object.hasOwn(rules, name))
      throw gatewayRefusal('unknownField', `unknown field ${show(name)}; known are ${Object.keys(rules).join(', ')}`);
  for (const [name, rule] of Object.entries(rules)) checkField(name, fields[name], rule);
  const request = fields as unknown as WireRequest;
  checkTexts(request);
  checkModel(request, fields, limitsOf(request.model));
  checkFormat(request);

  const [width = 1024, height = 1024] = request.size === 'auto' ? [] : request.size.split('x').map(Number);
  const { prompt, n, stream, output_format: format = 'png', output_compression: compression } = request;
  const frame = { width, height, format, transparent: request.background === 'transparent', compression };
  return { prompt, n, frame, stream, base64: request.response_format === 'b64_json' };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw gatewayRefusal('malformed', 'the body is not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw gatewayRefusal('malformed', 'the body is not a JSON object');
}

function checkField(name: string, value: unknown, { type, required, values, range }: FieldRule): void {
  if (value === undefined && required) throw gatewayRefusal('missingField', `${name} is required`);
  if (value === undefined) return;
  const typed = type === 'integer' ? Number.isInteger(value) : typeof value === type;
  if (!typed) throw badValue(`${name} must be of type ${type}, not ${show(value)}`);
  if (values && !values.includes(value as string))
    throw badValue(`${name} cannot be ${show(value)}; allowed are ${values.join(', ')}`);
  if (range && typeof value === 'number' && (value < range.min || value > range.max))
    throw badValue(`${name} must be between ${range.min} and ${range.max}, not ${value}`);
}

function checkTexts({ prompt, model }: WireRequest): void {
  if (prompt.trim() === '') throw badValue('prompt is empty');
  if (model.trim() === '') throw badValue('model is empty');
  if (/\p{Surrogate}/u.test(prompt)) throw badValue('prompt is not valid Unicode');
}

/** The limits of the model, from the model table. */
function checkModel(request: WireRequest, fields: Record<string, unknown>, model: Limits): void {
  const { prompt, n, size, stream, output_compression: compression, model: id } = request;
  const length = [...prompt].length;
  if (length > model.promptLimit)
    throw forModel(`prompt has ${length} characters; ${id} takes at most ${model.promptLimit}`);
  if (n > model.maxCount) throw forModel(`n is ${n}; ${id} makes at most ${model.maxCount} at a time`);
  if (!model.sizes.includes(size))
    throw forModel(`size "${size}" is not a size of ${id}; allowed are ${model.sizes.join(', ')}`);
  // These two fields are always required: a model that does not take them gets the value that means "no".
  if (stream && !model.takes.stream) throw forModel(`stream must be false for ${id}`);
  if (compression !== 100 && !model.takes.compression)
    throw forModel(`output_compression must be 100 for ${id}, not ${compression}`);
  for (const [name, { option }] of Object.entries(rules)) {
    const value = fields[name];
    if (value === undefined || option === undefined) continue;
    const accepted = model.takes[option];
    if (!accepted) throw forModel(`${name} is not supported by ${id}`);
    if (accepted.length > 0 && !accepted.includes(value as string))
      throw forModel(`${name} cannot be ${show(value)} for ${id}; allowed are ${accepted.join(', ')}`);
  }
}

/** Values that exclude each other: compression and png, transparency and jpeg. */
function checkFormat({ output_format: format = 'png', output_compression: percent, background }: WireRequest): void {
  if (percent !== 100 && format === 'png')
    throw badValue(`output_compression ${percent} needs output_format jpeg or webp, not ${format}`);
  if (background === 'transparent' && format === 'jpeg')
    throw badValue(`background "transparent" needs output_format png or webp, not ${format}`);
}

function badValue(message: string): Refusal {
  return gatewayRefusal('badValue', message);
}

function forModel(message: string): Refusal {
  return gatewayRefusal('notForModel', message);
}

/** A value for a message: JSON, shortened. */
function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
