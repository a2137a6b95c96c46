import { type Model, modelOf, type OptionalField, optionalFields } from './models.ts';
import type { ImageRequest, RequestDraft } from './types.ts';

export type RequestField = Exclude<keyof ImageRequest, 'extra'>;

export interface Problem {
  field: RequestField;
  message: string;
  hint?: string;
}

/** The name under which the user gave a field: `--size`, `IMGGEN_SIZE`, … */
export type Label = (field: RequestField) => string;

/**
 * Fills the fields that the API requires (n, size, stream, compression) and checks all of them against the model's row
 * of the table. Returns every problem; a request without problems may be sent.
 */
export function checkRequest(draft: RequestDraft, label: Label): { request: ImageRequest; problems: Problem[] } {
  const model = modelOf(draft.model);
  const size = draft.size === undefined ? model.defaultSize : aliasOf(model, draft.size);
  const request: ImageRequest = {
    ...draft,
    n: draft.n ?? 1,
    size,
    stream: draft.stream ?? false,
    compression: draft.compression ?? 100,
  };
  // A model without the field makes png.
  if (!model.takes.format) delete request.format;
  const problems = [
    ...checkPrompt(request, model),
    ...checkCount(request, model, label),
    ...checkSize(request, model, label),
    ...checkOptional(draft, model, label),
    ...checkTogether(draft, label),
  ];
  return { request, problems };
}

function aliasOf({ aliases }: Model, size: string): string {
  return Object.hasOwn(aliases, size) ? (aliases[size] as string) : size;
}

function checkPrompt({ prompt, model }: ImageRequest, { promptLimit }: Model): Problem[] {
  if (prompt.trim() === '') return [{ field: 'prompt', message: 'the prompt is empty' }];
  if (!prompt.isWellFormed()) return [{ field: 'prompt', message: 'the prompt is not valid Unicode' }];
  const length = codePoints(prompt);
  if (length <= promptLimit) return [];
  return [
    {
      field: 'prompt',
      message: `the prompt has ${length} characters`,
      hint: `${model} takes at most ${promptLimit}`,
    },
  ];
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function checkCount({ n, model }: ImageRequest, { maxCount }: Model, label: Label): Problem[] {
  if (n <= maxCount) return [];
  return [
    {
      field: 'n',
      message: `${label('n')} ${n} is more than ${model} makes at once`,
      hint: `at most ${maxCount}`,
    },
  ];
}

function checkSize({ size, model, extra }: ImageRequest, { sizes }: Model, label: Label): Problem[] {
  if (sizes.includes(size) || extra.size !== undefined) return [];
  return [
    {
      field: 'size',
      message: `${label('size')} ${size} is not a size of ${model}`,
      hint: `one of: ${sizes.join(', ')}`,
    },
  ];
}

/** The values that mean the same as leaving the field out: a model without the field takes them. */
const neutral: Readonly<Partial<Record<OptionalField, unknown>>> = { stream: false, compression: 100, format: 'png' };

function checkOptional(draft: RequestDraft, { takes }: Model, label: Label): Problem[] {
  const problems: Problem[] = [];
  for (const field of optionalFields) {
    const value = draft[field];
    const accepted = takes[field];
    if (value === undefined) continue;
    if (accepted === undefined) {
      if (value === neutral[field]) continue;
      const shown = value === true ? '' : ` ${value}`;
      problems.push({
        field,
        message: `${label(field)}${shown} is not taken by ${draft.model}`,
        hint: `leave it out, or choose another model: imggen models`,
      });
    } else if (accepted.length > 0 && !accepted.includes(String(value))) {
      problems.push({
        field,
        message: `${label(field)} ${value} is not taken by ${draft.model}`,
        hint: `one of: ${accepted.join(', ')}`,
      });
    }
  }
  return problems;
}

function checkTogether({ background, format, compression }: RequestDraft, label: Label): Problem[] {
  const problems: Problem[] = [];
  if (background === 'transparent' && format === 'jpeg') {
    problems.push({
      field: 'background',
      message: `${label('background')} transparent does not go with jpeg, which has no transparency`,
      hint: 'use --format png or webp',
    });
  }
  if (compression !== undefined && compression < 100 && (format === undefined || format === 'png')) {
    problems.push({
      field: 'compression',
      message: `${label('compression')} ${compression} does not go with png, which is never compressed with loss`,
      hint: 'use --format jpeg or webp',
    });
  }
  return problems;
}
