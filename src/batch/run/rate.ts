/** Reads `--rate`: `30/min`, `2/s`. Returns the time between two, in milliseconds; undefined for what is no rate. */
export function parseRate(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\/(s|min|h)$/.exec(text.trim()) ?? [];
  const intervalMs = { s: 1000, min: 60_000, h: 3_600_000 }[unit as 's' | 'min' | 'h'] / Number(amount);
  return Number.isFinite(intervalMs) ? intervalMs : undefined;
}
