import type { ImggenError } from '../errors.ts';
import type { Answered, Asked, Run } from '../journal/types.ts';
import type { ImageFacts, SavedImage } from '../images/types.ts';

/** One image that is not. */
export interface FailedImage {
  /** From 1, in the order of the answer. */
  index: number;
  reason: string;
  /** Whether it was the writing that failed; the bytes are kept then. */
  output?: boolean;
  /** Where the image is saved, when it is its conversion that failed. */
  original?: string;
}

/** What became of a run. */
export interface Report {
  run: Run;
  /** Those that this process saved. */
  images: SavedImage[];
  failed: FailedImage[];
  /** Why it ended before it had done what it could. */
  interrupted: ImggenError | undefined;
  elapsedMs: number;
}

/** Why an image failed, in one line. */
export function reasonOf({ message, reason, hint }: ImggenError): string {
  return [message, reason, hint].filter(Boolean).join(': ');
}

/** `the image is not saved`, `1 of 3 images is not saved`. */
export function imagesAre(count: number, n: number, state: string): string {
  return n === 1 ? `the image is ${state}` : `${count} of ${n} images ${count === 1 ? 'is' : 'are'} ${state}`;
}

/** The document of `--json`. */
export function reportDocument({
  run: { asked, answered },
  images,
  failed,
  elapsedMs,
}: Report): Record<string, unknown> {
  return {
    run: asked.run,
    request_id: answered?.requestId ?? null,
    task_id: answered?.taskId ?? null,
    task_status: answered?.taskStatus ?? null,
    model: asked.model,
    prompt: asked.prompt,
    params: asked.params,
    images: images.map((image) => ({ path: image.path, ...factsOf(image), original: image.original })),
    failed: failed.map(({ index, reason, original }) => ({ index, reason, original })),
    usage: answered?.usage ?? null,
    expires: answered?.expires ?? null,
    elapsed_ms: Math.round(elapsedMs),
  };
}

export type SidecarDocument = ReturnType<typeof sidecarDocument>;

/** The document of one image's sidecar: how it was made, and how to tell that it is unchanged. */
export function sidecarDocument(asked: Asked, answered: Answered, index: number, facts: ImageFacts) {
  return {
    run: asked.run,
    created: asked.at,
    prompt: asked.prompt,
    model: asked.model,
    params: asked.params,
    request_id: answered.requestId,
    task_id: answered.taskId,
    index,
    usage: answered.usage,
    ...factsOf(facts),
  };
}

/** The facts alone, in the order of the documents. */
function factsOf({ bytes, sha256, format, width, height }: ImageFacts): ImageFacts {
  return { bytes, sha256, format, width, height };
}
