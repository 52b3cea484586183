// What a step's record (steps.jsonl) and its TensorBoard events cost: steps of simple_cnn on one batch in memory, by turns
// with and without. Prints one line of JSON.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chooseCompute } from "../../dist/models/index.js";
import { parseConfig } from "../../dist/run/config-load.js";
import { createRun } from "../../dist/run/record.js";
import { openTracker } from "../../dist/run/track/open.js";
import { trainingInput } from "../../dist/train/input.js";
import { Session } from "../../dist/train/session.js";
import { trainStep } from "../../dist/train/step.js";
import { madeBatches, madeData } from "../harness/made.mjs";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "200" },
    warmup: { type: "string", default: "10" },
    batch: { type: "string", default: "128" },
  },
});
const [steps, warmup, batchSize] = [values.steps, values.warmup, values.batch].map(Number);
const data = madeData();
const out = mkdtempSync(join(tmpdir(), "thaw-bench-logging-"));
const config = parseConfig({
  ...{ data: "made", model: "simple_cnn", opt: "adam", lr: 1e-3, clipGrad: 1 },
  ...{ batchSize, out, name: "a" },
});
const compute = chooseCompute(config);
const batchOf = madeBatches(batchSize, compute);
const session = new Session(config, data, trainingInput(config, data), compute);
const { model, optimizer, loss } = session;
model.train();
const run = createRun({ out, name: "a", config: { ...config }, environment: {} });
const tracker = openTracker(config, run);
const options = { ...compute, lr: 1e-3, loss, clipGrad: 1 };

/** Seconds of a step, and those of them that its logging took. */
function step(index, isLogged) {
  const began = performance.now();
  const result = trainStep(model, optimizer, batchOf(index), options);
  const stepped = performance.now();
  if (isLogged) {
    const { loss, gradNorm } = result;
    const line = { step: index + 1, epoch: 1, loss, lr: 1e-3, gradNorm };
    run.appendStep(line);
    tracker.step(line);
  }
  const ended = performance.now();
  return { whole: (ended - began) / 1000, logging: (ended - stepped) / 1000 };
}

for (let i = 0; i < warmup; i++) step(i, true);
const [on, off] = [[], []];
for (let i = 0; i < steps; i++) {
  // Every other pair begins without.
  const isLogged = i % 4 === 0 || i % 4 === 3;
  (isLogged ? on : off).push(step(warmup + i, isLogged));
}
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];
const sum = (numbers) => numbers.reduce((total, value) => total + value, 0);
const [logged, bare] = [on, off].map((all) => median(all.map(({ whole }) => whole)));
// The mean: what is written to the disk now and then is in it.
const share = sum(on.map(({ logging }) => logging)) / sum(on.map(({ whole }) => whole));
await tracker.close();
rmSync(out, { recursive: true });
process.stdout.write(
  `${JSON.stringify({ sharePercent: 100 * share, differencePercent: 100 * (logged / bare - 1) })}\n`,
);
process.exit(0);
