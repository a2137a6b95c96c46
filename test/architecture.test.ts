import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { importsOf, violations } from './tools/architecture.ts';

const src = fileURLToPath(new URL('../src/', import.meta.url));

it('src/ keeps to the design', () => {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [name.replaceAll(path.sep, '/'), readFileSync(path.join(src, name), 'utf8')] as const);
  expect(files.map(([name]) => name)).toContain('cli.ts');
  expect(violations(new Map(files))).toEqual([]);
});

describe('the rules', () => {
  const good = {
    'cli.ts': "import { Command } from 'commander';\nimport { runGenerate } from './commands/generate.ts';\n",
    'commands/generate.ts':
      "import type { Plan } from '../run/plan.ts';\nconst { run } = await import('../run/run.ts');\n",
    'run/plan.ts': "export type { Json } from '../request/types.ts';\n",
    'run/run.ts': "import { Http } from '../transport/http.ts';\nimport './plan.ts';\n",
    'transport/http.ts':
      "import type { Reply } from '../wire/types.ts';\nimport { Agent } from 'undici';\nimport '../errors.ts';\n",
    'wire/types.ts':
      "import type { Json } from '../request/types.ts';\nimport { sizes } from '../request/fields.ts';\n",
    'wire/reply.ts': '',
    'request/types.ts': '',
    'request/fields.ts': '',
    'errors.ts': '',
  };
  const broken = (changes: Record<string, string>) => violations(new Map(Object.entries({ ...good, ...changes })));

  it('let a good program pass', () => {
    expect(broken({})).toEqual([]);
  });

  it.each([
    [
      'a stage that imports a stage',
      { 'images/a.ts': "import { r } from '../wire/reply.ts';" },
      'images/a.ts: imports wire/reply.ts',
    ],
    [
      'a stage that waits to import one',
      { 'images/a.ts': "await import('../wire/reply.ts');" },
      'images/a.ts: imports wire/reply.ts',
    ],
    [
      'a type that is not of types.ts',
      { 'images/a.ts': "import type { R } from '../wire/reply.ts';" },
      'images/a.ts: imports wire/reply.ts',
    ],
    [
      'an import of types.ts that stays',
      { 'images/a.ts': "import { type R } from '../wire/types.ts';" },
      'images/a.ts: imports wire/types.ts',
    ],
    [
      'a re-export of a stage',
      { 'images/a.ts': "export * from '../wire/reply.ts';" },
      'images/a.ts: imports wire/reply.ts',
    ],
    [
      'a stage that knows the run',
      { 'wire/reply.ts': "import {\n  a,\n  b,\n} from '../run/run.ts';" },
      'wire/reply.ts: imports run/run.ts',
    ],
    [
      'a run that knows the commands',
      { 'run/b.ts': "import '../commands/generate.ts';" },
      'run/b.ts: imports commands/generate.ts',
    ],
    [
      'a leaf that imports a stage',
      { 'errors.ts': "import { r } from './wire/reply.ts';" },
      'errors.ts: imports wire/reply.ts',
    ],
    ['a place of no name', { 'util/a.ts': '' }, 'util/a.ts: the design has no such place'],
    [
      'a file that is not there',
      { 'wire/reply.ts': "import './gone.ts';" },
      'wire/reply.ts: wire/gone.ts does not exist',
    ],
    ['an import of a variable', { 'wire/reply.ts': 'await import(name);' }, 'wire/reply.ts: import() of something'],
    [
      'a circle of types',
      { 'wire/reply.ts': "import type { A } from './b.ts';", 'wire/b.ts': "import './reply.ts';" },
      'cycle: wire/reply.ts → wire/b.ts → wire/reply.ts',
    ],
    [
      'a heavy start',
      { 'cli.ts': "import './run/run.ts';" },
      'at start: cli.ts → run/run.ts → transport/http.ts → undici',
    ],
    ['a long file', { 'wire/reply.ts': 'x;\n'.repeat(401) }, 'wire/reply.ts: 401 lines'],
  ])('report %s', (_name, changes, message) => {
    expect(broken(changes)).toEqual([expect.stringContaining(message)]);
  });

  it('take imports from code, not from comments and strings', () => {
    const text = [
      "// import './a.ts';",
      "/* import('./b.ts') */",
      "const url = 'http://x/'; import('./c.ts'); // import('./d.ts')",
      "type T = typeof import('undici').request;",
      "export const type = 'from';",
      "import type from './e.ts';",
    ].join('\n');
    expect(importsOf('wire/a.ts', text)).toEqual([
      { target: 'wire/e.ts', kind: 'static' },
      { target: 'wire/c.ts', kind: 'dynamic' },
      { target: 'undici', kind: 'type' },
    ]);
  });
});
