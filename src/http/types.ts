import type { RequestBody } from './exchange.ts';

/** An answer as it comes off the wire; the body is read once, by whoever wants it. */
export interface Answer {
  status: number;
  /** Where it comes from, redirects followed. */
  url: string;
  /** By lower-case name; of repeated headers the values joined by a comma. */
  headers: Readonly<Record<string, string>>;
  body: AsyncIterable<Uint8Array>;
  /** Ends the exchange, for who does not want the body. */
  abandon: () => void;
}

/** One step of an HTTP exchange. Headers and body may hold secrets: whoever shows them shortens them. */
export type Trace =
  | { kind: 'request'; method: string; url: string; headers: Readonly<Record<string, string>>; body?: RequestBody }
  | { kind: 'response'; method: string; url: string; status: number; headers: Readonly<Record<string, string>> }
  | { kind: 'retry'; url: string; reason: string; waitMs: number };
