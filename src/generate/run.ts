import { ImggenError, messageOf } from '../errors.ts';
import { missingImages, unmadeImages } from '../journal/fold.ts';
import { RunLog } from '../journal/run-log.ts';
import type { Run } from '../journal/types.ts';
import type { Values } from '../options/settings.ts';
import { deliver, downloadOptions, partPlace } from './deliver.ts';
import type { Plan } from './plan.ts';
import { AnswerReceiver } from './receive.ts';
import type { FailedImage, Report } from './report.ts';
import { makeRenditions } from './renditions.ts';
import { send } from './send.ts';
import type { Services } from './services.ts';

/**
 * Runs a plan: journal, the one POST, then every image of its answer to its place. An image that cannot be had is in
 * the report; what concerns all of them is thrown as ImggenError.
 */
export async function runPlan(plan: Plan, values: Values, services: Services): Promise<Report> {
  const startedAt = Date.now();
  const { names, id } = plan;
  if (names && services.isTaken) names.isTaken = services.isTaken;
  const place = partPlace(names, services.state);
  const log = beginLog(plan, values, services);
  const receiver = new AnswerReceiver(place, id);
  let broken: unknown;
  try {
    await send(plan, values, receiver, log, services).catch((error: unknown) => {
      broken = error;
    });
    // Also when the answer broke off: what had arrived whole is saved all the same.
    const downloads = await downloadOptions(values.baseUrl, values);
    const delivery = await deliver(log, { names, place, downloads }, services);
    const { images, failed } = await makeRenditions(log, delivery, names, services);
    if (broken !== undefined && images.length + failed.length === 0) throw broken;
    if (broken !== undefined) services.onWarning(`the answer broke off: ${messageOf(broken)}`);
    const interrupted = interruption(services.signal, log.run, broken !== undefined);
    if (interrupted && images.length === 0) throw interrupted;
    const elapsedMs = Date.now() - startedAt;
    return { run: log.run, images, failed: [...failed, ...neverCame(log.run, broken)], interrupted, elapsedMs };
  } finally {
    services.progress.stop();
    await receiver.discard();
    log.release();
  }
}

function beginLog(plan: Plan, values: Values, { state, machine, onWarning }: Services): RunLog {
  const { prompt: _prompt, model: _model, ...params } = plan.fields;
  const asked = {
    run: plan.id,
    at: plan.at.toISOString(),
    baseUrl: values.baseUrl,
    model: plan.request.model,
    prompt: plan.request.prompt,
    params,
    n: plan.request.n,
    format: plan.format,
    naming: plan.names?.absolute ?? null,
    sidecar: values.sidecar,
    ...(plan.rendition && { rendition: plan.rendition, keepOriginal: values.keepOriginal }),
    sandbox: values.sandbox,
  };
  return RunLog.begin(state, asked, machine, (error) => {
    onWarning(`no journal, so imggen resume cannot finish this run: ${messageOf(error)}`);
  });
}

/** The images that were asked for and are in no answer. */
function neverCame({ asked, images, answered }: Run, broken: unknown): FailedImage[] {
  if (answered?.pending) return [];
  const reason = broken === undefined ? `the API returned ${images.length} of ${asked.n} images` : messageOf(broken);
  return Array.from({ length: Math.max(0, asked.n - images.length) }, (_, k) => ({
    index: images.length + k + 1,
    reason,
  }));
}

/** The user's interruption, if the run could not end before it. */
function interruption({ reason }: AbortSignal, run: Run, isBroken: boolean): ImggenError | undefined {
  const missing = missingImages(run).length + unmadeImages(run).length;
  if (!(reason instanceof ImggenError) || (missing === 0 && !isBroken)) return undefined;
  return new ImggenError(reason.code, reason.message, {
    hint: `${missing} of ${run.asked.n} images are not saved yet: imggen resume`,
  });
}
