// What imggen is meant to reach, of which the table shows whether it does. No run fails for it.

/** @param major of the Node that is measured: the floor of later ones is lower, and so the ratio is higher */
function goals(major) {
  const oneImage = major === 20 ? 2.2 : 2.8;
  return [
    { what: 'version', limit: 1.25, ...timesFloor },
    { what: 'help', limit: 1.25, ...timesFloor },
    { what: 'usage-error', limit: 1.6, ...timesFloor },
    { what: 'dry-run', limit: 1.6, ...timesFloor },
    ...['one-url', 'one-base64', 'one-sse'].flatMap((what) => [
      { what, limit: oneImage, ...timesFloor },
      { what, limit: 75, ...memory },
    ]),
    ...['base64', 'sse'].flatMap((kind) => [
      { what: `ten-${kind}`, limit: 120, ...memory },
      { what: `ten-${kind}`, than: `big-${kind}`, limit: 1.15, ...timesMemory },
    ]),
    { what: 'ten-base64', than: 'curl + jq + base64', limit: 0.5, ...timesRival },
    { what: 'ten-url', limit: 100, ...memory },
    // 0.8 of its throughput.
    { what: 'ten-url', than: 'curl --parallel', limit: 1.25, ...timesRival },
    { what: 'slow-url', limit: 100, ...memory },
    { what: 'slow-base64', limit: 120, ...memory },
  ];
}

const timesFloor = { of: () => '× floor', figure: ({ ours, floor }) => ours.ms / floor.ms };
const memory = { of: () => 'MB of memory', figure: ({ ours }) => ours.memory / 1e6 };
const timesMemory = { of: ({ than }) => `× memory of ${than}`, figure: ({ ours }, { than }, all) => ours.memory / all.get(than)?.ours.memory };
const timesRival = { of: ({ than }) => `× time of ${than}`, figure: ({ ours, rivals }, { than }) => ours.ms / rivals.get(than)?.ms };

/**
 * One line for each goal that was measured.
 *
 * @param all by row: `ours`, `floor` and, by name, `rivals`, each with the medians `ms` and `memory`
 */
export function reached(all, major) {
  return goals(major).flatMap((goal) => {
    const row = all.get(goal.what);
    const figure = row?.ours && row.floor ? goal.figure(row, goal, all) : Number.NaN;
    if (Number.isNaN(figure)) return [];
    const over = figure / goal.limit - 1;
    return [[goal.what, goal.of(goal), figure.toPrecision(3), String(goal.limit), over <= 0 ? 'met' : `missed by ${Math.ceil(over * 100)} %`]];
  });
}
