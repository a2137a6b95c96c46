import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { partPath, type PartPlace, removePart, temporaryPrefix } from '../files/part.ts';
import type { TargetNames } from '../files/target.ts';
import { missingImages } from '../journal/fold.ts';
import type { RunLog } from '../journal/run-log.ts';
import type { RunImage } from '../journal/types.ts';
import { inlineName } from './receive.ts';
import { inspectFile } from '../images/inspect.ts';

/**
 * Brings a run's journal up to what is on the disk, after its process died at any moment: images that were stored but
 * not named, or named but not noted. What is neither there nor behind a URL is noted as lost.
 */
export async function recover(log: RunLog, names: TargetNames, place: PartPlace): Promise<void> {
  const { run } = log;
  if (run.answered === null) await recoverAnswer(log, place);
  for (const image of missingImages(run)) await recoverImage(image, log, names, place);
}

/** The process died while the answer came, or before. Images of it that are whole were paid for. */
async function recoverAnswer(log: RunLog, place: PartPlace): Promise<void> {
  const { asked, problem } = log.run;
  const whole: string[] = [];
  for (const part of await leftovers([place.directory, place.fallback], inlineName(asked.run, 0).slice(0, -1))) {
    if (await inspectFile(part)) whole.push(part);
  }
  if (problem === null) {
    log.add({
      type: 'unknown',
      code: 'interrupted',
      message: 'the process ended before the answer was complete',
      requestId: null,
    });
  }
  if (whole.length === 0) return;
  const nothing = { usage: null, expires: null, taskId: null, taskStatus: null, requestId: null, pending: false };
  log.add({ type: 'answered', ...nothing, sources: whole.map((part) => ({ part })) });
}

async function recoverImage(image: RunImage, log: RunLog, names: TargetNames, place: PartPlace): Promise<void> {
  const { index, source, stored } = image;
  const own = [place.directory, place.fallback].map((where) => partPath(where, `${log.run.asked.run}-${index}`));
  const parts = [stored?.part, ...(source && 'part' in source ? [source.part] : own)];
  for (const part of parts) {
    const facts = part ? await inspectFile(part) : undefined;
    if (part && facts) return log.add({ type: 'stored', index, part, facts });
  }
  if (stored) {
    // A rename had taken the part to its name when the process died.
    const { value: path } = names.candidates(names.naming.targets[index - 1], stored.facts.format).next();
    const facts = await inspectFile(path);
    if (facts?.sha256 === stored.facts.sha256) return log.add({ type: 'saved', index, path, facts });
    log.add({ type: 'unstored', index });
  }
  if (!source || !('url' in source)) log.add({ type: 'lost', index, reason: 'its bytes are gone' });
}

/** Removes the temporary files of a run that nothing needs any more. */
export async function removeLeftovers(
  log: RunLog,
  { naming }: TargetNames,
  { directory, fallback }: PartPlace,
): Promise<void> {
  const kept = new Set(missingImages(log.run).map(({ stored }) => stored?.part));
  const places = [directory, fallback, ...naming.targets.map(({ path }) => dirname(path))];
  for (const path of await leftovers(places, log.run.asked.run)) if (!kept.has(path)) await removePart(path);
}

async function leftovers(places: readonly string[], name: string): Promise<string[]> {
  const found: string[] = [];
  for (const place of new Set(places)) {
    const names = await readdir(place).catch(() => []);
    found.push(
      ...names
        .filter((entry) => entry.startsWith(temporaryPrefix(name)))
        .sort()
        .map((entry) => join(place, entry)),
    );
  }
  return found;
}
