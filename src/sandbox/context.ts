import type { FaultCounts, FaultPlan } from './faults.ts';
import type { Paint } from './picture.ts';
import type { Recipe } from './scene.ts';

/** How an answer carries its images. `url` is the documented way; the others are seen in the wild. */
export const answerShapes = ['url', 'data-uri', 'b64_json', 'openai-url'] as const;
export type AnswerShape = (typeof answerShapes)[number];

/** The counts since the sandbox started: the answer of `GET /sandbox/stats`. */
export interface SandboxStats {
  /** Requests to generate, answered or not. */
  requests: number;
  /** What a real API would take money for; counted when the sandbox commits to generate. */
  charged: { generations: number; images: number };
  /** Requests that a check or a fault refused; never charged. */
  rejected: number;
  /** GETs of an image, partial ones included. */
  downloads: number;
  faults: FaultCounts;
}

/** An image behind a URL. Its bytes are drawn when a client asks for them. */
interface Published {
  recipe: Recipe;
  /** When the URL stops working, in milliseconds since 1970. */
  expires: number;
}

/** A task whose first answer was "pending". */
interface Task {
  /** When it is over, in milliseconds since 1970. */
  ready: number;
  /** The `data` of the answer from then on. */
  data: Record<string, unknown>;
}

/** What the routes of one running sandbox share. */
export interface Context {
  /** `http://host:port` */
  origin: string;
  answer: AnswerShape;
  /** Before each answer to a generation, in milliseconds. */
  latency: number;
  /** How long URLs work, in milliseconds. */
  lifetime: number;
  faults: FaultPlan;
  stats: SandboxStats;
  /** By the last part of the URL's path. */
  images: Map<string, Published>;
  tasks: Map<string, Task>;
  paint: Paint;
}

/** Keeps a value under a name for some milliseconds, so that a sandbox that runs for days does not grow. */
export function keep<Value>(map: Map<string, Value>, name: string, value: Value, milliseconds: number): void {
  map.set(name, value);
  setTimeout(() => map.delete(name), milliseconds).unref();
}
