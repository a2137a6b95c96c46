import type { Command } from 'commander';
import { type Model, models } from '../request/models.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';

/** Adds the flags of `imggen models`. */
export function configure(command: Command, host: Host): void {
  command.option('--json', 'as one JSON document').action((flags: { json?: boolean }) => runModels(flags, host));
}

async function runModels({ json }: { json?: boolean }, host: Host): Promise<void> {
  const terminal = new Terminal(host, { quiet: false, verbose: false });
  if (json) return await terminal.json(models.map(modelDocument));
  for (const [index, model] of models.entries()) {
    if (index > 0) await terminal.data('');
    await terminal.data(model.id);
    for (const [name, value] of rows(model)) await terminal.data(`  ${name.padEnd(18)} ${value}`);
  }
}

function rows({ promptLimit, maxCount, sizes, defaultSize, takes }: Model): [string, string][] {
  const optional = Object.entries(takes).map(([field, values]): [string, string] => [
    flagOf(field),
    values.join(', ') || 'yes',
  ]);
  return [
    ['prompt', `up to ${promptLimit} characters`],
    ['--count', `up to ${maxCount}`],
    ['--size', `${sizes.join(', ')} (default: ${defaultSize})`],
    ...optional,
  ];
}

function modelDocument({ id, promptLimit, maxCount, sizes, defaultSize, aliases, takes }: Model) {
  return { id, prompt_limit: promptLimit, max_count: maxCount, sizes, default_size: defaultSize, aliases, takes };
}

/** `responseFormat` → `--response-format`. */
function flagOf(field: string): string {
  return `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
