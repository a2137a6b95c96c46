import { choices, type OptionalField } from './fields.ts';
import { limitsOf } from './models.ts';
import type { ImageRequest, RequestDraft } from './types.ts';

export type RequestField = Exclude<keyof ImageRequest, 'extra'>;

export interface Problem {
  field: RequestField;
  message: string;
  hint?: string;
}

/** The values that mean the same as leaving the field out: a model without the field takes them. */
const neutral: Readonly<Partial<Record<OptionalField, unknown>>> = { stream: false, compression: 100, format: 'png' };

/**
 * Fills the fields that the API requires (n, size, stream, compression) and checks all of them against the model's row
 * of the table. Returns every problem; a request without problems may be sent.
 *
 * @param label the name under which the user gave a field: `--size`, `IMGGEN_SIZE`, …
 */
export function checkRequest(
  draft: RequestDraft,
  label: (field: RequestField) => string,
): { request: ImageRequest; problems: Problem[] } {
  const { model, prompt, n = 1, stream = false, compression = 100, format, background, extra } = draft;
  const { promptLimit, maxCount, sizes, defaultSize, aliases, takes } = limitsOf(model);
  const given = draft.size ?? defaultSize;
  const size = Object.hasOwn(aliases, given) ? (aliases[given] as string) : given;
  const problems: Problem[] = [];
  const refuse = (field: RequestField, message: string, hint?: string) =>
    problems.push({ field, message, ...(hint && { hint }) });

  const length = codePoints(prompt);
  if (prompt.trim() === '') refuse('prompt', 'the prompt is empty');
  else if (!prompt.isWellFormed()) refuse('prompt', 'the prompt is not valid Unicode');
  else if (length > promptLimit)
    refuse('prompt', `the prompt has ${length} characters`, `${model} takes at most ${promptLimit}`);
  if (n > maxCount) refuse('n', `${label('n')} ${n} is more than ${model} makes at once`, `at most ${maxCount}`);
  if (!sizes.includes(size) && extra.size === undefined)
    refuse('size', `${label('size')} ${size} is not a size of ${model}`, `one of: ${sizes.join(', ')}`);
  for (const field of Object.keys(choices) as OptionalField[]) {
    const value = draft[field];
    const accepted = takes[field];
    if (value === undefined || (accepted === undefined && value === neutral[field])) continue;
    if (accepted?.length === 0 || accepted?.includes(String(value))) continue;
    const hint = accepted ? `one of: ${accepted.join(', ')}` : 'leave it out, or choose another model: imggen models';
    refuse(field, `${label(field)}${value === true ? '' : ` ${value}`} is not taken by ${model}`, hint);
  }
  if (background === 'transparent' && format === 'jpeg')
    refuse(
      'background',
      `${label('background')} transparent does not go with jpeg, which has no transparency`,
      'use --format png or webp',
    );
  if (compression < 100 && (format === undefined || format === 'png'))
    refuse(
      'compression',
      `${label('compression')} ${compression} does not go with png, which is never compressed with loss`,
      'use --format jpeg or webp',
    );

  const request = { ...draft, n, size, stream, compression };
  // A model without the field makes png.
  if (!takes.format) delete request.format;
  return { request, problems };
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
