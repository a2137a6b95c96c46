import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { gateway } from './gateway.ts';
import { imggen, type Setup } from './imggen.ts';
import { Place } from './place.ts';

/** Runs the program with what it must refuse: no request, nothing on stdout, no file changed. Returns its stderr. */
export async function refused(args: readonly string[], setup: Setup = {}, exit = 2): Promise<string> {
  const api = await gateway();
  const place = setup.place ?? new Place();
  const before = contents(place);
  const result = await imggen(args, { gateway: api, ...setup, place });
  expect(result).toMatchObject({ exit, stdout: '' });
  expect(result.stderr).toMatch(/^error: [^\n]*\n(cause: [^\n]*\n)?(hint: [^\n]*\n)?$/);
  expect(contents(place)).toEqual(before);
  expect(api.requests).toEqual([]);
  return result.stderr;
}

function contents(place: Place) {
  return place.everything().map((path) => [path, readFileSync(path, 'latin1')]);
}
