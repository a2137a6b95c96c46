import type { FaultPlan } from './faults.ts';
import type { Library } from './library.ts';
import type { Paint } from './painter.ts';
import type { Shelf } from './shelf.ts';
import type { SandboxStats } from './stats.ts';

/** How an answer carries its images (NOTES, "an image arrives as"). `url` is the documented one. */
export const answerShapes = ['url', 'data-uri', 'b64_json', 'openai-url'] as const;
export type AnswerShape = (typeof answerShapes)[number];

/** A task that was answered as pending. */
interface Task {
  /** When it is over, in milliseconds since 1970. */
  ready: number;
  /** The `data` of the answer from then on. */
  data: Record<string, unknown>;
}

/** What one running sandbox is made of; its routes share it. */
export interface Context {
  answer: AnswerShape;
  /** Before each answer to a generation, in milliseconds. */
  latency: number;
  /** How long URLs work, in milliseconds. */
  lifetime: number;
  faults: FaultPlan;
  stats: SandboxStats;
  library: Library;
  tasks: Shelf<Task>;
  paint: Paint;
}
