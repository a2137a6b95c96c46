import { readlinkSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { ImggenError } from '../errors.ts';
import { ProcessOutput } from './output.ts';
import type { Host } from './types.ts';

/** The real world: this process, its streams and its signals. */
export function realHost(): Host {
  return {
    env: process.env,
    platform: process.platform,
    home: homedir(),
    machine: {
      get name() {
        return machineName();
      },
      pid: process.pid,
      isRunning,
    },
    secrets: [],
    get stdin() {
      return process.stdin;
    },
    stdout: new ProcessOutput(1),
    stderr: new ProcessOutput(2),
    signal: interruption(),
  };
}

/** Containers may share a host name, and each counts its processes by itself: `build-1 pid:[4026531836]`. */
function machineName(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    // Elsewhere than on Linux there is one count for all.
    return hostname();
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The first SIGINT or SIGTERM lets the run clean up; the second ends the process at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  const signals = { SIGINT: ['interrupted', 130], SIGTERM: ['terminated', 143] } as const;
  for (const [name, [code, exit]] of Object.entries(signals)) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exit);
      controller.abort(new ImggenError(code, code));
    });
  }
  return controller.signal;
}
