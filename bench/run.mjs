#!/usr/bin/env node
// Runs Thaw and its peer in turn and prints medians and ratios. bench/README.md tells how to read and extend it.
import { readdir } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { evaluate, goalText, inTurn, show, sidesOf, table } from "./harness/figures.mjs";
import { BenchError, measure, prepareSides } from "./harness/sides.mjs";

const usage = `npm run bench                      lists the benches
npm run bench -- <name> [options]  runs one

  --json           one line of JSON a figure on stdout (npm run --silent keeps npm's own lines out)
  --quick          fewer rounds and steps: a smoke test, not a measurement
  --rounds <n>     rounds of every side (default: 5, quick: 1)
  --figure <name>  only this figure; may be repeated
  --ours-only      only Thaw's side
  --peer-only      only the peer's side`;

const log = (line) => process.stderr.write(`${line}\n`);

async function loadBenches() {
  const files = await readdir(new URL(".", import.meta.url));
  const names = files.filter((file) => file.endsWith(".mjs") && file !== "run.mjs").sort();
  return Promise.all(names.map((file) => import(new URL(file, import.meta.url))));
}

function list(benches) {
  for (const { name, summary, figures, notes = [] } of benches) {
    console.log(`${name}: ${summary}`);
    const rows = figures.map((figure) => [
      `  ${figure.name}`,
      goalText(figure),
      figure.summary ?? "",
    ]);
    if (rows.length > 0) console.log(`${table(rows)}\n`);
    for (const note of notes) console.log(`  ${note}\n`);
  }
  console.log(usage);
}

function chosenFigures(bench, { figure: wanted, oursOnly, peerOnly }) {
  for (const name of wanted ?? []) {
    if (!bench.figures.some((figure) => figure.name === name)) {
      const names = bench.figures.map((figure) => figure.name).join(", ");
      throw new BenchError(`${bench.name} has no figure "${name}". It has: ${names}`);
    }
  }
  const isOurs = (side) =>
    side !== undefined && [side].flat().every((key) => bench.sides[key].runtime === "node");
  return bench.figures
    .filter((figure) => wanted === undefined || wanted.includes(figure.name))
    .map((figure) => {
      const ours = peerOnly ? undefined : figure.ours;
      const peer =
        (oursOnly && !isOurs(figure.peer)) || (peerOnly && isOurs(figure.peer))
          ? undefined
          : figure.peer;
      return { ...figure, ours, peer };
    })
    .filter((figure) => figure.ours !== undefined || figure.peer !== undefined);
}

function print(bench, figures, lines) {
  const header = ["figure", "ours", "peer", "ratio", "goal", "pass"];
  const rows = figures.map((figure, i) => {
    const { ours, peer, ratio, goal, pass } = lines[i];
    const shownRatio = ratio === null ? "–" : `${ratio.toFixed(2)}x`;
    const shownPass = pass === null ? "–" : pass ? "yes" : "NO";
    return [
      figure.name,
      show(ours, figure.unit),
      show(peer, figure.unit),
      shownRatio,
      goal,
      shownPass,
    ];
  });
  console.log(
    `${bench.name}: ${cpus()[0]?.model ?? "unknown CPU"}, ${cpus().length} cores, Node ${process.versions.node}`,
  );
  console.log(table([header, ...rows]));
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      figure: { type: "string", multiple: true },
      "ours-only": { type: "boolean", default: false },
      "peer-only": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const benches = await loadBenches();
  const [name] = positionals;
  if (values.help || name === undefined) return list(benches);
  const bench = benches.find((candidate) => candidate.name === name);
  if (bench === undefined) {
    throw new BenchError(`no bench "${name}". There is: ${benches.map((b) => b.name).join(", ")}`);
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new BenchError(`--rounds ${values.rounds}: expected a whole number from 1 on`);
  }
  for (const note of bench.notes ?? []) log(note);
  const figures = chosenFigures(bench, {
    figure: values.figure,
    oursOnly: values["ours-only"],
    peerOnly: values["peer-only"],
  });
  const sides = sidesOf(figures).map((key) => bench.sides[key]);
  bench.prepare?.(sides);
  const peerEnv = await prepareSides(sides, log);
  if (loadavg()[0] > 0.5) {
    log(
      `load average ${loadavg()[0].toFixed(1)}: something else is running, the figures will be noisy`,
    );
  }
  const results = await inTurn(bench, figures, {
    rounds,
    measure: (side) => measure(side, { quick: values.quick, peerEnv }),
    log,
  });
  const lines = figures.map((figure) => evaluate(bench.name, figure, results));
  if (values.json) for (const line of lines) console.log(JSON.stringify(line));
  else print(bench, figures, lines);
}

main().catch((error) => {
  const usageError = error?.code?.startsWith?.("ERR_PARSE_ARGS") ?? false;
  if (!(error instanceof BenchError) && !usageError) throw error;
  log(`bench: ${error.message}`);
  process.exitCode = usageError ? 2 : 1;
});
