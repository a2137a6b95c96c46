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
import { type Model, modelOf, type OptionalField } from '../request/models.ts';
import { gatewayRefusal, type Refusal } from './refusal.ts';

/** A request that passed every check, in the terms of what is to be drawn. */
export interface CheckedRequest {
  prompt: string;
  n: number;
  width: number;
  height: number;
  format: Format;
  transparent: boolean;
  /** Percent, 0 to 100. */
  compression: number;
  stream: boolean;
  /** Whether `response_format` asks for base64. */
  base64: boolean;
}

interface FieldRule {
  type: 'string' | 'boolean' | 'integer';
  /** Marked with a star in the document. */
  required?: true;
  values?: readonly string[];
  range?: { min: number; max: number };
  /** The row of the model table that says which models take the field; without it all do. */
  option?: OptionalField;
}

/** The document's "Request Body", under its own field names. */
const rules: Readonly<Record<string, FieldRule>> = {
  prompt: { type: 'string', required: true },
  n: { type: 'integer', required: true, range: countRange },
  size: { type: 'string', required: true, values: sizes },
  stream: { type: 'boolean', required: true },
  output_compression: { type: 'integer', required: true, range: compressionRange },
  model: { type: 'string', required: true },
  background: { type: 'string', values: backgrounds, option: 'background' },
  moderation: { type: 'string', values: moderations, option: 'moderation' },
  output_format: { type: 'string', values: formats, option: 'format' },
  // The quality, under the name that the document prints for it (NOTES).
  partial_images: { type: 'string', values: qualities, option: 'quality' },
  response_format: { type: 'string', values: responseFormats, option: 'responseFormat' },
  style: { type: 'string', values: styles, option: 'style' },
  user: { type: 'string', option: 'user' },
};

/** The body once every field has the type that its rule names. */
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

/**
 * Checks the body of a generation as strictly as the document and the model table let it.
 * @throws {Refusal} naming the field, the value and what is allowed
 */
export function checkRequest(text: string): CheckedRequest {
  const fields = parseObject(text);
  for (const name of Object.keys(fields)) {
    if (!Object.hasOwn(rules, name)) {
      throw gatewayRefusal('unknownField', `unknown field ${show(name)}; known are ${Object.keys(rules).join(', ')}`);
    }
  }
  for (const [name, rule] of Object.entries(rules)) checkField(name, fields[name], rule);

  const request = fields as unknown as WireRequest;
  checkTexts(request);
  checkModel(request, fields, modelOf(request.model));
  checkFormat(request);

  const [width = 1024, height = 1024] = request.size === 'auto' ? [] : request.size.split('x').map(Number);
  return {
    prompt: request.prompt,
    n: request.n,
    width,
    height,
    format: request.output_format ?? 'png',
    transparent: request.background === 'transparent',
    compression: request.output_compression,
    stream: request.stream,
    base64: request.response_format === 'b64_json',
  };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw gatewayRefusal('malformed', 'the body is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw gatewayRefusal('malformed', 'the body is not a JSON object');
  }
  return value as Record<string, unknown>;
}

function checkField(name: string, value: unknown, rule: FieldRule): void {
  if (value === undefined) {
    if (rule.required) throw gatewayRefusal('missingField', `${name} is required`);
    return;
  }
  const typed = rule.type === 'integer' ? Number.isInteger(value) : typeof value === rule.type;
  if (!typed) throw gatewayRefusal('badValue', `${name} must be of type ${rule.type}, not ${show(value)}`);
  if (rule.values && !rule.values.includes(value as string)) {
    throw gatewayRefusal('badValue', `${name} cannot be ${show(value)}; allowed are ${rule.values.join(', ')}`);
  }
  if (rule.range && typeof value === 'number' && (value < rule.range.min || value > rule.range.max)) {
    throw gatewayRefusal('badValue', `${name} must be between ${rule.range.min} and ${rule.range.max}, not ${value}`);
  }
}

function checkTexts({ prompt, model }: WireRequest): void {
  if (prompt.trim() === '') throw gatewayRefusal('badValue', 'prompt is empty');
  if (model.trim() === '') throw gatewayRefusal('badValue', 'model is empty');
  if (/\p{Surrogate}/u.test(prompt)) throw gatewayRefusal('badValue', 'prompt is not valid Unicode');
}

/** The per-model limits, from the model table. */
function checkModel(request: WireRequest, fields: Record<string, unknown>, model: Model): void {
  const length = [...request.prompt].length;
  if (length > model.promptLimit) {
    throw forModel(`prompt has ${length} characters; ${request.model} takes at most ${model.promptLimit}`);
  }
  if (request.n > model.maxCount) {
    throw forModel(`n is ${request.n}; ${request.model} makes at most ${model.maxCount} at a time`);
  }
  if (!model.sizes.includes(request.size)) {
    throw forModel(`size "${request.size}" is not a size of ${request.model}; allowed are ${model.sizes.join(', ')}`);
  }
  // These two are always required, so a model that does not take them gets the value that means "no".
  if (request.stream && !model.takes.stream) throw forModel(`stream must be false for ${request.model}`);
  if (request.output_compression !== 100 && !model.takes.compression) {
    throw forModel(`output_compression must be 100 for ${request.model}, not ${request.output_compression}`);
  }
  for (const [name, { option }] of Object.entries(rules)) {
    const value = fields[name];
    if (value === undefined || option === undefined) continue;
    const accepted = model.takes[option];
    if (!accepted) throw forModel(`${name} is not supported by ${request.model}`);
    if (accepted.length > 0 && !accepted.includes(value as string)) {
      throw forModel(`${name} cannot be ${show(value)} for ${request.model}; allowed are ${accepted.join(', ')}`);
    }
  }
}

/** What does not go together: compression with png (document), transparency with jpeg (NOTES). */
function checkFormat(request: WireRequest): void {
  const format = request.output_format ?? 'png';
  if (request.output_compression !== 100 && format === 'png') {
    throw gatewayRefusal(
      'badValue',
      `output_compression ${request.output_compression} needs output_format jpeg or webp, not ${format}`,
    );
  }
  if (request.background === 'transparent' && format === 'jpeg') {
    throw gatewayRefusal('badValue', `background "transparent" needs output_format png or webp, not ${format}`);
  }
}

function forModel(message: string): Refusal {
  return gatewayRefusal('notForModel', message);
}

/** A value as it is quoted in a message: JSON, shortened. */
function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
