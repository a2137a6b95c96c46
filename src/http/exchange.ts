import type { Readable } from 'node:stream';

/** How long a connection may take to stand, TLS included. */
export const connectTimeoutMs = 15_000;
/** Of an answer, in bytes. */
export const maxHeaderSize = 64 * 1024;

/** The body of a request: its bytes, or a stream of known length that can be opened again for another try. */
export type RequestBody = Uint8Array | { length: number; open: () => AsyncIterable<Uint8Array> };

/** A request on its way out. */
export interface Outgoing {
  method: 'GET' | 'POST';
  url: string;
  headers: Readonly<Record<string, string>>;
  body: RequestBody | undefined;
  /** Ends the exchange at any moment, its body included: with the signal's reason, which is an Error. */
  signal: AbortSignal;
  /** Told right before the first byte is written to a connection that stands. Until then nothing was sent. */
  onSent: () => void;
}

/** The start of an answer. Its body fails unless it comes to the end that was announced. */
export interface Incoming {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Readable;
}

/**
 * A way of HTTP/1.1: one request, one answer, no redirects. It asks for strict HTTP, and for a connection of its own for
 * a POST: one that was used before may have been closed by the server in the meantime.
 */
export interface Exchange {
  /** Throws whatever went wrong before the answer began, or the signal's reason. */
  send(outgoing: Outgoing): Promise<Incoming>;
  /** Ends the connections that are kept for more. */
  close(): Promise<void>;
}
