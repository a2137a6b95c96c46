import type { Json } from '../../request/types.ts';

/** Where something stands in a file: line and column, both from 1. */
export interface Position {
  line: number;
  column: number;
}

/** A key of a job, or of the defaults, with its value. */
export interface Field {
  key: string;
  value: Json;
  at: Position;
  valueAt: Position;
  /** Position of something inside the value, by its path (`[0, 'resize']`); of the nearest that is known. */
  within(path: readonly (string | number)[]): Position;
}

/** One declared job, as written. */
export interface Entry {
  /** From 0. */
  index: number;
  at: Position;
  fields: readonly Field[];
}

/** A mistake in the file. */
export interface Mistake {
  at: Position;
  message: string;
  hint?: string;
}

/** A manifest that is open for reading. */
export interface Manifest {
  defaults: readonly Field[];
  /** Can be iterated more than once; JSON Lines and text are read as a stream each time, in flat memory. */
  entries(): AsyncIterable<Entry | Mistake>;
  /** Removes what was spooled. */
  close(): Promise<void>;
}
