import { execFile } from 'node:child_process';
import { environment, program, type Setup } from './imggen.ts';
import type { Place } from './place.ts';

/** Runs a bash script, in which `imggen` is the program, to its end. */
export function sh(
  script: string,
  place: Place,
  setup: Setup = {},
): Promise<{ exit: number; stdout: Buffer; stderr: string }> {
  const whole = `imggen() { "${process.execPath}" "${program}" "$@"; }\n${script}`;
  const options = {
    cwd: place.cwd,
    env: environment(place, setup),
    encoding: 'buffer' as const,
    timeout: 60_000,
    maxBuffer: 1 << 26,
  };
  return new Promise((resolve) => {
    execFile('/bin/bash', ['-c', whole], options, (error, stdout, stderr) => {
      const exit = typeof error?.code === 'number' ? error.code : error ? 255 : 0;
      resolve({ exit, stdout, stderr: stderr.toString() });
    });
  });
}
