import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { imggen } from '../support/imggen.ts';
import { shell } from '../support/pty.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };
const built = readFileSync(`${root}dist/help.txt`, 'utf8');

/** A copy of the package without those files of dist/. Returns what runs it. */
function copyWithout(left: RegExp) {
  const copy = mkdtempSync(path.join(tmpdir(), 'imggen-start-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  for (const name of ['bin', 'dist'])
    cpSync(path.join(root, name), path.join(copy, name), { recursive: true, filter: (file) => !left.test(file) });
  return (...args: string[]): Promise<{ failed: boolean; stdout: string }> =>
    new Promise((resolve) => {
      const env = { PATH: process.env.PATH, HOME: copy };
      execFile(process.execPath, [path.join(copy, 'bin/imggen.js'), ...args], { env }, (error, stdout) =>
        resolve({ failed: error !== null, stdout }),
      );
    });
}

describe('a lone --version or --help', () => {
  test.each(['--version', '-V'])('%s prints the version', async (option) => {
    expect(await imggen([option])).toMatchObject({ exit: 0, stdout: `${version}\n`, stderr: '' });
  });

  test.each(['--help', '-h'])('%s prints what commander makes of `imggen help`', async (option) => {
    const commander = await imggen(['help']);
    expect(commander.stdout).toMatch(/^Usage: imggen /);
    expect(await imggen([option])).toMatchObject({ exit: 0, stdout: commander.stdout, stderr: '' });
    expect(built).toBe(commander.stdout);
  });

  test.each([30, 79, 80, 99, 100, 101, 200])('--help is the same on a terminal of %i columns', async (columns) => {
    const said = async (words: string) => {
      // The shell waits, for what a terminal has not passed on when its last process ends may be lost.
      const run = shell(`stty cols ${columns} -echo; imggen ${words}; echo "exit $?"; read _`);
      await run.saw('exit 0');
      run.type('\n');
      await run.end;
      return run.raw().replace(/exit 0\r\n$/, '');
    };
    const [help, commander] = await Promise.all([said('--help'), said('help')]);
    expect(help).toContain('Usage: imggen');
    expect(help).toBe(commander);
    expect(help === built.replaceAll('\n', '\r\n')).toBe(columns >= 100);
  });

  test.each(['--version', '--help'])('%s needs nothing of the program', async (option) => {
    const run = copyWithout(/cli-\w+\.js$/);
    expect(await run(option)).toEqual({ failed: false, stdout: option === '--help' ? built : `${version}\n` });
    expect(await run('a cat', option)).toMatchObject({ failed: true });
  });

  test('--help does without the built text', async () => {
    const run = copyWithout(/help\.txt$/);
    expect(await run('--help')).toEqual({ failed: false, stdout: built });
  });
});

test.each([
  ['--version', '--help'],
  ['--help', '--version'],
  ['a cat', '--help'],
  ['--dry-run', '--version'],
])('%s %s is for commander', async (...args) => {
  const { exit, stdout } = await imggen(args);
  expect(exit).toBe(0);
  expect([built, `${version}\n`]).toContain(stdout);
});
