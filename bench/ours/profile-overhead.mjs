// What profiling adds to a training step of simple_cnn on a batch in memory: rounds of bare steps, of steps that are
// recorded, and of steps of a network that was recorded before. Prints one line of JSON.
import { parseArgs } from "node:util";
import { chooseCompute, createModel } from "../../dist/models/index.js";
import { crossEntropy } from "../../dist/nn/index.js";
import { adam, parameterGroups } from "../../dist/optim/index.js";
import { Recorder } from "../../dist/profile/recording.js";
import { Generator } from "../../dist/tensor/index.js";
import { trainStep } from "../../dist/train/step.js";
import { madeBatches } from "../harness/made.mjs";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "10" },
    rounds: { type: "string", default: "9" },
    batch: { type: "string", default: "128" },
  },
});
const [steps, rounds, batchSize] = [values.steps, values.rounds, values.batch].map(Number);
const compute = chooseCompute({ device: "cpu", precision: "auto" });
const batchOf = madeBatches(batchSize, compute);
const options = {
  ...compute,
  lr: 1e-3,
  loss: (logits, { labels }) => crossEntropy(logits, labels),
  clipGrad: undefined,
};

function network() {
  const random = { init: new Generator(42), dropout: new Generator(43) };
  const model = createModel("simple_cnn", {
    ...{ classes: 5, inChannels: 3, imageSize: [32, 32], random },
  })
    .to(compute)
    .train();
  const optimizer = adam(parameterGroups(model.namedParameters()), { lr: 1e-3 });
  return { model, optimizer };
}

/** Milliseconds of each step. */
function timed({ model, optimizer }, watch) {
  return Array.from({ length: steps }, (_, index) => {
    const began = performance.now();
    watch?.phase("data");
    watch?.batch(batchSize);
    trainStep(model, optimizer, batchOf(index), { ...options, watch });
    return performance.now() - began;
  });
}

function recorded(subject) {
  const recorder = new Recorder(subject.model);
  const times = timed(subject, recorder);
  recorder.pause();
  recorder.stop();
  return times;
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const untouched = network();
const profiled = network();
timed(untouched);
recorded(profiled);
const ratios = { on: [], off: [] };
for (let round = 0; round < rounds; round++) {
  // Bare steps on both sides of what they are held against: a machine that grows slower favours neither.
  const before = timed(untouched);
  const on = recorded(profiled);
  const off = timed(profiled);
  const bare = median([...before, ...timed(untouched)]);
  ratios.on.push(median(on) / bare);
  ratios.off.push(median(off) / bare);
}
const percent = (list) => 100 * (median(list) - 1);
process.stdout.write(
  `${JSON.stringify({ onPercent: percent(ratios.on), offPercent: percent(ratios.off) })}\n`,
);
process.exit(0);
