import { usageError } from '../errors.ts';
import { seededRandom } from './random.ts';

/** The faults that `--fault` names, each with its effect. */
export const faultKinds = {
  reject: 'the prompt is refused by content policy (400), not charged',
  '401': 'the API key is refused, not charged',
  '402': 'out of credit under HTTP 402, not charged',
  credit: 'out of credit under HTTP 400, as seen from the real gateway, not charged',
  '429': 'rate limited, with Retry-After: 1, not charged',
  '500': 'server error in JSON, not charged',
  '502': 'bad gateway, a page of HTML, not charged',
  '503': 'overloaded, not charged',
  '504': 'gateway timeout, a page of HTML, not charged',
  'drop-before': 'the connection is closed without an answer, not charged',
  'drop-after': 'the connection is closed without an answer, charged',
  cut: 'the connection is closed in the middle of the answer, charged',
  slow: 'the answer trickles for about three seconds, charged',
  garbage: 'HTTP 200 with a page of HTML instead of the answer, charged',
  pending: 'a task id and no images yet; GET /api/v1/tasks/<id> has them half a second later, charged',
  expired: 'the URL of an image has stopped working (410)',
  'download-404': 'a download is not found',
  'download-500': 'a download ends in a server error',
  'download-cut': 'the connection is closed in the middle of a download',
  'download-truncated': 'a download is complete as HTTP, but the end of the image is missing',
  'slow-download': 'a download trickles for about three seconds',
  'garbage-download': 'a download is HTML under the content type of an image',
} as const;

export type FaultKind = keyof typeof faultKinds;

/** How often each fault struck. */
export type FaultCounts = Partial<Record<FaultKind, number>>;

export interface Fault {
  kind: FaultKind;
  /** How often it strikes: a probability from 0 to 1, or the first time only. */
  rate: number | 'once';
}

/**
 * Reads `kind`, `kind:rate` with a rate from 0 to 1, or `kind:once`.
 * @throws {ImggenError} `usage`, naming the allowed values
 */
export function parseFault(text: string): Fault {
  const [kind = '', rate = '1', ...rest] = text.split(':');
  const given = `--fault ${text || '""'}`;
  if (!Object.hasOwn(faultKinds, kind))
    throw usageError(`${given}: unknown fault "${kind}"`, `one of: ${Object.keys(faultKinds).join(', ')}`);
  // Number() would also read '', ' 1', '0x1' and '1e-1'.
  if (!/^(once|0|1|0?\.\d+|1\.0+)$/.test(rate) || rest.length > 0)
    throw usageError(
      `${given}: expected a rate from 0 to 1, or once`,
      `for example --fault ${kind}:0.5 or ${kind}:once`,
    );
  return { kind: kind as FaultKind, rate: rate === 'once' ? rate : Number(rate) };
}

/** Decides when a configured fault strikes. The decisions depend on the seed and on the order of the questions. */
export class FaultPlan {
  readonly #faults: (Fault & { random: () => number; struck: boolean })[];
  readonly #counts: FaultCounts;

  /** @param counts where each strike is counted */
  constructor(faults: readonly Fault[], seed: number, counts: FaultCounts) {
    // Each fault has a random sequence of its own: adding one does not move the strikes of another.
    this.#faults = faults.map((fault, index) => ({
      ...fault,
      random: seededRandom(`${seed} ${index} ${fault.kind}`),
      struck: false,
    }));
    this.#counts = counts;
  }

  /** Returns and counts the first configured fault that strikes now, of the kinds that are possible at this point. */
  strike<Kind extends FaultKind>(possible: readonly Kind[]): Kind | undefined {
    for (const fault of this.#faults) {
      const match = possible.find((kind) => kind === fault.kind);
      if (match === undefined) continue;
      if (fault.rate === 'once' ? fault.struck : fault.random() >= fault.rate) continue;
      fault.struck = true;
      this.#counts[match] = (this.#counts[match] ?? 0) + 1;
      return match;
    }
    return undefined;
  }
}
