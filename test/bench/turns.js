// Many runs of several programs, in turn, so that other load on the machine meets all of them.
import { setImmediate } from 'node:timers/promises';
import { measure, measuresMemory } from './measure.js';

const attempts = 3;

/**
 * Runs each program `runs` times; those that fail do not count, and one that only fails is given up. A first round, which
 * looks at every byte and fills the caches, counts only where it is the only one.
 *
 * @param signal ends it between two runs
 * @returns by program, `figures`, which are the medians of `ms`, `memory` and `cpu` and the least `min`, and the `failures`
 */
export async function takeTurns(programs, runs, scratch, signal) {
  const records = new Map(
    programs.map((program) => [program, { ms: [], memory: [], cpu: [], failures: [], isChecked: false }]),
  );
  for (let round = runs > 1 ? 0 : 1; round <= runs; round += 1) {
    for (const [program, record] of records) {
      // A run blocks this process: here it hears of signals.
      await setImmediate(undefined, { signal });
      if (program.skip || (record.failures.length >= attempts && !record.isChecked)) continue;
      try {
        const { ms, memory, cpu } = measure(program, { scratch, thorough: !record.isChecked });
        record.isChecked = true;
        if (round === 0) continue;
        record.ms.push(ms);
        record.memory.push(memory);
        record.cpu.push(cpu);
      } catch (error) {
        record.failures.push(error.message);
      }
    }
  }
  return new Map(
    [...records].map(([program, { failures, ...rest }]) => [program, { failures, figures: figuresOf(rest) }]),
  );
}

function figuresOf({ ms, memory, cpu }) {
  if (ms.length === 0) return undefined;
  const used = measuresMemory ? { memory: median(memory), cpu: median(cpu) } : {};
  return { ms: median(ms), min: Math.min(...ms), ...used };
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
