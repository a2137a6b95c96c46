import { distance } from 'fastest-levenshtein';

/** The candidate within two edits of a word, the closest first; undefined when there is none. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  return candidates
    .map((candidate) => ({ candidate, edits: distance(lower, candidate.toLowerCase()) }))
    .filter(({ edits }) => edits <= 2)
    .sort((a, b) => a.edits - b.edits)[0]?.candidate;
}

/** The hint for a word that is none of the candidates: the similar one, else all of them. */
export function suggestion(word: string, candidates: readonly string[]): string | undefined {
  const meant = closest(word, candidates);
  return meant === undefined ? oneOfHint(candidates) : `did you mean ${meant}?`;
}

/** `one of: a, b, c`; undefined where there is nothing to choose from. */
export function oneOfHint(candidates: readonly string[]): string | undefined {
  return candidates.length === 0 ? undefined : `one of: ${candidates.join(', ')}`;
}
