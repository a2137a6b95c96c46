import { randomBytes } from 'node:crypto';
import { statSync, utimesSync } from 'node:fs';
import { appendLine } from './disk.ts';

/** This machine and process. */
export interface Machine {
  /** The host's name and, where the system has them, its namespace of process ids: containers may share a host name. */
  readonly name: string;
  pid: number;
  /** Whether this machine has a process of that id. */
  isRunning(pid: number): boolean;
}

/** The process that works on a log. Machines may share a directory, so a process id alone is not enough. */
export interface Owner {
  host: string;
  pid: number;
  /** Random: tells owners with the same process id apart. */
  token: string;
}

/** A line of a log that changes its owner. */
export type OwnerEntry =
  /** A take-over. `from` is the token of the owner that is gone; null where there was none. */
  | { type: 'claimed'; owner: Owner; from: string | null }
  /** The owner is done. */
  | { type: 'released'; token: string };

/** Milliseconds between two heartbeats: a living owner updates the file's time. */
const heartbeatMs = 10_000;
/** Milliseconds without a heartbeat after which an owner is gone, even if its process id is in use. */
const silentMs = 60_000;

/** This process as the owner of a file. */
export function newOwner({ name, pid }: Machine): Owner {
  return { host: name, pid, token: randomBytes(8).toString('hex') };
}

/** Whether an owner still works on a file. For another machine only the heartbeat counts. */
export function isAlive(owner: Owner | null, path: string, machine: Machine): boolean {
  const lastSeen = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (owner === null || lastSeen === undefined) return false;
  if (Date.now() - lastSeen > silentMs) return false;
  if (owner.host !== machine.name) return true;
  // An owner with this process's own id is an earlier process.
  return owner.pid !== machine.pid && machine.isRunning(owner.pid);
}

/** An owner's host as people know it, without the namespace of its process ids. */
export function hostOf({ host }: Owner): string {
  return host.replace(/ pid:\[\d+\]$/, '');
}

/** The owner after one more line. */
export function ownerAfter(owner: Owner | null, entry: OwnerEntry): Owner | null {
  // If several processes claim at once the first line wins: the others name an owner that is no longer the owner.
  if (entry.type === 'claimed') return (owner?.token ?? null) === entry.from ? entry.owner : owner;
  return owner?.token === entry.token ? null : owner;
}

/**
 * Takes a log over from an owner that is gone, by a line at its end. Returns the state of the log with that line;
 * undefined when another process owns it or was quicker, or `read` returns nothing. Throws what the file system throws.
 *
 * @param read the current state of the log; undefined when it cannot be taken over
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

/** Starts the heartbeat of a file's owner. clearInterval() ends it; it does not keep the process alive. */
export function startHeartbeat(path: string, onFailure: (error: unknown) => void): NodeJS.Timeout {
  return setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch (error) {
      onFailure(error);
    }
  }, heartbeatMs).unref();
}
