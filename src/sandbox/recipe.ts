import type { Format } from '../request/fields.ts';

/** Everything that a picture follows from: the same recipe gives the same bytes on the same machine. */
export interface Recipe {
  prompt: string;
  /** Which image of its generation, from 0; each has its own scene. */
  index: number;
  /** In pixels. */
  width: number;
  height: number;
  format: Format;
  transparent: boolean;
  /** Percent, 0 to 100; the quality of jpeg and webp. */
  compression: number;
}
