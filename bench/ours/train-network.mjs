// Our side of fine-tuning large networks: the library's own step on one batch in memory. Prints one line of JSON.
import { parseArgs } from "node:util";
import { chooseCompute, createModel, freeze, parseModelName } from "../../dist/models/index.js";
import { crossEntropy } from "../../dist/nn/index.js";
import { adam } from "../../dist/optim/index.js";
import { nest } from "../../dist/profile/self-times.js";
import { Generator, inMemoryFormat, ops, profile, Tensor } from "../../dist/tensor/index.js";
import { trainStep } from "../../dist/train/step.js";
import {
  FrozenStart,
  freezeStages,
  trainedStages,
  transferGroups,
} from "../../dist/transfer/index.js";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "resnet50" },
    unfreeze: { type: "string" },
    precision: { type: "string", default: "auto" },
    steps: { type: "string", default: "4" },
    warmup: { type: "string", default: "2" },
    batch: { type: "string", default: "32" },
    size: { type: "string", default: "224" },
    profile: { type: "boolean", default: false },
  },
});
const [steps, warmup] = [Number(values.steps), Number(values.warmup)];
const [batchSize, size] = [Number(values.batch), Number(values.size)];
const compute = chooseCompute({ device: "cpu", precision: values.precision });
const shape = {
  ...{ classes: 10, inChannels: 3, imageSize: [size, size] },
  random: { init: new Generator(42), dropout: new Generator(43) },
};
const model = createModel(parseModelName(values.model), shape).to(compute);
const transfer =
  values.unfreeze === undefined
    ? { kind: "full" }
    : { kind: "partial", unfreeze: Number(values.unfreeze) };
freezeStages(model, transfer, 1);
/** What `train` steps: frozen stages are computed by a copy that is ready for forward passes alone. */
function stepped() {
  if (transfer.kind === "full") return model;
  const copy = createModel(parseModelName(values.model), shape).to(compute);
  copy.loadStateDict(model.stateDict());
  freeze(copy, [3, size, size], compute);
  const names = model.stages.map(({ name }) => name);
  return new FrozenStart(model, copy, names.length - trainedStages(transfer, names, 1).length);
}
const network = stepped();
network.train();
const optimizer = adam(transferGroups(model, transfer, { lr: 1e-4 }), {
  lr: 1e-4,
  weightDecay: 1e-4,
});
const loss = (logits, { labels }) => crossEntropy(logits, labels);
const options = { ...compute, lr: 1e-4, loss, clipGrad: undefined };
const images = inMemoryFormat(
  ops.randn([batchSize, 3, size, size], { generator: new Generator(1) }),
  compute.memoryFormat,
);
const labels = Tensor.from(
  BigInt64Array.from({ length: batchSize }, (_, i) => BigInt(i % 10)),
  [batchSize],
);
/** The step frees its batch, so that it gets handles of its own. */
const step = () =>
  trainStep(
    network,
    optimizer,
    { images: ops.detach(images), labels: ops.detach(labels), size: batchSize, index: 0 },
    options,
  );

for (let i = 0; i < warmup; i++) step();
const started = performance.now();
for (let i = 0; i < steps; i++) step();
const seconds = (performance.now() - started) / 1000;
if (values.profile) {
  for (const [name, time] of selfTimes(profile(step).events).slice(0, 25)) {
    console.error(`${(time / 1e6).toFixed(1).padStart(9)} ms  ${name}`);
  }
}
process.stdout.write(`${JSON.stringify({ imagesPerSecond: (steps * batchSize) / seconds })}\n`);

/** Nanoseconds of each operator without those that it calls, most first. */
function selfTimes(events) {
  const sums = new Map();
  for (const thread of new Set(events.map((event) => event.thread))) {
    const spans = events
      .filter((event) => event.thread === thread)
      .map(({ name, start, duration }) => ({ name, start, end: start + duration }));
    for (const { span, self } of nest(spans))
      sums.set(span.name, (sums.get(span.name) ?? 0) + self);
  }
  return [...sums].sort((a, b) => b[1] - a[1]);
}
process.exit(0);
