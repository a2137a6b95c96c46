import { readlinkSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import { isAbsolute } from 'node:path';
import { ImggenError } from '../errors.ts';
import { Redactor } from './redactor.ts';
import type { Host } from './types.ts';

/** This process, its streams and its signals. */
export function realHost(): Host {
  const { env, platform, pid, stdout, stderr } = process;
  // Without a listener a reader that goes away (`| head`) ends the process with a stack trace. Writes get the error.
  for (const stream of [stdout, stderr]) stream.on('error', () => {});
  return {
    env,
    platform,
    home: homeDirectory(),
    machine: { name: machineName(), pid, isRunning },
    redactor: new Redactor(),
    // A getter, because to open stdin makes the process wait for it.
    get stdin() {
      return process.stdin;
    },
    stdout,
    stderr,
    signal: interruption(),
  };
}

/** HOME, or the one of the user's account where HOME is empty or relative; empty where there is neither. */
function homeDirectory(): string {
  if (isAbsolute(homedir())) return homedir();
  try {
    return userInfo().homedir;
  } catch {
    return '';
  }
}

/** Containers may share a host name, and each counts its processes by itself: `build-1 pid:[4026531836]`. */
function machineName(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    // Only Linux has several counts.
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
