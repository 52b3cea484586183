// A report over many runs and the metrics of one test set, on records that are made first, untimed. Prints one line of JSON.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { predictions } from "../../dist/metrics/index.js";
import { appendLine } from "../../dist/run/durable.js";
import { createRun } from "../../dist/run/record.js";
import { testResult, writeResults } from "../../dist/run/results.js";

const { values } = parseArgs({
  options: {
    what: { type: "string", default: "report" },
    runs: { type: "string", default: "50" },
    images: { type: "string", default: "10000" },
    classes: { type: "string", default: "10" },
    epochs: { type: "string", default: "20" },
    steps: { type: "string", default: "391" },
    times: { type: "string", default: "9" },
  },
});
const [runs, images, classes, epochs, steps, times] = [
  ...[values.runs, values.images, values.classes],
  ...[values.epochs, values.steps, values.times],
].map(Number);
const names = Array.from({ length: classes }, (_, c) => `class ${c}`);
const labels = Int32Array.from({ length: images }, (_, i) => i % classes);
const root = mkdtempSync(join(tmpdir(), "thaw-bench-report-"));

/** Softmax of noise, with `skill` for the true class. */
function judged(salt, skill) {
  const probabilities = new Float32Array(images * classes);
  let state = salt + 1;
  for (let i = 0; i < images; i++) {
    let total = 0;
    for (let c = 0; c < classes; c++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const value = Math.exp((4 * state) / 2 ** 32 + (c === labels[i] ? skill : 0));
      probabilities[i * classes + c] = value;
      total += value;
    }
    for (let c = 0; c < classes; c++) probabilities[i * classes + c] /= total;
  }
  return predictions(probabilities, labels, classes);
}

function writeRun(i) {
  const config = { data: "made", model: `model_${i % 5}`, lr: 1e-3, epochs, batchSize: 128 };
  const run = createRun({
    ...{ out: root, name: `run-${i}`, environment: { threads: 2, precision: "bf16" } },
    config: { ...config, strategy: "scratch", seed: i, clipGrad: 1 },
  });
  const stepLines = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const done = 1 - Math.exp(-epoch / 5);
    const [trainLoss, valLoss] = [2.3 - 2 * done, 2.3 - 1.8 * done];
    const [trainAccuracy, valAccuracy] = [0.1 + 0.85 * done, 0.1 + (0.8 - i / 1000) * done];
    const shares = { trainLoss, trainAccuracy, valLoss, valAccuracy };
    appendLine(
      run.path("metrics.jsonl"),
      JSON.stringify({ epoch, step: epoch * steps, lr: 1e-3, ...shares }),
      { sync: false },
    );
    const timing = { epoch, train: 20, validation: 2, imagesPerSecond: 1500 };
    appendLine(run.path("timings.jsonl"), JSON.stringify(timing), { sync: false });
    for (let k = 1; k <= steps; k++) {
      const step = (epoch - 1) * steps + k;
      stepLines.push(JSON.stringify({ step, epoch, loss: trainLoss, lr: 1e-3, gradNorm: 1 / k }));
    }
  }
  appendLine(run.path("steps.jsonl"), stepLines.join("\n"), { sync: false });
  const test = writeResults(run.dir, {
    ...{ predictions: judged(i, 3 + i / 25), classes: names },
  });
  run.writeSummary({
    ...{ model: config.model, strategy: "scratch", dataset: "made", classes: names, seed: i },
    ...{ status: "finished", epochs, parameters: 1e6 + i, trainableParameters: 1e6 + i, test },
    best: { epoch: epochs, valAccuracy: 0.9, valLoss: 0.4 },
    seconds: { total: 450, train: 400, perEpoch: 22 },
    ...{ imagesPerSecond: 1500, peakMemoryBytes: 4e8, precision: "bf16", device: "cpu" },
  });
}

/** The whole command as a person gives it. */
function timeReport() {
  for (let i = 0; i < runs; i++) writeRun(i);
  const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [main, "report", "--out", root]);
  const seconds = (performance.now() - started) / 1000;
  if (status !== 0) throw new Error(stderr.toString());
  return seconds;
}

/** All numbers of a summary's `test`, the bootstrap's 1,000 draws among them. The first time counts as the others. */
function timeMetrics() {
  const all = Array.from({ length: times }, (_, i) => {
    const given = judged(i, 4);
    const started = performance.now();
    testResult(given);
    return (performance.now() - started) / 1000;
  });
  return all.sort((a, b) => a - b)[times >> 1];
}

try {
  const seconds = values.what === "report" ? timeReport() : timeMetrics();
  process.stdout.write(`${JSON.stringify({ seconds })}\n`);
} finally {
  rmSync(root, { recursive: true });
}
