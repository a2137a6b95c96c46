import { expect, test, vi } from 'vitest';
import { startSandbox } from '../../src/sandbox/server.ts';

vi.mock('sharp', () => {
  throw new Error("Cannot find package 'sharp'");
});

test('without sharp the sandbox says so', async () => {
  await expect(startSandbox()).rejects.toMatchObject({
    code: 'usage',
    exit: 2,
    message: 'the sandbox draws its images with sharp, which is not installed',
    hint: expect.stringContaining('npm install sharp'),
  });
});
