import type { Json } from '../../request/types.ts';

/** Where something stands in a file: line, and column in UTF-16 units, both from 1. */
export interface Position {
  line: number;
  column: number;
}

/** A value, and where it begins. */
export interface Node {
  at: Position;
  value: Json;
  /** The keys of a map, in their order; undefined for anything else. */
  fields?: readonly Field[];
  /** The elements of a list; undefined for anything else. */
  items?: readonly Node[];
}

/** A key of a map, with its value. */
export interface Field {
  key: string;
  at: Position;
  node: Node;
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

/** A batch file, read whole. */
export interface BatchFile {
  defaults: readonly Field[];
  entries: readonly Entry[];
  /** In the order of the text. With a syntax error, or too much in the file, entries may be missing. */
  mistakes: readonly Mistake[];
}

/** A text that holds one value; undefined where its mistakes leave nothing to look at. */
export interface Reading {
  node: Node | undefined;
  mistakes: Mistake[];
}
