// Markdown tables that are as readable as text.

/** @param columns of `[heading, width]`, a negative width for text on the left */
export function table(columns) {
  const line = (cells) => `| ${cells.map((cell, index) => padded(cell, columns[index][1])).join(' | ')} |`;
  const rule = columns.map(([, width]) => (width < 0 ? '-'.repeat(-width) : `${'-'.repeat(width - 1)}:`));
  return { head: [line(columns.map(([heading]) => heading)), `| ${rule.join(' | ')} |`], line };
}

function padded(cell, width) {
  return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
}

export function milliseconds(ms) {
  return ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

export function megabytes(bytes) {
  return `${Number((bytes / 1e6).toPrecision(bytes < 10e6 ? 2 : 3))} MB`;
}
