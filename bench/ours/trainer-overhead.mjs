// What the trainer adds to the bare step: epochs of the real trainer (record, progress, schedule) on batches in memory,
// and between them as many bare steps of a second model. Prints one line of JSON.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chooseCompute } from "../../dist/models/index.js";
import { parseConfig } from "../../dist/run/config-load.js";
import { createRun } from "../../dist/run/record.js";
import { openTracker } from "../../dist/run/track/open.js";
import { trainingInput } from "../../dist/train/input.js";
import { engineFingerprint } from "../../dist/train/resume.js";
import { Session } from "../../dist/train/session.js";
import { trainStep } from "../../dist/train/step.js";
import { Trainer } from "../../dist/train/trainer.js";
import { madeBatches, madeData } from "../harness/made.mjs";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "60" },
    epochs: { type: "string", default: "6" },
    batch: { type: "string", default: "128" },
  },
});
const [steps, epochs, batchSize] = [values.steps, values.epochs, values.batch].map(Number);
const data = madeData();
const out = mkdtempSync(join(tmpdir(), "thaw-bench-trainer-"));
const config = parseConfig({
  ...{ data: "made", model: "simple_cnn", opt: "adam", lr: 1e-3, sched: "cosine" },
  ...{ epochs, batchSize, out, name: "a" },
});
const compute = chooseCompute(config);
const batchOf = madeBatches(batchSize, compute);
/** The same batch again and again: nothing is prepared beside the step. */
const source = {
  ...{ count: steps * batchSize, batchSize, batches: steps, waited: 0 },
  async *epoch() {
    for (let index = 0; index < steps; index++) yield batchOf(index);
  },
  [Symbol.asyncDispose]: async () => {},
};
const input = trainingInput(config, data);
const session = new Session(config, data, input, compute);
await session.train[Symbol.asyncDispose]();
session.train = source;
const other = new Session(config, data, input, compute);
other.model.train();
const { loss } = other;
const bare = { ...compute, lr: 1e-3, loss, clipGrad: undefined };
const run = createRun({ out, name: "a", config: { ...config }, environment: {} });
const ratios = [];
const trainer = new Trainer({
  ...{ config, data, input, compute, run, session, started: performance.now() },
  tracker: openTracker(config, run),
  fingerprint: engineFingerprint(compute),
  options: {
    onStep: () => {},
    onEpoch: ({ epoch }, { train }) => {
      const began = performance.now();
      for (let i = 0; i < steps; i++) trainStep(other.model, other.optimizer, batchOf(i), bare);
      const seconds = (performance.now() - began) / 1000;
      if (epoch > 1) ratios.push(train / seconds);
    },
  },
});
await trainer.fit();
rmSync(out, { recursive: true });
const median = ratios.sort((a, b) => a - b)[ratios.length >> 1];
process.stdout.write(`${JSON.stringify({ overheadPercent: 100 * (median - 1) })}\n`);
process.exit(0);
