// Markdown tables that are as readable as text.

/** @param columns of `[heading, width]`, a negative width for text on the left */
export function table(columns) {
  const line = (cells) => `| ${cells.map((cell, index) => padded(cell, columns[index][1])).join(' | ')} |`;
  return {
    head: () => [
      line(columns.map(([heading]) => heading)),
      `| ${columns.map(([, width]) => (width < 0 ? '-'.repeat(-width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`,
    ],
    line,
  };
}

function padded(cell, width) {
  return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
}

export function milliseconds(ms) {
  return ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
