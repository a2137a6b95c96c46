// What is run: the rows of the table, each with imggen and its rivals.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { batchRows } from './batch.js';
import { megabytes } from './table.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The same variable points the test suite at another build. */
const imggen = process.env.IMGGEN_TEST_PROGRAM ?? path.join(root, 'bin/imggen.js');
const slowDisk = new URL('slow-disk.js', import.meta.url).href;
export const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

/** Of an image of a batch, in bytes. */
const small = 10_000;
/** Sizes in bytes, `disk` a second; jobs of a batch, and of a loop beside it; and how often each group is run. */
const forms = {
  full: {
    sizes: { one: 1_500_000, big: 25_000_000, huge: 300_000_000, disk: 100_000_000, jobs: 1000, loop: 50 },
    runs: { start: 31, one: 21, big: 7, ten: 7, huge: 3, slow: 3, batch: 3, 'long-batch': 1 },
  },
  short: {
    sizes: { one: 150_000, big: 1_000_000, huge: 0, disk: 20_000_000, jobs: 20, loop: 3 },
    runs: { start: 1, one: 1, big: 1, ten: 1, huge: 0, slow: 1, batch: 1, 'long-batch': 0 },
  },
};

/**
 * The groups of rows. The runs of a group are interleaved, with the floor among them.
 *
 * @param context `short`; `node`, the binary; `origin`, the server's; `scratch`, a directory; `rivals`, those that are here
 */
export function groupsOf(context) {
  const { sizes, runs } = context.short ? forms.short : forms.full;
  const { one, big, huge, disk, jobs, loop } = sizes;
  const env = environment(context.scratch);
  const images = (name, kind, n, bytes, rivals = []) =>
    imagesRow({ ...context, env }, { name, kind, n, bytes, rivals });
  const groups = [
    { name: 'start', title: 'nothing but to start', rows: startRows(context, env) },
    {
      name: 'one',
      title: `one image of ${megabytes(one)}`,
      rows: [
        images('one-url', 'url', 1, one, [pipeline, sdk]),
        images('one-base64', 'base64', 1, one, [pipeline, sdk, skill]),
        images('one-sse', 'sse', 1, one),
      ],
    },
    {
      name: 'big',
      title: `one image of ${megabytes(big)}`,
      rows: ['url', 'base64', 'sse'].map((kind) => images(`big-${kind}`, kind, 1, big)),
    },
    {
      name: 'ten',
      title: `ten images of ${megabytes(big)}`,
      rows: [
        images('ten-url', 'url', 10, big, [curlParallel, sdk]),
        images('ten-base64', 'base64', 10, big, [pipeline, sdk]),
        images('ten-sse', 'sse', 10, big),
      ],
    },
    {
      name: 'huge',
      title: `one image of ${megabytes(huge)}`,
      rows: [images('huge-url', 'url', 1, huge), images('huge-base64', 'base64', 1, huge, [pipeline])],
    },
    {
      name: 'slow',
      title: `ten images of ${megabytes(big)}, to a disk that takes ${megabytes(disk)} a second`,
      rows: ['url', 'base64'].map((kind) => onSlowDisk(images(`slow-${kind}`, kind, 10, big), disk)),
    },
    {
      name: 'batch',
      title: `jobs of one image of ${small / 1000} kB each, half by URL, half in base64`,
      isBatch: true,
      rows: batchRows({ ...context, imggen, env }, { jobs, loop, due: jobs, yaml: 0, bytes: small }),
    },
    {
      name: 'long-batch',
      title: 'the same, more of it',
      isBatch: true,
      isLong: true,
      rows: batchRows({ ...context, imggen, env }, { jobs: 10_000, loop: 0, due: 100_000, yaml: 20_000, bytes: small }),
    },
  ];
  return groups
    .filter(({ name }) => runs[name] > 0)
    .map((group) => ({
      ...group,
      runs: runs[group.name],
      floor: { program: 'node -e 0', command: [context.node, '-e', '0'], env },
    }));
}

/** A user with nothing but a key. */
function environment(scratch) {
  const at = (name) => path.join(scratch, name);
  return {
    PATH: process.env.PATH,
    HOME: at('home'),
    XDG_CACHE_HOME: at('cache'),
    IMGGEN_CONFIG_DIR: at('config'),
    IMGGEN_STATE_DIR: at('state'),
    IMGGEN_API_KEY: 'sk-bench-0123456789',
  };
}

function startRows({ node }, env) {
  const row = (name, shown, args, rest) => ({
    name,
    programs: [{ program: `imggen ${shown}`, command: [node, imggen, ...args], env, ...rest }],
  });
  return [
    row('version', '--version', ['--version'], { text: `${version}\n` }),
    row('help', '--help', ['--help'], { text: 'Usage: imggen ' }),
    row('usage-error', '"a cat" -n 99', ['a cat', '-n', '99'], { exit: 2, text: '99' }),
    row('dry-run', '"a cat" --dry-run', ['a cat', '--dry-run'], { text: '"prompt": "a cat"' }),
  ];
}

/** A row in which n images are asked for, by URL, in base64 or as events, and must be there at the end. */
function imagesRow({ node, origin, env, rivals: here }, { name, kind, n, bytes, rivals }) {
  const task = {
    node,
    origin,
    kind,
    n,
    bytes,
    numbers: Array.from({ length: n }, (_, k) => k),
    baseUrl: `${origin}/${kind}/${n}/${bytes}/v1`,
  };
  const wanted = { env, bytes, files: task.numbers.map((k) => [k]) };
  const args = ['a cat', '-n', String(n), '--name', '{i}', ...(kind === 'sse' ? ['--stream'] : [])];
  const ours = {
    ...wanted,
    program: 'imggen',
    command: [node, imggen, ...args],
    env: { ...env, IMGGEN_BASE_URL: task.baseUrl },
  };
  return { name, programs: [ours, ...rivals.map((rival) => ({ ...wanted, ...rival(task, here) }))] };
}

/** `curl | jq | base64 -d`, or `curl | jq | xargs curl`. */
function pipeline({ kind, n, baseUrl, numbers }, { curl, jq, base64 }) {
  const body = JSON.stringify({ model: 'gpt-image-1.5', prompt: 'a cat', n });
  const post = `curl -sS -H 'content-type: application/json' -d '${body}' ${baseUrl}/images/generations`;
  const shell = (line) => ['sh', '-c', `${post} | ${line}`];
  if (kind === 'url') {
    return {
      program: 'curl + jq + xargs curl',
      skip: absent({ curl, jq }),
      command: shell("jq -r '.data[].url' | xargs curl -sS --remote-name-all"),
    };
  }
  // All images go to one file: the least that it can do.
  const command = shell("jq -r '.data[].b64_json' | base64 -d > 1.png");
  return { program: 'curl + jq + base64', skip: absent({ curl, jq, base64 }), command, files: [numbers] };
}

/** The downloads alone; who asked for the images is not counted. */
function curlParallel({ origin, bytes, numbers }, { curl }) {
  const urls = numbers.map((k) => `${origin}/image/${k}/${bytes}/${k + 1}.png`);
  return {
    program: 'curl --parallel',
    skip: absent({ curl }),
    command: ['curl', '-sS', '--parallel', '--remote-name-all', ...urls],
  };
}

function sdk({ node, baseUrl, n }, { openai }) {
  if (!openai) return { program: 'openai', skip: 'skipped: openai is not installed' };
  return { program: `openai ${openai.version}`, command: [node, openai.script, baseUrl, String(n)] };
}

/** A native binary that a script of npm starts. It downloads over https only, so base64 is all that it is asked for. */
function skill({ node, baseUrl }, { skill: found }) {
  const program = 'gpt-image-2-skill';
  if (!found) return { program, skip: `skipped: ${program} is not installed` };
  const api = ['--json', '--provider', 'openai', '--api-key', 'bench', '--openai-api-base', baseUrl];
  const request = ['images', 'generate', '--prompt', 'a cat', '--n', '1', '--out', '1.png'];
  return { program: `${program} ${found.version}`, command: [node, found.script, ...api, ...request] };
}

function absent(tools) {
  const names = Object.keys(tools).filter((name) => !tools[name]);
  return names.length > 0 ? `skipped: there is no ${names.join(', no ')} here` : undefined;
}

/** The same row with files that are written slowly, as the time must show. */
function onSlowDisk({ name, programs }, disk) {
  const slow = { NODE_OPTIONS: `--import=${slowDisk}`, IMGGEN_BENCH_DISK: String(disk) };
  return {
    name,
    programs: programs.map((each) => ({
      ...each,
      env: { ...each.env, ...slow },
      atLeastMs: (each.files.flat().length * each.bytes * 1000) / disk,
    })),
  };
}
