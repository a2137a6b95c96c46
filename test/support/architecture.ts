import path from 'node:path';

// Holds the import graph of src/ to the design. Pure: the text of every file in, broken rules out.

/** The places of src/ in the direction of the data: each may import those before it, and none after it. */
const places = [
  'request',
  'images',
  'files',
  'renditions',
  'http',
  'dialects',
  'options',
  'journal',
  'terminal',
  'sandbox',
  'generate',
  'batch',
  'commands',
  'cli.ts',
];
/** Places that know less than their order allows. */
const only: Readonly<Record<string, readonly string[]>> = {
  images: [],
  http: [],
  dialects: ['request', 'http', 'images'],
  options: ['request', 'renditions'],
  terminal: ['files'],
  sandbox: ['request', 'renditions'],
};
/** What everybody may import. */
const leaves = new Set(['errors.ts', 'json.ts', 'similar.ts']);
/** Packages that are slow to load, and so never on the way to `--help`. */
const heavy = new Set(['conf', 'ora', 'sharp', 'jsonc-parser', 'yaml', 'ajv']);
const lineLimit = 400;

interface Import {
  /** A path below src/, or a package. Empty: known only at run time. */
  target: string;
  /** A type import leaves nothing in the program; a dynamic one is loaded when the program gets there. */
  kind: 'static' | 'dynamic' | 'type';
}
type Graph = ReadonlyMap<string, readonly Import[]>;

/** One line for every broken rule. `files` has paths below src/, with forward slashes. */
export function violations(files: ReadonlyMap<string, string>): string[] {
  const graph: Graph = new Map([...files].map(([file, text]) => [file, importsOf(file, text)]));
  return [
    ...[...files].flatMap(([file, text]) => misfits(file, text)),
    ...[...graph].flatMap(([file, imports]) => imports.flatMap((each) => complaint(file, each, graph) ?? [])),
    ...cycles(graph),
    ...heavyAtStart(graph),
  ];
}

/** The imports of a TypeScript file, in the layout that everybody writes: a statement begins its line. */
export function importsOf(file: string, text: string): Import[] {
  const code = text.replace(/("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/.*|\/\*[^]*?\*\//g, '$1');
  const statements = code.matchAll(
    /^[ \t]*(?:import|export)\b[ \t]*(type\b(?!\s*(?:from\s*['"]|,)))?(?:[^'"`;()=]*?\bfrom)?\s*(['"])([^'"\n]+)\2/gm,
  );
  const calls = code.matchAll(/(\btypeof\s+)?(?<![\w$.])import\s*\(\s*(?:(['"`])([^'"`$]+)\2)?/g);
  const all: Import[] = [];
  for (const [, type, , target = ''] of statements)
    all.push({ target: below(file, target), kind: type ? 'type' : 'static' });
  for (const [, type, , target = ''] of calls)
    all.push({ target: below(file, target), kind: type ? 'type' : 'dynamic' });
  return all;
}

function below(file: string, target: string): string {
  return target.startsWith('.') ? path.posix.join(path.posix.dirname(file), target) : target;
}

/** Which place a file belongs to: one of the list, `leaf`, or none. */
function placeOf(file: string): string | undefined {
  if (leaves.has(file)) return 'leaf';
  const [top = ''] = file.split('/');
  return places.includes(top) ? top : undefined;
}

function misfits(file: string, text: string): string[] {
  const found = [];
  const lines = text.trimEnd().split('\n').length;
  if (lines > lineLimit) found.push(`${file}: ${lines} lines, more than ${lineLimit}`);
  if (!placeOf(file)) found.push(`${file}: there is no such place (test/support/architecture.ts lists them)`);
  return found;
}

function complaint(file: string, { target }: Import, graph: Graph): string | undefined {
  if (target === '') return `${file}: import() of something that only a run can tell`;
  if (!target.endsWith('.ts')) return undefined;
  if (!graph.has(target)) return `${file}: ${target} does not exist`;
  const [from, to] = [placeOf(file), placeOf(target)];
  if (from === undefined || to === undefined || from === to || to === 'leaf') return undefined;
  const allowed = from === 'leaf' ? [] : (only[from] ?? places.slice(0, places.indexOf(from)));
  return allowed.includes(to) ? undefined : `${file}: imports ${target}, but ${from} does not know ${to}`;
}

/** One path for each import that closes a circle; type imports count as well. */
function cycles(graph: Graph): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const start = trail.indexOf(file);
    if (start >= 0) found.push(`cycle: ${[...trail.slice(start), file].join(' → ')}`);
    if (start >= 0 || done.has(file)) return;
    for (const { target } of graph.get(file) ?? []) visit(target, [...trail, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

/** Heavy packages that static imports load before the program has looked at its arguments. */
function heavyAtStart(graph: Graph): string[] {
  const trails = new Map([['cli.ts', 'cli.ts']]);
  const found: string[] = [];
  for (const [file, trail] of trails)
    for (const { target, kind } of graph.get(file) ?? []) {
      if (kind !== 'static') continue;
      if (graph.has(target)) trails.set(target, trails.get(target) ?? `${trail} → ${target}`);
      else if (heavy.has(target.split('/')[0] ?? ''))
        found.push(`at start: ${trail} → ${target}; import() it where it is needed`);
    }
  return found;
}
