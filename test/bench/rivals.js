// The programs that imggen is compared with, as far as they are on this machine.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

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

/** `curl`, `jq` and `base64`: what each says of itself; `openai`: its version and a script. Undefined: not there. */
export function findRivals(scratch) {
  return { curl: said('curl'), jq: said('jq'), base64: said('base64'), openai: findSdk(scratch) };
}

function said(name) {
  const { status, stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n', 1)[0].split(' (', 1)[0] : undefined;
}

/** The official SDK where somebody installed it; IMGGEN_BENCH_MODULES names a node_modules outside the project. */
function findSdk(scratch) {
  const folder = [process.env.IMGGEN_BENCH_MODULES, modules].find(
    (each) => each && existsSync(path.join(each, 'openai')),
  );
  if (folder === undefined) return undefined;
  const { version } = JSON.parse(readFileSync(path.join(folder, 'openai/package.json'), 'utf8'));
  const home = path.join(scratch, 'sdk');
  const script = path.join(home, 'script.mjs');
  mkdirSync(home);
  symlinkSync(path.resolve(folder), path.join(home, 'node_modules'), 'junction');
  writeFileSync(script, sdkScript);
  return { version, script };
}
