// Bundles src/cli.ts into dist/, which the package ships. Types are checked elsewhere.
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = path.join(root, 'dist');
const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
/** Names stay as they are written: a stack trace that a user sends is then worth reading. */
const readable = { platform: 'node', target: 'node20.19', minifySyntax: true, minifyWhitespace: true, charset: 'utf8' };

/** Packages of which the bundle takes a part; the tests see them whole. */
const slim = {
  name: 'slim',
  setup({ onResolve }) {
    const parts = {
      // Its index for Node prints what it reads to stdout where the environment has LOG_STREAM or LOG_TOKENS.
      yaml: 'node_modules/yaml/browser/dist/index.js',
      'ajv/dist/2020.js': 'src/slim/ajv.js',
      'ajv-formats': 'src/slim/ajv.js',
    };
    for (const [name, part] of Object.entries(parts))
      onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path: path.join(root, part) }));
  },
};

const { outputFiles, metafile } = await build({
  ...readable,
  absWorkingDir: root,
  entryPoints: ['src/cli.ts'],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  // jsonc-parser's CommonJS form cannot be bundled.
  mainFields: ['module', 'main'],
  external: ['sharp'],
  plugins: [slim],
  define: { __VERSION__: JSON.stringify(version) },
  chunkNames: '[name]-[hash]',
  legalComments: 'none',
  metafile: true,
  write: false,
  logLevel: 'warning',
});

const written = new Set();
await mkdir(dist, { recursive: true });
await write('package.json', '{ "type": "commonjs" }\n');
await write(
  'LICENSES.txt',
  await licences(Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs))),
);
// The entry comes last: a program that starts meanwhile finds every chunk that its entry names.
for (const { path: file, text } of outputFiles.toReversed()) await write(path.basename(file), await commonJs(text));
await write(
  'batch.schema.json',
  execFileSync(process.execPath, [path.join(root, 'bin/imggen.js'), 'batch', '--schema']),
);
await removeOthers();

/** Node starts CommonJS in a tenth less of its own start time, and esbuild splits ES modules only. */
async function commonJs(chunk) {
  // import() of another chunk becomes require(), behind a promise.
  const { code } = await transform(chunk, { ...readable, format: 'cjs', supported: { 'dynamic-import': false } });
  return code;
}

/** The licence of every package that one of the inputs belongs to, as one text. */
async function licences(inputs) {
  const folders = new Set(
    inputs.flatMap((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []),
  );
  const texts = await Promise.all(
    [...folders].map(async (folder) => {
      const about = JSON.parse(await readFile(path.join(root, folder, 'package.json'), 'utf8'));
      const names = (await readdir(path.join(root, folder))).filter((name) =>
        /^(licen[cs]e|copying|notice)/i.test(name),
      );
      if (names.length === 0) throw new Error(`${about.name} is bundled and has no licence file`);
      const parts = await Promise.all(names.sort().map((name) => readFile(path.join(root, folder, name), 'utf8')));
      const body = parts.map((part) => part.replaceAll('\r\n', '\n').trim()).join('\n\n');
      return `${about.name} ${about.version} (${about.license})\n\n${body}\n`;
    }),
  );
  return ['imggen contains these packages.\n', ...texts.sort()].join(`\n${'-'.repeat(80)}\n\n`);
}

/** Replaces a file of dist/ at once, whole. */
async function write(name, data) {
  const temporary = path.join(dist, `${name}.${process.pid}.tmp`);
  await writeFile(temporary, data);
  await rename(temporary, path.join(dist, name));
  written.add(name);
}

async function removeOthers() {
  for (const name of await readdir(dist)) if (!written.has(name)) await rm(path.join(dist, name), { recursive: true });
}
