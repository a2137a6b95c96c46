const hook = new URL('kill.js', import.meta.url).href;

/** The environment in which a program kills itself right before its disk call of this number, from 1. */
export function killedAt(call: number): Record<string, string> {
  return { NODE_OPTIONS: `--import=${hook}`, IMGGEN_KILL_AT: String(call) };
}
