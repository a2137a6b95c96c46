import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { type Dispatcher, ProxyAgent } from 'undici';

/** What imggen uses of undici, as one module to load when it is needed: a bundle keeps these names, not CommonJS's. */
export { request } from 'undici';

/** A request's options, with who is told right before it is written. */
export interface Told {
  onSent: () => void;
}

/** A proxy agent that tells each request when its own first byte is about to be written, behind the proxy. */
export class TellingProxyAgent extends ProxyAgent {
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const connect = handler.onConnect;
    // undici calls this once a request has a connection: it is written unless it is aborted.
    handler.onConnect = function onConnect(abort) {
      let isAborted = false;
      connect?.call(this, (reason) => {
        isAborted = true;
        abort(reason);
      });
      if (!isAborted) (options as Dispatcher.DispatchOptions & Told).onSent();
    };
    return super.dispatch(options, handler);
  }
}

/** What undici keeps on a socket, as far as it is needed here. */
interface Parser {
  paused: boolean;
  ptr: number | null;
  llhttp: { llhttp_resume(ptr: number): void };
  resume(): void;
}

subscribe('undici:client:connected', (message) => readOnBeforeTheEnd((message as { socket: Socket }).socket));

/**
 * undici 7 ends the process when a server closes the connection while the last of a body waits to be read: its parser
 * is paused then, and asserts that it is not (nodejs/undici#5360, corrected in version 8). Here the parser goes on just
 * before it hears of the end, when nothing more can come that would have to wait.
 */
function readOnBeforeTheEnd(socket: Socket): void {
  const readOn = () => {
    const key = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'parser');
    const parser = key && (socket as unknown as Record<symbol, Parser | null>)[key];
    parser?.resume();
    // A body that ends with the connection pauses once more, for nothing.
    if (!parser?.paused || parser.ptr === null) return;
    parser.llhttp.llhttp_resume(parser.ptr);
    parser.paused = false;
  };
  // A reset connection ends with an error, and without an end.
  for (const event of ['end', 'error', 'close']) socket.prependListener(event, readOn);
}
