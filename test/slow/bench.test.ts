import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { program } from '../support/imggen.ts';

const startRows = 'version help usage-error dry-run';
const imageRows = 'one-url one-base64 one-sse big-base64 big-sse ten-url ten-base64 ten-sse slow-url slow-base64';
const oursInOrder = `${startRows} ${imageRows} batch-20 check-20 due-20`;
const rivalsInOrder = [
  'one-base64: curl + jq + base64',
  'one-base64: gpt-image-2-skill',
  'ten-url: curl --parallel',
  'ten-base64: curl + jq + base64',
];
const script = fileURLToPath(new URL('../bench/bench.js', import.meta.url));

function bench(args: readonly string[], imggen = program): Promise<{ exit: number; stdout: string; stderr: string }> {
  const env = { ...process.env, IMGGEN_TEST_PROGRAM: imggen };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...args], { env }, (_error, stdout, stderr) =>
      resolve({ exit: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

// No time is judged here: only that each row is there, and that every program did its work.
it('the short form of the bench shows every row', { timeout: 180_000 }, async () => {
  const { exit, stdout, stderr } = await bench(['--short']);
  expect({ exit, stderr }, stdout).toEqual({ exit: 0, stderr: '' });
  const lines = stdout.split('\n');
  expect(lines.filter((line) => line.length > 100)).toEqual([]);

  const rows = lines
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, row]) => row && !/^(row|-+)$/.test(row));
  const figures = /^\d[\d.]* m?s,\d+\.\d\d,,(-?\d[\d.]* ms)?,(\d+ MB|\d+\.\d+ MB|–),$/;
  const ours = rows.filter(([, , name]) => name?.startsWith('imggen'));
  expect(ours.map(([, row]) => row).join(' ')).toBe(oursInOrder);
  for (const [, , , ...cells] of ours) expect(cells.join(',')).toMatch(figures);
  const rivals = rows
    .filter((cells) => !ours.includes(cells))
    .map(([, row, name]) => `${row}: ${name?.replace(/ [\d.]+$/, '')}`);
  expect(rivals).toEqual(rivalsInOrder);
});

it.each([
  ['exit 3, not 0: no luck', `console.error('no luck'); process.exitCode = 3;`],
  ['it wrote 0 files, not 1', ''],
  ['1.png has 6 bytes, not 150000', `require('node:fs').writeFileSync('1.png', 'no cat');`],
  ['1.png has wrong bytes', `require('node:fs').writeFileSync('1.png', Buffer.alloc(150_000));`],
])('the bench fails where a program does: %s', async (reason, code) => {
  const folder = mkdtempSync(join(tmpdir(), 'imggen-bench-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const impostor = join(folder, 'imggen.cjs');
  writeFileSync(impostor, code);
  const { exit, stdout } = await bench(['--short', '--rows', 'one-sse'], impostor);
  expect(stdout).toContain(`\nfailed: one-sse, imggen: ${reason}`);
  expect(exit).toBe(1);
});
