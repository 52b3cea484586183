/**
 * A number with a goal. `ours` and `peer` name sides of the bench, `metric` the field that both print.
 *
 * @typedef {object} Figure
 * @property {string} name
 * @property {string} [summary] for the list of benches
 * @property {string} [ours] absent only when the peer alone is measured
 * @property {string | readonly string[]} [peer] of several the best counts
 * @property {string} metric
 * @property {string} unit "bytes" is shown as MB, "cosine" with five digits
 * @property {{of: "ratio" | "difference" | "ours", atLeast?: number, atMost?: number}} goal the ratio is ours / peer, the
 *   difference ours - peer
 */

/**
 * @typedef {object} Bench
 * @property {string} name
 * @property {string} summary
 * @property {Readonly<Record<string, import("./sides.mjs").Side>>} sides
 * @property {readonly Figure[]} figures
 * @property {readonly string[]} [notes] why figures are left out on this machine
 * @property {(sides: readonly import("./sides.mjs").Side[]) => void} [prepare] before anything is measured
 */

/**
 * Runs every side that the figures need once a round, in turn and in alternating order, so that a machine that slows
 * down or speeds up does so for both.
 *
 * @param {Bench} bench
 * @param {readonly Figure[]} figures
 * @param {{rounds: number, measure: (side: import("./sides.mjs").Side) => Promise<Record<string, number | string>>,
 *   log: (line: string) => void}} options
 * @returns {Promise<Map<string, Record<string, number | string>[]>>} what each side printed, a record a round
 */
export async function inTurn(bench, figures, { rounds, measure, log }) {
  const keys = sidesOf(figures);
  const results = new Map(keys.map((key) => [key, []]));
  for (let round = 0; round < rounds; round++) {
    for (const key of round % 2 === 0 ? keys : keys.toReversed()) {
      const side = bench.sides[key];
      if (round >= (side.rounds ?? rounds)) continue;
      const result = await measure(side);
      results.get(key).push(result);
      const seen = figures.filter((figure) => sidesOf([figure]).includes(key));
      const metrics = [
        ...new Map(seen.map((f) => [f.metric, show(result[f.metric], f.unit)])).values(),
      ];
      log(`round ${round + 1}/${rounds}  ${key}: ${metrics.join(", ")}`);
    }
  }
  return results;
}

/** @param {readonly Figure[]} figures */
export function sidesOf(figures) {
  const keys = figures.flatMap((f) => [f.ours, f.peer].flat());
  return [...new Set(keys.filter((key) => key !== undefined))];
}

/**
 * The JSON line of a figure.
 *
 * @param {string} bench
 * @param {Figure} figure
 * @param {Map<string, Record<string, number | string>[]>} results
 */
export function evaluate(bench, figure, results) {
  const ours = medianOf(results.get(figure.ours), figure.metric);
  const peer = bestOf(
    [figure.peer].flat().map((side) => medianOf(results.get(side), figure.metric)),
  );
  const ratio = ours === null || peer === null ? null : ours / peer;
  const difference = ratio === null ? null : ours - peer;
  const judged = { ratio, difference, ours }[figure.goal.of];
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = figure.goal;
  const pass = judged === null ? null : judged >= atLeast && judged <= atMost;
  return { bench, figure: figure.name, ours, peer, ratio, goal: goalText(figure), pass };
}

/** The highest: figures with several peers are speeds. @param {readonly (number | null)[]} medians */
function bestOf(medians) {
  const measured = medians.filter((median) => median !== null);
  return measured.length === 0 ? null : Math.max(...measured);
}

/** @param {Record<string, number | string>[] | undefined} records @param {string} metric */
function medianOf(records, metric) {
  const values = (records ?? []).map((record) => record[metric]).sort((a, b) => a - b);
  if (values.length === 0) return null;
  const middle = values.length >> 1;
  return values.length % 2 === 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/** @param {Figure} figure */
export function goalText({ goal, unit }) {
  const suffix = { ratio: "x", difference: ` ${unit} above the peer`, ours: ` ${unit}` }[goal.of];
  return goal.atLeast === undefined ? `<= ${goal.atMost}${suffix}` : `>= ${goal.atLeast}${suffix}`;
}

/** @param {number | string | null | undefined} value @param {string} unit */
export function show(value, unit) {
  if (typeof value !== "number") return "–";
  if (unit === "cosine") return value.toFixed(5);
  if (unit === "bytes") return `${(value / 1e6).toFixed(0)} MB`;
  return `${value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${unit}`;
}

/** Columns padded to their widest cell. @param {readonly (readonly string[])[]} rows */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
