import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { importsOf, violations } from './support/architecture.ts';

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
      "import type { Plan } from '../generate/plan.ts';\nconst { run } = await import('../generate/run.ts');\n",
    'generate/plan.ts': "export type { Json } from '../request/types.ts';\n",
    'generate/run.ts': "import { Http } from '../http/http.ts';\nimport './plan.ts';\n",
    'http/http.ts': "import { parse } from 'yaml';\nimport '../errors.ts';\n",
    'dialects/reply.ts': "import type { Json } from '../request/types.ts';\n",
    'request/types.ts': '',
    'errors.ts': '',
  };
  const broken = (changes: Record<string, string>) => violations(new Map(Object.entries({ ...good, ...changes })));
  const reply = 'dialects/reply.ts';

  it('let a good program pass', () => {
    expect(broken({})).toEqual([]);
  });

  it.each([
    [
      'a place that imports one after it',
      'files/a.ts',
      "import { r } from '../dialects/reply.ts';",
      `imports ${reply}, but files does not know dialects`,
    ],
    [
      'a place that waits to import one after it',
      'files/a.ts',
      "await import('../dialects/reply.ts');",
      `imports ${reply}`,
    ],
    [
      'a type of a place that comes later',
      'files/a.ts',
      "import type { R } from '../dialects/reply.ts';",
      `imports ${reply}`,
    ],
    ['a re-export of another place', 'images/a.ts', "export * from '../dialects/reply.ts';", `imports ${reply}`],
    [
      'a place that knows too much',
      'http/a.ts',
      "import type { Json } from '../request/types.ts';",
      'imports request/types.ts, but',
    ],
    ['an import of several lines', reply, "import {\n  a,\n} from '../generate/run.ts';", 'imports generate/run.ts'],
    ['a leaf that imports a place', 'errors.ts', "import { r } from './dialects/reply.ts';", `imports ${reply}`],
    ['a place that the design does not have', 'util/a.ts', '', 'there is no such place'],
    ['a file that is not there', reply, "import './gone.ts';", 'dialects/gone.ts does not exist'],
    ['an import of a variable', reply, 'await import(name);', 'import() of something'],
    ['a long file', reply, 'x;\n'.repeat(401), '401 lines'],
  ])('report %s', (_name, file, text, message) => {
    expect(broken({ [file]: text })).toEqual([expect.stringContaining(`${file}: ${message}`)]);
  });

  it('report a circle of types', () => {
    const circle = { [reply]: "import type { A } from './b.ts';", 'dialects/b.ts': "import './reply.ts';" };
    expect(broken(circle)).toEqual([`cycle: ${reply} → dialects/b.ts → ${reply}`]);
  });

  it('report a heavy start', () => {
    const trail = 'at start: cli.ts → generate/run.ts → http/http.ts → yaml';
    expect(broken({ 'cli.ts': "import './generate/run.ts';" })).toEqual([expect.stringContaining(trail)]);
  });

  it('take imports from code, not from comments and strings', () => {
    const text = [
      "// import './a.ts';",
      "/* import('./b.ts') */",
      "const url = 'http://x/'; import('./c.ts'); // import('./d.ts')",
      "type T = typeof import('yaml').Document;",
      "export const type = 'from';",
      "import type from './e.ts';",
    ].join('\n');
    expect(importsOf('dialects/a.ts', text)).toEqual([
      { target: 'dialects/e.ts', kind: 'static' },
      { target: 'dialects/c.ts', kind: 'dynamic' },
      { target: 'yaml', kind: 'type' },
    ]);
  });
});
