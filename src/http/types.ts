import type { RequestBody } from './exchange.ts';

/** An answer. Its body can be read once. */
export interface Answer {
  status: number;
  /** Where it comes from, redirects followed. */
  url: string;
  /** By lower-case name; the values of repeated headers are joined by a comma. */
  headers: Readonly<Record<string, string>>;
  body: AsyncIterable<Uint8Array>;
  /** Ends the exchange without the body. */
  abandon: () => void;
}

/** One step of an exchange. Headers and body may hold secrets: redact them before they are shown. */
export type Trace =
  | { kind: 'request'; method: string; url: string; headers: Readonly<Record<string, string>>; body?: RequestBody }
  | { kind: 'response'; method: string; url: string; status: number; headers: Readonly<Record<string, string>> }
  | { kind: 'retry'; url: string; reason: string; waitMs: number };
