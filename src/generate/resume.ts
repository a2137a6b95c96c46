import { gateway } from '../dialects/gateway.ts';
import { messageOf } from '../errors.ts';
import { TargetNames } from '../files/target.ts';
import { RunLog } from '../journal/run-log.ts';
import type { Asked } from '../journal/types.ts';
import type { Values } from '../options/settings.ts';
import { deliver, downloadOptions, partPlace } from './deliver.ts';
import { AnswerReceiver } from './receive.ts';
import { makeRenditions } from './renditions.ts';
import { recover, removeLeftovers } from './recover.ts';
import type { Report } from './report.ts';
import { awaitTask } from './send.ts';
import type { Services } from './services.ts';

/**
 * Finishes a run without a new generation: saves what is on the disk, asks for a pending task, downloads what is
 * missing. Undefined when another process works on the run. To run it again, or twice at once, is harmless.
 *
 * @param again also try images that were given up before
 */
export async function resumeRun(
  id: string,
  again: boolean,
  values: Values,
  services: Services,
): Promise<Report | undefined> {
  const startedAt = Date.now();
  const log = RunLog.claim(services.state, id, services.machine, (error) => {
    services.onWarning(`the journal cannot be written: ${messageOf(error)}`);
  });
  if (!log) return undefined;
  const { run } = log;
  const names = namesOf(run.asked);
  if (services.isTaken) names.isTaken = services.isTaken;
  const place = partPlace(names, services.state);
  const receiver = new AnswerReceiver(place, id);
  try {
    if (again) log.add({ type: 'retried' });
    await recover(log, names, place);
    if (run.answered?.pending) {
      const { sources: _sources, ...pending } = run.answered;
      await awaitTask({ ...pending, images: [], previews: [], warnings: [] }, gateway, values, receiver, log, services);
    }
    const downloads = await downloadOptions(run.asked.baseUrl, values);
    const delivery = await makeRenditions(
      log,
      await deliver(log, { names, place, downloads }, services),
      names,
      services,
    );
    return { run, ...delivery, interrupted: undefined, elapsedMs: Date.now() - startedAt };
  } finally {
    services.progress.stop();
    await receiver.discard();
    await removeLeftovers(log, names, place);
    log.release();
  }
}

/** The planned names; an image that was meant for stdout gets one in the current directory. */
function namesOf({ naming, prompt, n, model, params, format, at, run, rendition }: Asked): TargetNames {
  if (naming) return TargetNames.resume(naming);
  const fields = {
    prompt,
    n,
    model,
    size: typeof params.size === 'string' ? params.size : 'auto',
    format: rendition?.convert ?? format,
    at,
    id: run,
  };
  const to = { kind: 'files', directory: '.', template: undefined, stem: undefined, extension: undefined } as const;
  return TargetNames.plan(to, fields, 'number', false, rendition && { original: format, convert: rendition.convert });
}
