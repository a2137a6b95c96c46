import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';

const program = fileURLToPath(new URL('../bin/imggen.js', import.meta.url));

/** A home of its own: what runs imggen there, and where it keeps its compiled files. */
function home() {
  const directory = mkdtempSync(path.join(tmpdir(), 'imggen-compiled-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const kept = path.join(directory, '.cache/imggen');
  const run = (
    args: readonly string[] = ['a cat', '--dry-run', '--name', 'cat'],
    env: Record<string, string> = {},
  ): Promise<string> =>
    new Promise((resolve, reject) => {
      const all = { PATH: process.env.PATH, HOME: directory, ...env };
      execFile(process.execPath, [program, ...args], { cwd: directory, env: all }, (error, stdout, stderr) =>
        error || stderr !== '' ? reject(error ?? new Error(stderr)) : resolve(stdout),
      );
    });
  const file = () => path.join(kept, readdirSync(kept)[0] as string);
  return { directory, kept, run, file };
}

describe('what V8 made of the program', () => {
  test('is kept in one file for its user alone', async () => {
    const { kept, run, file } = home();
    const first = await run();
    expect(readdirSync(kept)).toEqual([`${process.version}-${process.arch}.bin`]);
    expect([kept, file()].map((each) => statSync(each).mode & 0o777)).toEqual([0o700, 0o600]);
    expect(await run()).toBe(first);
  });

  test('is written again only when something is missing', async () => {
    const { run, file } = home();
    await run(['--version']);
    const small = readFileSync(file());
    await run();
    const whole = readFileSync(file());
    expect(whole.length).toBeGreaterThan(small.length * 10);
    await run(['--version']);
    await run();
    expect(readFileSync(file()).equals(whole)).toBe(true);
  });

  test('stays as it is when a run sets flags of its own on the way', async () => {
    const { directory, run, file } = home();
    writeFileSync(path.join(directory, 'prompts.txt'), 'a cat\n');
    const batch = ['batch', 'prompts.txt', '--dry-run', '--quiet'];
    await run(batch);
    await run();
    const whole = readFileSync(file());
    for (const args of [batch, undefined, batch]) await run(args);
    expect(readFileSync(file()).equals(whole)).toBe(true);
  });

  const damages: [string, (bytes: Buffer) => Buffer][] = [
    ['empty', () => Buffer.alloc(0)],
    ['no such file', () => Buffer.from('Hello.\n')],
    ['cut off', (bytes) => bytes.subarray(0, bytes.length >> 1)],
    ['wrong in its head', (bytes) => Buffer.concat([Buffer.from('['), bytes])],
    [
      'wrong everywhere',
      (bytes) => bytes.map((byte, index) => (index > 4096 && index % 997 === 0 ? byte ^ 0xff : byte)) as Buffer,
    ],
    [
      "another build's",
      (bytes) => Buffer.from(bytes.toString('latin1').replace(/^\["\/\/ build \w/, '["// build _'), 'latin1'),
    ],
  ];
  test.each(damages)('does no harm when it is %s, and is written anew', async (_name, damage) => {
    const { run, file } = home();
    const first = await run();
    const { length } = readFileSync(file());
    writeFileSync(file(), damage(readFileSync(file())));
    expect(await run()).toBe(first);
    expect(Math.abs(readFileSync(file()).length / length - 1)).toBeLessThan(0.1);
  });

  test('is not missed where it cannot be kept', async () => {
    const { directory, run } = home();
    writeFileSync(path.join(directory, '.cache'), '');
    await run();
    await run(undefined, { XDG_CACHE_HOME: '/proc/none' });
    await run(undefined, { XDG_CACHE_HOME: 'relative' });
    expect(readdirSync(directory)).toEqual(['.cache']);
  });

  test('is not kept where nobody wants it', async () => {
    const { directory, run } = home();
    await run(undefined, { NODE_DISABLE_COMPILE_CACHE: '1' });
    expect(existsSync(path.join(directory, '.cache'))).toBe(false);
  });

  test('leaves no part of itself behind in a directory that takes no file', async () => {
    const { kept, run } = home();
    mkdirSync(kept, { recursive: true });
    chmodSync(kept, 0o500);
    mkdirSync(path.join(kept, `${process.version}-${process.arch}.bin`));
    await run();
    expect(readdirSync(kept)).toHaveLength(1);
  });

  test('serves many processes that begin at once', async () => {
    const { kept, run } = home();
    const all = await Promise.all(Array.from({ length: 6 }, () => run()));
    expect(new Set(all).size).toBe(1);
    expect(readdirSync(kept)).toHaveLength(1);
  });
});
