/**
 * Why a path is refused for its characters alone: control characters would reach terminals and scripts that read stdout,
 * NUL ends a name, and half of a surrogate pair is written as another character. Undefined for a good path.
 */
export function characterProblem(path: string): string | undefined {
  if (/[\0-\x1f\x7f-\x9f]/.test(path)) return 'has a control character';
  return path.isWellFormed() ? undefined : 'is not valid Unicode';
}
