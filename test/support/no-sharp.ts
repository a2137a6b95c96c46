import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Place } from './place.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Copies the program to where sharp is not installed, and returns the path of the copy.
 * @param broken the error of a sharp that is installed and does not run
 */
export function programWithoutSharp(place: Place, broken?: string): string {
  const copy = join(place.root, 'program');
  for (const part of ['bin', 'dist', 'package.json']) cpSync(join(root, part), join(copy, part), { recursive: true });
  // A package without its file hides a sharp in the directories above.
  const sharp = join(copy, 'node_modules/sharp');
  mkdirSync(sharp, { recursive: true });
  writeFileSync(join(sharp, 'package.json'), '{ "main": "sharp.js" }');
  if (broken !== undefined) writeFileSync(join(sharp, 'sharp.js'), `throw new Error(${JSON.stringify(broken)});`);
  return join(copy, 'bin/imggen.js');
}
