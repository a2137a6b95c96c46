import type { Secret } from '../options/secret.ts';
import type { Services } from '../run/services.ts';
import { createProgress } from '../terminal/progress.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { traceLines } from '../terminal/trace.ts';
import type { Host } from '../terminal/types.ts';
import { Http } from '../transport/http.ts';
import type { Settings } from './context.ts';

declare const __VERSION__: string;

/** Connects what a run needs to this process. Whoever makes it closes its `http`. */
export function createServices(
  { values, directories }: Settings,
  apiKey: () => Promise<Secret>,
  env: Host['env'],
  host: Host,
  terminal: Terminal,
): Services {
  return {
    http: new Http({
      env,
      signal: host.signal,
      userAgent: `imggen/${__VERSION__}`,
      trace: (event) => {
        if (values.verbose) for (const line of traceLines(event)) terminal.detail(line);
      },
    }),
    apiKey: async () => {
      const key = await apiKey();
      terminal.hide(key);
      return key;
    },
    progress: createProgress(host, terminal),
    state: directories.state,
    machine: host.machine,
    redact: (text) => terminal.redact(text),
    emit: (bytes) => terminal.bytes(bytes),
    onDocument: (document) => {
      if (values.verbose) terminal.detail(`< ${JSON.stringify(document)}`);
    },
    onWarning: (text) => terminal.warn(text),
    signal: host.signal,
  };
}
