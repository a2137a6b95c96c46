import { type BatchEvent, upToDate } from '../jobs/types.ts';

/** How far a batch is, as its events tell it. */
export class Tally {
  total = 0;
  upToDate = 0;
  done = 0;
  failed = 0;
  skipped = 0;
  images = 0;
  tokens = 0;
  /** The jobs under way: when each began, and what it does at this moment. */
  readonly inFlight = new Map<string, { startedAt: number; step: string }>();
  readonly #startedAt = performance.now();

  /** Jobs that are over, for better or worse. */
  get over(): number {
    return this.done + this.failed + this.skipped;
  }

  /** An estimate of the time that is left, in milliseconds; undefined before the first job is over. */
  get leftMs(): number | undefined {
    const ended = this.done + this.failed;
    return ended === 0 ? undefined : ((performance.now() - this.#startedAt) / ended) * (this.total - this.over);
  }

  add(event: BatchEvent): void {
    switch (event.type) {
      case 'planned':
        this.total = event.due;
        this.upToDate = event.up_to_date;
        return;
      case 'started':
        this.inFlight.set(event.job, { startedAt: performance.now(), step: '' });
        return;
      case 'retry':
        return this.step(event.job, `waiting to try again: ${event.reason}`);
      case 'saved':
        this.done += 1;
        this.images += event.images;
        this.tokens += event.usage?.total_tokens ?? 0;
        break;
      case 'failed':
        this.failed += 1;
        this.images += event.images;
        break;
      case 'interrupted':
        this.skipped += 1;
        break;
      case 'skipped':
        if (event.why !== upToDate) this.skipped += 1;
        break;
      case 'summary':
        return;
    }
    this.inFlight.delete(event.job);
  }

  /** Notes what a job does at this moment. */
  step(job: string, text: string): void {
    const flight = this.inFlight.get(job);
    if (flight) flight.step = text;
  }
}
