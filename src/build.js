// Bundles src/start.ts into dist/: what the launcher loads and the package ships. Types are checked elsewhere.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = path.join(root, 'dist');
const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));

/** Packages of which the bundle takes a part; src/ and its tests see them whole. */
const slim = {
  name: 'slim',
  setup({ onResolve, onLoad }) {
    // ora has dozens of spinners, and turns one: this, or the other where the terminal has no Unicode.
    onLoad({ filter: /[\\/]cli-spinners[\\/]spinners\.json$/ }, async ({ path: file }) => {
      const { dots, line } = JSON.parse(await readFile(file, 'utf8'));
      return { contents: JSON.stringify({ dots, line }), loader: 'json' };
    });
    const instead = {
      undici: 'undici.js',
      yaml: 'yaml.js',
      'node:http2': 'http2.js',
      'ajv/dist/2020.js': 'ajv.js',
      'ajv-formats': 'ajv.js',
      '../llhttp/llhttp_simd-wasm.js': 'llhttp-simd.js',
    };
    onResolve({ filter: /./ }, ({ path: name }) =>
      Object.hasOwn(instead, name) ? { path: path.join(root, 'src/slim', instead[name]) } : undefined,
    );
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /[\\/]commander[\\/]/.test(importer) ? { path: path.join(root, 'src/slim/child-process.js') } : undefined,
    );
  },
};

/** Packages without the names of their variables: less to carry, and nothing that a stack trace of ours needs. */
const short = {
  name: 'short',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]node_modules[\\/].*\.[cm]?js$/ }, async ({ path: file }) => {
      const { code } = await transform(await readFile(file, 'utf8'), { minify: true, charset: 'utf8' });
      return { contents: code };
    });
  },
};

const { outputFiles, metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['src/start.ts'],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // A package that has no "exports" is taken as ES modules where it can be: jsonc-parser's other form cannot be bundled.
  mainFields: ['module', 'main'],
  external: ['sharp'],
  plugins: [slim, short],
  define: { __VERSION__: JSON.stringify(version) },
  chunkNames: '[name]-[hash]',
  // Names stay as they are written: a stack trace that a user sends is then worth reading.
  minifySyntax: true,
  minifyWhitespace: true,
  charset: 'utf8',
  legalComments: 'none',
  metafile: true,
  write: false,
  logLevel: 'warning',
});
refuse(metafile);

const files = new Map();
for (const file of outputFiles)
  files.set(path.relative(dist, file.path), Buffer.from(await commonJs(file.text, isForeign(file.path))));
files.set('batch.schema.json', Buffer.from(`${JSON.stringify(await schema())}\n`));
files.set('package.json', Buffer.from('{ "type": "commonjs" }\n'));
const bundled = Object.values(metafile.outputs).flatMap((output) => Object.keys(output.inputs));
files.set('LICENSES.txt', Buffer.from(await licences(bundled)));
files.set('start.js', named(files));
await replace(dist, files);
await writeHelp();
const bytes = [...files.values()].reduce((sum, contents) => sum + contents.length, 0);
console.log(`dist/: ${files.size} files, ${Math.round(bytes / 1000)} kB`);

/**
 * esbuild splits ES modules only, and Node needs a tenth of its own start time to get ready for the first of those.
 * CommonJS it can load at once, so each finished chunk becomes that.
 */
async function commonJs(chunk, minifyIdentifiers) {
  const { code } = await transform(chunk, {
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    supported: { 'dynamic-import': false },
    minifySyntax: true,
    minifyWhitespace: true,
    minifyIdentifiers,
    charset: 'utf8',
  });
  return lazy(code);
}

/**
 * Lets a chunk load each thing that it imports when it first uses it. Node's own modules cost up to 3 ms, other chunks up
 * to 2 ms, and a start comes past few of them. No module of the program does anything but define when it is loaded.
 */
function lazy(code) {
  const names = new Set();
  const declared = code.replace(
    /\b(import_\w+)=((?:__toESM\()?require\("[^"]+"\)(?:,1\)|\))?)(?=[,;])/g,
    (_all, name, load) => {
      names.add(name);
      return `${name}_,${name}=()=>${name}_??=${load}`;
    },
  );
  return declared.replace(/\bimport_\w+\b(?!=)/g, (name) => (names.has(name) ? `(${name}())` : name));
}

/** The entry, whose first line names the build: by it bin/load.js tells what it has kept of another. */
function named(contents) {
  const hash = createHash('sha256');
  for (const data of contents.values()) hash.update(data);
  return Buffer.concat([Buffer.from(`// build ${hash.digest('hex').slice(0, 16)}\n`), contents.get('start.js')]);
}

/** The JSON Schema of batch files, which editors read from the package. */
async function schema() {
  const [{ text }] = (
    await build({
      absWorkingDir: root,
      stdin: { contents: "export { batchSchema } from './src/batch/jobs/schema.ts'", resolveDir: root },
      bundle: true,
      format: 'esm',
      platform: 'node',
      write: false,
    })
  ).outputFiles;
  const { batchSchema } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
  return batchSchema();
}

/** Whether a chunk is almost all of packages: its names cost a fifth of its size, and help nobody who reads a stack trace of ours. */
function isForeign(file) {
  const { bytes, inputs } = metafile.outputs[path.relative(root, file).split(path.sep).join('/')];
  const own = Object.entries(inputs).filter(([input]) => input.startsWith('src/'));
  return own.reduce((sum, [, { bytesInOutput }]) => sum + bytesInOutput, 0) < bytes / 10;
}

/** Keeps what the program prints for --help, so that it can be printed without the program. */
async function writeHelp() {
  const text = execFileSync(process.execPath, [path.join(root, 'bin/imggen.js'), '--help'], {
    env: { NODE_DISABLE_COMPILE_CACHE: '1' },
  });
  await write(dist, 'help.txt', text);
}

/** What esbuild accepts and what would fail at the user's. */
function refuse({ inputs }) {
  for (const [file, { imports }] of Object.entries(inputs))
    for (const { path: target, kind, external } of imports) {
      if (target.startsWith('node:') || isBuiltin(target)) continue;
      if (external && kind !== 'dynamic-import')
        throw new Error(`${file}: ${target} is not bundled and may be absent; use import('${target}')`);
      if (kind === 'dynamic-import' && inputs[target]?.format === 'cjs')
        throw new Error(
          `${file}: import() of ${target}, which is CommonJS, has no named exports once it is bundled; ` +
            'import it statically in a module of src/ that is itself imported with import()',
        );
    }
}

/** The licence of every package that one of the inputs belongs to, as one text. */
async function licences(inputs) {
  const folders = new Set(inputs.map((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]));
  folders.delete(undefined);
  const texts = await Promise.all(
    [...folders].map(async (folder) => {
      const about = JSON.parse(await readFile(path.join(root, folder, 'package.json'), 'utf8'));
      const entries = await readdir(path.join(root, folder));
      const names = entries.filter((name) => /^(licen[cs]e|copying|notice)/i.test(name)).sort();
      if (names.length === 0) throw new Error(`${about.name} is bundled and has no licence file`);
      const parts = await Promise.all(names.map((name) => readFile(path.join(root, folder, name), 'utf8')));
      const body = parts.map((part) => part.replaceAll('\r\n', '\n').trim()).join('\n\n');
      return `${about.name} ${about.version} (${about.license})\n\n${body}\n`;
    }),
  );
  return ['imggen contains these packages.\n', ...texts.sort()].join(`\n${'-'.repeat(80)}\n\n`);
}

/** Makes the folder hold these files and no others, in an order in which a program that starts meanwhile never breaks. */
async function replace(folder, contents) {
  await mkdir(folder, { recursive: true });
  const entryLast = [...contents].sort(([a], [b]) => Number(a === 'start.js') - Number(b === 'start.js'));
  for (const [name, data] of entryLast) await write(folder, name, data);
  for (const name of await readdir(folder))
    if (!contents.has(name)) await rm(path.join(folder, name), { recursive: true, force: true });
}

async function write(folder, name, data) {
  const temporary = path.join(folder, `${name}.${process.pid}.tmp`);
  await writeFile(temporary, data);
  await rename(temporary, path.join(folder, name));
}
