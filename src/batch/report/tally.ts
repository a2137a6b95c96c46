import { type BatchEvent, upToDate } from '../jobs/types.ts';

/** A job under way. */
export interface InFlight {
  startedAt: number;
  /** What it does at this moment. */
  step: string;
}

/** How far a batch is, as its events tell it. */
export class Tally {
  total = 0;
  upToDate = 0;
  saved = 0;
  failed = 0;
  skipped = 0;
  images = 0;
  tokens = 0;
  readonly inFlight = new Map<string, InFlight>();
  readonly #startedAt = performance.now();

  /** Jobs that are over, whatever became of them. */
  get over(): number {
    return this.saved + this.failed + this.skipped;
  }

  /** An estimate of the time that is left, in milliseconds; undefined while there is nothing to go by. */
  get leftMs(): number | undefined {
    const done = this.saved + this.failed;
    return done === 0 ? undefined : ((performance.now() - this.#startedAt) / done) * (this.total - this.over);
  }

  add(event: BatchEvent): void {
    switch (event.type) {
      case 'planned':
        this.total = event.due;
        this.upToDate = event.up_to_date;
        break;
      case 'started':
        this.inFlight.set(event.job, { startedAt: performance.now(), step: '' });
        break;
      case 'retry':
        this.step(event.job, `waiting to try again: ${event.reason}`);
        break;
      case 'saved':
        this.inFlight.delete(event.job);
        this.saved += 1;
        this.images += event.images;
        this.tokens += event.usage?.total_tokens ?? 0;
        break;
      case 'failed':
        this.inFlight.delete(event.job);
        this.failed += 1;
        break;
      case 'skipped':
        this.inFlight.delete(event.job);
        if (event.why !== upToDate) this.skipped += 1;
        break;
      case 'summary':
        break;
    }
  }

  /** Notes what a job does at this moment. */
  step(job: string, text: string): void {
    const flight = this.inFlight.get(job);
    if (flight) flight.step = text;
  }
}
