import { randomBytes } from 'node:crypto';
import { statSync, utimesSync } from 'node:fs';
import { appendLine } from './lines.ts';

/** The machine and process that imggen runs on. */
export interface Machine {
  /** The host's, and what tells apart those on it that count their processes each for themselves. */
  readonly name: string;
  pid: number;
  /** Whether a process of this machine exists. */
  isRunning(pid: number): boolean;
}

/** Who works on a file of the journal. A process id alone says little when several machines share a state directory. */
export interface Owner {
  host: string;
  pid: number;
  /** Tells two owners apart that have the same process id. */
  token: string;
}

/** What tells whose a file is. */
export type OwnerEntry =
  /** Another process takes it over from an owner that is gone (null: from one that had finished, or from nobody). */
  | { type: 'claimed'; owner: Owner; from: string | null }
  /** The owner has done what it could. */
  | { type: 'released'; token: string };

/** A living owner shows itself by the file's time, this often, in milliseconds. */
const heartbeatMs = 10_000;
/** An owner that was silent for this long, in milliseconds, is gone, even if its process id is in use. */
const silentMs = 60_000;

/** This process as the owner of a file. */
export function newOwner({ name, pid }: Machine): Owner {
  return { host: name, pid, token: randomBytes(8).toString('hex') };
}

/** Whether an owner still works on a file. Of another machine only the file's time tells. */
export function isAlive(owner: Owner | null, path: string, machine: Machine): boolean {
  const lastSeen = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (owner === null || lastSeen === undefined) return false;
  if (Date.now() - lastSeen > silentMs) return false;
  if (owner.host !== machine.name) return true;
  // One that has this process's own id is a process of before.
  return owner.pid !== machine.pid && machine.isRunning(owner.pid);
}

/** The host of an owner as a person knows it. */
export function hostOf({ host }: Owner): string {
  return host.replace(/ pid:\[\d+\]$/, '');
}

/** Whose a file is after one more entry of it. */
export function ownerAfter(owner: Owner | null, entry: OwnerEntry): Owner | null {
  // Of several that claim at once the first in the file wins: the others name an owner that is no more.
  if (entry.type === 'claimed') return (owner?.token ?? null) === entry.from ? entry.owner : owner;
  return owner?.token === entry.token ? null : owner;
}

/**
 * Takes a file over from an owner that is gone, by a line at its end. Returns what the file tells then; undefined when
 * another process has it, or was quicker, or `read` finds nothing. Throws what the file system throws.
 *
 * @param read the file as it is at that moment; undefined when it is none that can be taken over
 */
export function takeOver<State extends { owner: Owner | null }>(
  path: string,
  machine: Machine,
  read: () => State | undefined,
): State | undefined {
  const before = read();
  if (!before || isAlive(before.owner, path, machine)) return undefined;
  const owner = newOwner(machine);
  const claimed: OwnerEntry = { type: 'claimed', owner, from: before.owner?.token ?? null };
  appendLine(path, JSON.stringify(claimed));
  const after = read();
  return after?.owner?.token === owner.token ? after : undefined;
}

/** Shows that the owner of a file lives until clearInterval() is called; the process does not stay for it. */
export function startHeartbeat(path: string, onFailure: (error: unknown) => void): NodeJS.Timeout {
  return setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch (error) {
      onFailure(error);
    }
  }, heartbeatMs).unref();
}
