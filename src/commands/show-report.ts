import { hintMayBeCharged } from '../errors.ts';
import { missingImages, unmadeImages } from '../journal/fold.ts';
import { type FailedImage, imagesAre, type Report, reportDocument } from '../generate/report.ts';
import { formatBytes, formatDuration } from '../terminal/format.ts';
import { oneLine } from '../terminal/sanitize.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { SavedImage } from '../images/types.ts';

/** Shows a run: paths or JSON on stdout, everything for people on stderr. */
export async function showReport(report: Report, json: boolean, terminal: Terminal): Promise<void> {
  if (json) await terminal.json(reportDocument(report));
  else await showImages(report.images, terminal);
  showMissing(report, terminal);
  terminal.info(terminal.paint.dim(summary(report)));
}

/** One line an image. */
export async function showImages(images: readonly SavedImage[], terminal: Terminal): Promise<void> {
  for (const image of images) await showImage(image, terminal);
}

/** On a terminal the facts stand before the path, and go to stderr: stdout has the path alone. */
async function showImage(image: SavedImage, terminal: Terminal): Promise<void> {
  if (image.path === '-') return;
  const shown = oneLine(image.path);
  if (terminal.isInteractive) {
    const { width, height, format, bytes } = image;
    const size = width === null ? '' : `${width} × ${height}  `;
    const facts = `${terminal.paint.green('✔')} ${size}${format}  ${formatBytes(bytes)}`;
    if (terminal.isStdoutTerminal) terminal.lead(`${facts}  `);
    else terminal.info(`${facts}  ${shown}`);
  }
  // A script needs the exact path; a terminal would obey its control characters.
  await terminal.data(terminal.isStdoutTerminal ? shown : image.path);
}

function showMissing(report: Report, terminal: Terminal): void {
  const { failed, run } = report;
  const { asked, answered } = run;
  if (answered?.pending) {
    terminal.problem(
      `task ${answered.taskId ?? '(without an id)'} is not finished (${answered.taskStatus}), so there is no image yet`,
    );
    if (answered.requestId) terminal.problem(`request ${answered.requestId}`, 'cause');
    terminal.problem('it is paid for: imggen config set taskUrl <url with {task_id}>, then imggen resume', 'hint');
    return;
  }
  const unmade = failed.filter(({ original }) => original !== undefined);
  if (unmade.length > 0) {
    showFailed(unmade, asked.n, 'saved and not converted', terminal);
    if (unmadeImages(run).length > 0) terminal.problem('to convert without a new generation: imggen resume', 'hint');
  }
  const unsaved = failed.filter(({ original }) => original === undefined);
  if (unsaved.length === 0) return;
  showFailed(unsaved, asked.n, 'not saved', terminal);
  const missing = missingImages(run).length;
  const [they, them] = missing === 1 ? ['it is', 'it'] : ['they are', 'them'];
  if (missing > 0)
    terminal.problem(`${they} paid for; to save ${them} without a new generation: imggen resume`, 'hint');
  else if (run.problem?.state === 'unknown') terminal.problem(hintMayBeCharged(asked.run), 'hint');
}

function showFailed(failed: readonly FailedImage[], n: number, state: string, terminal: Terminal): void {
  terminal.problem(imagesAre(failed.length, n, state));
  terminal.problem(failed.map(({ index, reason }) => `image ${index}: ${reason}`).join('; '), 'cause');
}

/** `2 images in 12.3 s · 1056 tokens · request req_1` */
function summary({ images, run: { answered }, elapsedMs }: Report): string {
  const tokens = answered?.usage?.total_tokens;
  return [
    `${images.length} ${images.length === 1 ? 'image' : 'images'} in ${formatDuration(elapsedMs)}`,
    tokens ? `${tokens} tokens` : '',
    answered?.requestId ? `request ${oneLine(answered.requestId)}` : '',
  ]
    .filter(Boolean)
    .join(' · ');
}
