// Our side of train-step: the library's own step and, with --loader, its own loader. Prints one line of JSON.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Loader } from "../../dist/data/loader.js";
import { chooseCompute, createModel } from "../../dist/models/index.js";
import { crossEntropy } from "../../dist/nn/index.js";
import { adam, parameterGroups } from "../../dist/optim/index.js";
import { Generator, inMemoryFormat, ops, Tensor } from "../../dist/tensor/index.js";
import { trainStep } from "../../dist/train/step.js";

const { values } = parseArgs({
  options: {
    precision: { type: "string", default: "auto" },
    layout: { type: "string", default: "auto" },
    steps: { type: "string", default: "20" },
    warmup: { type: "string", default: "5" },
    batch: { type: "string", default: "128" },
    loader: { type: "boolean", default: false },
  },
  allowPositionals: false,
});
const steps = Number(values.steps);
const warmup = Number(values.warmup);
const batchSize = Number(values.batch);

/** Bytes of this process: VmRSS now, VmHWM at its highest. */
function memory(field) {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(new RegExp(`^${field}:\\s*(\\d+)`, "m").exec(status)[1]) * 1024;
}

const chosen = chooseCompute({ device: "cpu", precision: values.precision });
const layouts = { auto: chosen.memoryFormat, nchw: "contiguous", channels_last: "channels_last" };
const compute = { ...chosen, memoryFormat: layouts[values.layout] };
const model = createModel("simple_cnn", {
  classes: 5,
  inChannels: 3,
  imageSize: [32, 32],
  random: { init: new Generator(42), dropout: new Generator(43) },
})
  .to(compute)
  .train();
const optimizer = adam(parameterGroups(model.namedParameters()), { lr: 1e-3, weightDecay: 1e-4 });
const options = {
  ...compute,
  lr: 1e-3,
  loss: (logits, { labels }) => crossEntropy(logits, labels),
  clipGrad: undefined,
};

const random = new Generator(1);
const images = inMemoryFormat(
  ops.randn([batchSize, 3, 32, 32], { generator: random }),
  compute.memoryFormat,
);
const labels = Tensor.from(
  BigInt64Array.from({ length: batchSize }, (_, i) => BigInt(i % 5)),
  [batchSize],
);

/** The same batch again and again; the step frees its batch, so that it gets handles of its own. */
async function* fixedBatch() {
  for (let index = 0; ; index++) {
    yield { images: ops.detach(images), labels: ops.detach(labels), size: batchSize, index };
  }
}

async function* loaded() {
  const count = 10_000;
  const pixels = Uint8Array.from({ length: count * 3072 }, (_, i) => (i * 2_654_435_761) >>> 24);
  const set = {
    images: pixels,
    labels: Uint8Array.from({ length: count }, (_, i) => i % 5),
    count,
    channels: 3,
    height: 32,
    width: 32,
    classes: ["a", "b", "c", "d", "e"],
  };
  const loader = new Loader(set, {
    batchSize,
    shuffle: true,
    seed: 1,
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
    memoryFormat: compute.memoryFormat,
    augment: { crop: 4, flip: true, rotation: 0 },
  });
  for (let epoch = 1; ; epoch++) {
    for await (const batch of loader.epoch(epoch)) {
      if (batch.size === batchSize) yield batch;
      else for (const tensor of [batch.images, batch.labels]) tensor.dispose();
    }
  }
}

let done = 0;
let started = 0;
let rssAfterWarmup = 0;
for await (const batch of values.loader ? loaded() : fixedBatch()) {
  trainStep(model, optimizer, batch, options);
  if (++done === warmup) {
    rssAfterWarmup = memory("VmRSS");
    started = performance.now();
  }
  if (done === warmup + steps) break;
}
const seconds = (performance.now() - started) / 1000;
process.stdout.write(
  `${JSON.stringify({
    imagesPerSecond: (steps * batchSize) / seconds,
    peakRssBytes: memory("VmHWM"),
    rssGrowthPercent: 100 * (memory("VmRSS") / rssAfterWarmup - 1),
  })}\n`,
);
process.exit(0);
