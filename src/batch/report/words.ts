import type { EventError } from '../jobs/types.ts';

/** `1 job`, `2 jobs`. */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

/** A failure in one line. */
export function reasonOf({ message, cause }: EventError): string {
  return cause === null ? message : `${message} (${cause})`;
}
