// Installs the packed tarball as a user does, on every Node that it supports, and looks whether it works there.
// Which ones: `node test/slow/tarball.js 24.21.0`; without arguments, those below.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The oldest of each line that "engines" allows, where it has an oldest, and a recent one of the newer lines. */
const supported = ['20.19.0', '22.12.0', '24.21.0', '26.10.0'];
const tooOld = '18.20.8';

const root = fileURLToPath(new URL('../..', import.meta.url));
const caches = path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'imggen-test');
const npm = findNpm();
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

// Not in the temporary directory: a node_modules that somebody left there would lend its sharp.
mkdirSync(caches, { recursive: true });
const scratch = mkdtempSync(path.join(caches, 'tarball-'));
try {
  const tarball = pack();
  for (const node of process.argv.length > 2 ? process.argv.slice(2) : supported) smoke(node, tarball);
  if (process.argv.length === 2) refused();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function pack() {
  const [{ filename, size }] = JSON.parse(
    execFileSync(process.execPath, [npm, 'pack', '--json', '--ignore-scripts', '--pack-destination', scratch], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    }).toString(),
  );
  console.log(`${filename}: ${Math.round(size / 1000)} kB`);
  return path.join(scratch, filename);
}

function smoke(wanted, tarball) {
  const started = Date.now();
  const node = nodeOf(wanted);
  const whole = install(node, tarball, 'bin/imggen', '--global');
  check('--version', whole(['--version']), { exit: 0, stdout: `${version}\n`, stderr: '' });
  check('--help', whole(['--help']), { exit: 0, stdout: /^Usage: imggen /, stderr: '' });
  check('a usage error', whole(['a cat', '-n', '99']), { exit: 2, stdout: '', stderr: /^error: .*99/ });
  const images = whole(['a cat', '-n', '2', '-o', 'out', '--sandbox']);
  check('two images', images, { exit: 0, stdout: /^out\S+\.png\nout\S+\.png\n$/, stderr: /sandbox/ });
  for (const file of images.stdout.trim().split('\n'))
    if (readFileSync(path.join(images.cwd, file)).subarray(0, 8).toString('latin1') !== '\x89PNG\r\n\x1a\n')
      throw new Error(`${file} is no PNG`);

  // Not --global: there npm (11.19) does not omit anything.
  const bare = install(node, tarball, 'node_modules/.bin/imggen', '--omit=optional');
  check('--version without sharp', bare(['--version']), { exit: 0, stdout: `${version}\n`, stderr: '' });
  const refusal = bare(['a cat', '-o', 'out', '--sandbox']);
  check('the sandbox without sharp', refusal, { exit: /^[1-9]/, stdout: '', stderr: /^error: .*sharp/m });
  console.log(`Node ${wanted}: works (${((Date.now() - started) / 1000).toFixed(1)} s)`);
}

/** A Node that is too old is refused with a reason, although its parser may not know the syntax. */
function refused() {
  const result = spawnSync(nodeOf(tooOld), [path.join(root, 'bin/imggen.js'), '--version'], { encoding: 'utf8' });
  check(
    `Node ${tooOld}`,
    { ...result, exit: result.status },
    { exit: 2, stdout: '', stderr: /^error: imggen needs Node\.js .*\nhint: / },
  );
  console.log(`Node ${tooOld}: refused with a reason`);
}

/** Installs into a prefix of its own; returns what runs the command there, in an empty directory and environment. */
function install(node, tarball, command, ...flags) {
  const prefix = mkdtempSync(path.join(scratch, 'prefix-'));
  const cwd = path.join(prefix, 'home');
  mkdirSync(cwd);
  const PATH = [path.dirname(node), process.env.PATH].join(path.delimiter);
  const args = [npm, 'install', '--prefix', prefix, '--no-audit', '--no-fund', '--silent', ...flags, tarball];
  execFileSync(node, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, PATH } });
  return (words) => {
    const env = { PATH, HOME: cwd };
    const result = spawnSync(path.join(prefix, command), words, {
      cwd,
      env,
      encoding: 'utf8',
      timeout: 60_000,
      input: '',
    });
    if (result.error) throw result.error;
    return { exit: result.status, stdout: result.stdout, stderr: result.stderr, cwd };
  };
}

function check(what, result, expected) {
  for (const [part, want] of Object.entries(expected)) {
    const got = result[part];
    if (want instanceof RegExp ? want.test(String(got)) : want === got) continue;
    throw new Error(
      `${what}: ${part} should be ${want}\nexit ${result.exit}\nstdout: ${result.stdout}\nstderr: ${result.stderr}`,
    );
  }
}

/** The binary of a Node version, from the registry package that carries it; kept between runs. */
function nodeOf(wanted) {
  const carrier = `node-${process.platform}-${process.arch}`;
  const folder = path.join(caches, wanted);
  const binary = path.join(folder, 'node_modules', carrier, 'bin/node');
  if (!existsSync(binary)) {
    const fresh = mkdtempSync(path.join(caches, 'new-'));
    const args = [
      npm,
      'install',
      '--prefix',
      fresh,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--silent',
      `${carrier}@${wanted}`,
    ];
    execFileSync(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  }
  return binary;
}

/** npm's own script, so that each Node can run it. */
function findNpm() {
  if (process.env.npm_execpath?.endsWith('npm-cli.js')) return process.env.npm_execpath;
  return path.join(execFileSync('npm', ['root', '--global'], { encoding: 'utf8' }).trim(), 'npm/bin/npm-cli.js');
}
