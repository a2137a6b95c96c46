// The programs that imggen is compared with, as far as they are on this machine.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ownModules = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** By name, the `version` of each, and the `script` of a package; undefined for what is not there. */
export function findRivals() {
  const tools = ['curl', 'jq', 'base64'].map((name) => [name, findTool(name)]);
  return { ...Object.fromEntries(tools), 'gpt-image-2-skill': findPackage('gpt-image-2-skill') };
}

function findTool(name) {
  const { status, stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' });
  return status === 0 ? { version: stdout.split('\n', 1)[0].split(' (', 1)[0] } : undefined;
}

/** A package that somebody installed; IMGGEN_BENCH_MODULES names a node_modules outside the project. */
function findPackage(name) {
  for (const modules of [process.env.IMGGEN_BENCH_MODULES, ownModules]) {
    const folder = modules && path.resolve(modules, name);
    if (!folder || !existsSync(folder)) continue;
    const { version } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
    return { version: `${name} ${version}`, script: path.join(folder, `bin/${name}.js`) };
  }
  return undefined;
}
