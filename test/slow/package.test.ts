import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

interface Packed {
  size: number;
  unpackedSize: number;
  files: { path: string }[];
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as Record<
  string,
  Record<string, string> | undefined
>;

describe('the published package', () => {
  let packed: Packed;
  beforeAll(() => {
    // `npm test` has built dist/; prepare would build it again, and print into the JSON.
    const json = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      shell: process.platform === 'win32',
    });
    [packed] = JSON.parse(json) as [Packed];
  });

  it('holds what runs, the README and the licences', () => {
    const paths = packed.files.map((file) => file.path);
    const fixed = [
      'LICENSE',
      'README.md',
      'bin/imggen.js',
      'bin/package.json',
      'dist/LICENSES.txt',
      'dist/batch.schema.json',
      'dist/cli.js',
      'dist/package.json',
      'package.json',
    ];
    expect(paths.filter((path) => !/^dist\/[\w.-]+-[0-9A-Z]{8}\.js$/.test(path)).toSorted()).toEqual(fixed);
  });

  it('is small', () => {
    expect(packed.size).toBeLessThanOrEqual(400_000);
    expect(packed.unpackedSize).toBeLessThanOrEqual(1_500_000);
  });

  it('names the licence of every package in it', () => {
    const text = readFileSync(`${root}dist/LICENSES.txt`, 'utf8');
    const chunks = packed.files
      .filter(({ path }) => path.endsWith('.js'))
      .map(({ path }) => readFileSync(`${root}${path}`, 'utf8'));
    const bundled = chunks.join('\n').match(/node_modules\/[^/"]+/g) ?? [];
    expect(bundled).toContain('node_modules/commander');
    for (const folder of new Set(bundled)) expect(text).toContain(`\n${folder.replace('node_modules/', '')} `);
    expect(text).toMatch(/^commander \d\S* \(MIT\)\n\n\(The MIT License\)\n\nCopyright \(c\) 2011 TJ Holowaychuk/m);
  });

  it('brings no package but sharp, which it can do without', () => {
    expect(manifest.dependencies ?? {}).toEqual({});
    expect(manifest.peerDependencies ?? {}).toEqual({});
    expect(Object.keys(manifest.optionalDependencies ?? {})).toEqual(['sharp']);
  });

  it('runs nothing when it is installed', () => {
    const scripts = Object.keys(manifest.scripts ?? {});
    expect(scripts.filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
  });
});

it('the launcher says what to do in a clone that is not built', () => {
  const clone = mkdtempSync(path.join(tmpdir(), 'imggen-clone-'));
  try {
    for (const name of ['bin', 'package.json'])
      cpSync(path.join(root, name), path.join(clone, name), { recursive: true });
    const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(clone, 'bin/imggen.js'), 'a cat'], {
      encoding: 'utf8',
    });
    expect({ status, stdout, stderr }).toEqual({
      status: 2,
      stdout: '',
      stderr:
        'error: imggen is not built: dist/cli.js is missing\nhint: in a clone of the repository: npm ci, or npm run build\n',
    });
  } finally {
    rmSync(clone, { recursive: true, force: true });
  }
});
