// What imggen is meant to reach, beside what it reached. No run fails for it.

const timesFloor = { of: () => '× floor', figure: ({ ours, floor }) => ours.ms / floor?.ms };
const memory = { of: () => 'MB of memory', figure: ({ ours }) => ours.memory / 1e6 };
const timesMemory = {
  of: ({ than }) => `× memory of ${than}`,
  figure: ({ ours }, { than }, all) => ours.memory / all.get(than)?.ours?.memory,
};
const cpuOfJob = { of: () => 'ms of CPU a job', figure: ({ ours }) => ours.cpuOfJob };
const seconds = { of: () => 'seconds', figure: ({ ours }) => ours.ms / 1000 };
/** `than` begins the rival's name: its version follows. */
const timesRival = {
  of: ({ than }) => `× time of ${than}`,
  figure: ({ ours, rivals }, { than }) => ours.ms / [...rivals].find(([name]) => name.startsWith(than))?.[1]?.ms,
};

/** @param major of the measured Node */
function goals(major) {
  return [
    { row: 'version', limit: 1.4, ...timesFloor },
    { row: 'help', limit: 1.6, ...timesFloor },
    { row: 'usage-error', limit: 1.8, ...timesFloor },
    { row: 'dry-run', limit: 1.8, ...timesFloor },
    ...['one-url', 'one-base64', 'one-sse'].flatMap((row) => [
      { row, limit: major === 20 ? 2.7 : 2.5, ...timesFloor },
      { row, limit: 75, ...memory },
    ]),
    { row: 'one-base64', than: 'gpt-image-2-skill', limit: 1, ...timesRival },
    { row: 'ten-url', limit: 130, ...memory },
    { row: 'ten-url', than: 'curl --parallel', limit: 1.5, ...timesRival },
    { row: 'ten-base64', limit: 120, ...memory },
    { row: 'ten-base64', than: 'big-base64', limit: 1.15, ...timesMemory },
    { row: 'ten-base64', than: 'curl + jq + base64', limit: 0.5, ...timesRival },
    { row: 'ten-sse', limit: 120, ...memory },
    { row: 'ten-sse', than: 'big-sse', limit: 1.15, ...timesMemory },
    { row: 'slow-url', limit: 130, ...memory },
    { row: 'slow-base64', limit: 120, ...memory },
    { row: 'batch-1000', limit: 6, ...cpuOfJob },
    { row: 'batch-10000', limit: 6, ...cpuOfJob },
    { row: 'batch-10000', limit: 200, ...memory },
    { row: 'check-10000', limit: 200, ...memory },
    { row: 'due-100000', limit: 8, ...seconds },
    { row: 'yaml-20000', limit: 3, ...seconds },
  ];
}

/**
 * The cells of a line for each goal that was measured: row, unit, figure, limit, whether it is met.
 *
 * @param all by row: the figures `ours`, `floor` and, by name, `rivals`; undefined for what was not measured
 */
export function reached(all, major) {
  return goals(major).flatMap((goal) => {
    const row = all.get(goal.row);
    const figure = row?.ours ? goal.figure(row, goal, all) : Number.NaN;
    if (Number.isNaN(figure)) return [];
    const over = Math.ceil((figure / goal.limit - 1) * 100);
    return [
      [goal.row, goal.of(goal), figure.toPrecision(3), String(goal.limit), over <= 0 ? 'met' : `missed by ${over} %`],
    ];
  });
}
