/** Conversions that are under way at once: each holds pictures in memory that are far larger than their files. */
const limit = 2;

let free = limit;
const waiting: (() => void)[] = [];

/** Does the work as soon as fewer than two others of this process are at theirs, in the order of asking. */
export async function takeTurn<T>(work: () => Promise<T>): Promise<T> {
  if (free > 0) free -= 1;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    // Whoever waits gets this turn itself: nobody can step in between.
    if (next) next();
    else free += 1;
  }
}
