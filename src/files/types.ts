import type { NameFields } from './template.ts';

/** What happens when a name is taken: the next number is used, the file is replaced, or the image is left out. */
export type Collision = 'number' | 'overwrite' | 'skip';

/** One image's place: planned before anything is sent. */
export interface Target {
  /** The number in the name, from 1. */
  i: number;
  /** As planned: the extension may still follow the bytes, and a name that is taken meanwhile is passed over. */
  path: string;
}

/** Everything that the names of a run's files follow from: enough to go on with them in another process. */
export interface Naming {
  directory: string;
  /** A template, or the stem of an exact name. */
  template: string | null;
  stem: string | null;
  extension: string;
  fields: NameFields;
  collision: Collision;
  /** Whether `<image>.json` must be free too. */
  sidecar: boolean;
  /**
   * Present when the images are originals, from each of which a rendition is made: the extension of the renditions, null
   * for that of the original. Both names must be free.
   */
  renditions?: { extension: string | null };
  /**
   * With `overwrite`: the stamp of each file that had a planned name, by path. Only these files may be replaced, and
   * only while they are unchanged. Absent in what an older version planned.
   */
  replaces?: Readonly<Record<string, string>>;
  targets: Target[];
}
