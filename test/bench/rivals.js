// The programs that imggen is compared with, as far as they are on this machine.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ownModules = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** What people write themselves. */
const sdkScript = `import { writeFile } from 'node:fs/promises';
import OpenAI from 'openai';

const [baseURL, n] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: 'bench' });
const { data } = await client.images.generate({ model: 'gpt-image-1.5', prompt: 'a cat', n: Number(n) });
await Promise.all(data.map(async ({ b64_json, url }, index) => {
  const bytes = b64_json ? Buffer.from(b64_json, 'base64') : Buffer.from(await (await fetch(url)).arrayBuffer());
  await writeFile(\`\${index + 1}.png\`, bytes);
}));
`;

/**
 * `curl`, `jq` and `base64`: what each says of itself; `openai` and `skill`: version and script. Undefined: not there.
 */
export function findRivals(scratch) {
  const skill = findPackage('gpt-image-2-skill');
  return {
    curl: said('curl'),
    jq: said('jq'),
    base64: said('base64'),
    openai: findSdk(scratch),
    skill: skill && { ...skill, script: path.join(skill.folder, 'bin/gpt-image-2-skill.js') },
  };
}

function said(name) {
  const { status, stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n', 1)[0].split(' (', 1)[0] : undefined;
}

/** A package that somebody installed; IMGGEN_BENCH_MODULES names a node_modules outside the project. */
function findPackage(name) {
  for (const modules of [process.env.IMGGEN_BENCH_MODULES, ownModules]) {
    const folder = modules && path.resolve(modules, name);
    if (!folder || !existsSync(folder)) continue;
    return { folder, version: JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')).version };
  }
  return undefined;
}

function findSdk(scratch) {
  const found = findPackage('openai');
  if (!found) return undefined;
  const home = path.join(scratch, 'sdk');
  const script = path.join(home, 'script.mjs');
  mkdirSync(home);
  symlinkSync(path.dirname(found.folder), path.join(home, 'node_modules'), 'junction');
  writeFileSync(script, sdkScript);
  return { ...found, script };
}
