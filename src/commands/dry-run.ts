import { renditionPath } from '../files/extensions.ts';
import type { Plan } from '../generate/plan.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { Settings } from './context.ts';

/** Shows what a run would send and write. Starts no `apiKeyCommand` and makes no directory. */
export async function showDryRun(plan: Plan, { values }: Settings, json: boolean, terminal: Terminal): Promise<void> {
  const { url, headers: own } = plan.dialect.encode(plan.request, values.baseUrl);
  const headers = { authorization: `Bearer ${shownKey(values)}`, ...own };
  const naming = plan.names?.naming;
  const images = naming ? naming.targets.map(({ path }) => path) : ['-'];
  const renditions = naming?.renditions;
  const files = renditions ? images.map((path) => renditionPath(path, renditions.extension)) : images;
  const originals = renditions && values.keepOriginal ? images : [];
  const request = files.length === 0 ? null : { method: 'POST', url, headers, body: plan.fields };
  if (json) return await terminal.json({ dry_run: true, request, files, ...(renditions && { originals }) });
  if (!request) return terminal.info('everything is there already, nothing would be generated');
  await terminal.data(`POST ${url}`);
  for (const [name, value] of Object.entries(headers)) await terminal.data(`${name}: ${value}`);
  await terminal.json(plan.fields);
  for (const path of [...files, ...originals]) await terminal.data(`would write ${path}`);
}

function shownKey({ sandbox, apiKey, apiKeyCommand }: Settings['values']): string {
  if (sandbox) return 'sandbox';
  if (apiKey) return apiKey.toString();
  return apiKeyCommand === undefined ? '(no key is set)' : '(from apiKeyCommand)';
}
