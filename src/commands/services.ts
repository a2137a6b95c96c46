import { resolveApiKey } from '../options/api-key.ts';
import { Secret } from '../options/secret.ts';
import type { Pace, Services } from '../generate/services.ts';
import { createProgress } from '../terminal/progress.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { traceLines } from './trace.ts';
import type { Host } from '../terminal/types.ts';
import { Http } from '../http/http.ts';
import type { Settings } from './context.ts';

declare const __VERSION__: string;

/**
 * Calls `work` with the services of a run, and ends the sandbox when it is done.
 * Throws ImggenError `no_api_key`, and what `work` throws.
 *
 * @param needsKey whether a generation will be asked for: then a missing key is an error at once
 * @param work also gets the emulator's base URL, with --sandbox
 */
export async function withServices<T>(
  settings: Settings,
  { needsKey, pace }: { needsKey: boolean; pace?: Pace },
  host: Host,
  terminal: Terminal,
  work: (services: Services, sandboxUrl: string | undefined) => Promise<T>,
): Promise<T> {
  const sandbox = settings.values.sandbox ? await startInProcess(terminal) : undefined;
  try {
    let key: Promise<Secret> | undefined;
    const apiKey = () =>
      (key ??= sandbox
        ? Promise.resolve(new Secret('sk-sandbox-takes-any-key'))
        : resolveApiKey(settings, host.env, host.signal));
    if (needsKey) await apiKey();
    // The sandbox is in this process: its connections go through no proxy.
    const services = createServices(settings, apiKey, sandbox ? {} : host.env, host, terminal, pace);
    return await work(services, sandbox?.baseUrl);
  } finally {
    await sandbox?.close();
  }
}

async function startInProcess(terminal: Terminal) {
  const { startSandbox } = await import('../sandbox/server.ts');
  const sandbox = await startSandbox();
  terminal.info('sandbox: placeholder images, no key, no network, no cost');
  return sandbox;
}

/** The services of a run. */
export function createServices(
  { values, directories }: Settings,
  apiKey: () => Promise<Secret>,
  env: Host['env'],
  host: Host,
  terminal: Terminal,
  pace?: Pace,
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
      host.redactor.add(key);
      return key;
    },
    progress: createProgress(host, terminal),
    state: directories.state,
    machine: host.machine,
    redact: (text) => host.redactor.redact(text),
    emit: (bytes) => terminal.bytes(bytes),
    onDocument: (document) => {
      if (values.verbose) terminal.detail(`< ${JSON.stringify(document)}`);
    },
    onWarning: (text) => terminal.warn(text),
    onRetry: () => {},
    pace,
    signal: host.signal,
  };
}
