import type { FaultCounts } from './faults.ts';

/** What the sandbox did since it started: the answer of `GET /sandbox/stats`. */
export interface SandboxStats {
  /** Requests to generate, whatever became of them. */
  requests: number;
  /** What a real gateway would have taken money for; counted when the sandbox commits to generate. */
  charged: { generations: number; images: number };
  /** Requests that were refused, by a check or by a fault; never charged. */
  rejected: number;
  /** GETs of an image, parts included. */
  downloads: number;
  faults: FaultCounts;
}

/** All counts at zero. */
export function newStats(): SandboxStats {
  return { requests: 0, charged: { generations: 0, images: 0 }, rejected: 0, downloads: 0, faults: {} };
}
