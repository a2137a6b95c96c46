/**
 * Now, or just after `previous` where a clock is behind: of two entries of a job the later counts, and a machine whose
 * clock is fast must not have the last word for ever. ISO 8601.
 */
export function timeAfter(previous: string | undefined): string {
  const now = new Date();
  const before = Date.parse(previous ?? '');
  return (before >= now.getTime() ? new Date(before + 1) : now).toISOString();
}
