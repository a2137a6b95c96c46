import { createHash } from 'node:crypto';

/**
 * A source of numbers in [0, 1) that follow from a text, the same on every machine (mulberry32).
 * Good enough for pictures and for the rate of faults, not for secrets.
 */
export function seededRandom(text: string): () => number {
  let state = createHash('sha256').update(text).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
