import type { Command } from 'commander';
import { longName } from '../options/settings.ts';
import { type Model, models } from '../request/models.ts';
import { Terminal } from '../terminal/terminal.ts';
import type { Host } from '../terminal/types.ts';

/** Adds `imggen models`. */
export function registerModels(program: Command, host: Host): void {
  program
    .command('models')
    .description('what each known model accepts')
    .option('--json', 'as one JSON document')
    .action(async ({ json }: { json?: boolean }) => {
      const terminal = new Terminal(host);
      if (json) await terminal.json(models.map(documentOf));
      else await terminal.data(models.map(textOf).join('\n\n'));
    });
}

function textOf({ id, promptLimit, maxCount, sizes, defaultSize, takes }: Model): string {
  const rows = [
    ['prompt', `up to ${promptLimit} characters`],
    ['--count', `up to ${maxCount}`],
    ['--size', `${sizes.join(', ')} (default: ${defaultSize})`],
    ...Object.entries(takes).map(([field, values]) => [`--${longName(field)}`, values.join(', ') || 'yes']),
  ];
  return [id, ...rows.map(([name = '', value]) => `  ${name.padEnd(18)} ${value}`)].join('\n');
}

function documentOf({ id, promptLimit, maxCount, sizes, defaultSize, aliases, takes }: Model) {
  return { id, prompt_limit: promptLimit, max_count: maxCount, sizes, default_size: defaultSize, aliases, takes };
}
