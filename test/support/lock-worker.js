// A process that works on a lock file, for tests that kill it.
// Arguments: a mode, the lock file, and what the mode takes. What it prints has happened.
import { mkdirSync, rmdirSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { LockLog } from '../../src/batch/lock/log.ts';
import { viewLock } from '../../src/batch/lock/view.ts';

const [mode, lockPath, ...rest] = process.argv.slice(2);
const machine = { name: hostname(), pid: process.pid, isRunning };

const modes = { jobs, turns, hold, view };
try {
  await modes[mode]();
} catch (error) {
  say({ error: { code: error.code, message: error.message, hint: error.hint } });
  process.exitCode = error.exit ?? 1;
}

/** Does the jobs from one number to before another, two at a time, unless they are done; closes after each batch. */
async function jobs() {
  const [from, to, batch] = rest.map(Number);
  for (let start = from; start < to; start += batch) {
    const log = await LockLog.open(lockPath, machine);
    const due = Array.from({ length: Math.min(batch, to - start) }, (_, k) => `out/${start + k}.png`).filter(
      (key) => !log.entries.has(key),
    );
    for (let k = 0; k < due.length; k += 2) await Promise.all(due.slice(k, k + 2).map((key) => job(log, key)));
    await log.close();
    say({ closed: start });
  }
  say({ end: true });
}

async function job(log, key) {
  const run = log.pending.get(key)?.at(-1)?.run ?? `run-${process.pid}`;
  if (!log.pending.has(key)) await log.begun(key, `fingerprint of ${key}`, run);
  say({ begun: key });
  log.done(key, entry(key, run));
  say({ done: key });
}

/** Adds jobs one by one, each in a turn of its own; the directory shows that the owner is alone. */
async function turns() {
  const [name, count] = [rest[0], Number(rest[1])];
  for (let turn = 0; turn < count; turn += 1) {
    const log = await whenFree();
    mkdirSync(`${lockPath}.alone`);
    log.done(`${name}/${turn}.png`, entry(`${name}/${turn}.png`, 'run'));
    rmdirSync(`${lockPath}.alone`);
    await log.close();
  }
  say({ end: true });
}

async function whenFree() {
  for (;;) {
    try {
      return await LockLog.open(lockPath, machine);
    } catch (error) {
      if (!error.message?.startsWith('another imggen batch')) throw error;
      await setTimeout(2);
    }
  }
}

/** Begins one job and waits to be killed. */
async function hold() {
  const log = await LockLog.open(lockPath, machine);
  await log.begun('held.png', 'f', 'run-held');
  say({ held: process.pid });
  await setTimeout(60_000);
}

async function view() {
  const { entries, pending } = await viewLock(lockPath, rest[0] ? { base: rest[0] } : {});
  say({ entries: Object.fromEntries(entries), pending: Object.fromEntries(pending) });
}

function entry(key, run) {
  const sha256 = 'a'.repeat(64);
  return {
    fingerprint: `fingerprint of ${key}`,
    processing: null,
    originals: [{ path: key, sha256, bytes: 1234 }],
    outputs: [],
    run,
    model: 'gpt-image-1',
    request_id: 'req_1',
    task_id: null,
    usage: { total_tokens: 7 },
    generated: new Date().toISOString(),
  };
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function say(what) {
  writeSync(1, `${JSON.stringify(what)}\n`);
}
