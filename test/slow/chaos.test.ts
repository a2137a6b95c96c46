import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ended } from '../support/bench.ts';

// The long one: npm run chaos
test('a short chaos loses nothing, and pays for nothing twice', { timeout: 60_000 }, async () => {
  const tool = fileURLToPath(new URL('chaos.js', import.meta.url));
  const { exit, stdout, stderr } = await ended(
    spawn(process.execPath, [tool, '--runs', '24', '--seed', '1', '--jobs', '4']),
  );
  expect({ exit, stdout, stderr }).toEqual({
    exit: 0,
    stdout: expect.stringMatching(/nothing lost, nothing paid for twice\n$/),
    stderr: '',
  });
});
