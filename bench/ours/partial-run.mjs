// Our side of partial fine-tuning as a whole run: `train` of ResNet-50's layer3, layer4 and head on images without random
// augmentation, so that what the frozen stages give is computed once (the cache is empty). Prints one line of JSON.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createModel } from "../../dist/models/index.js";
import { encodeSafetensors } from "../../dist/models/weights/index.js";
import { toTensorData } from "../../dist/models/weights/tensors.js";
import { parseConfig } from "../../dist/run/config-load.js";
import { Generator } from "../../dist/tensor/index.js";
import { train } from "../../dist/train/index.js";

const { values } = parseArgs({
  options: {
    images: { type: "string", default: "256" },
    epochs: { type: "string", default: "15" },
    batch: { type: "string", default: "32" },
    size: { type: "string", default: "224" },
  },
});
const [images, epochs, batchSize, size] = [
  values.images,
  values.epochs,
  values.batch,
  values.size,
].map(Number);
const classes = Array.from({ length: 10 }, (_, i) => `class ${i}`);

/** Drawn images, each of one class's colours, so that there is something to learn. */
function drawSet(count, seed) {
  let state = seed;
  const pixels = new Uint8Array(count * 3 * size * size);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % classes.length);
  for (let i = 0; i < pixels.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    pixels[i] = (state >>> 25) + 12 * labels[Math.floor(i / (3 * size * size))];
  }
  return { images: pixels, labels, count, channels: 3, height: size, width: size, classes };
}

/** What partial fine-tuning starts from: the time does not depend on their values. */
function drawnWeights() {
  const random = new Generator(42);
  const model = createModel("resnet50", {
    ...{ classes: classes.length, inChannels: 3, imageSize: [size, size] },
    random: { init: random, dropout: random },
  });
  const state = [...model.stateDict()].map(([key, tensor]) => [key, toTensorData(tensor)]);
  return Buffer.concat(encodeSafetensors(new Map(state)).chunks);
}

// The best epoch is judged by a few images: what is timed is training.
const val = drawSet(10, 2);
const data = {
  ...{ kind: "memory", name: "drawn-224", fingerprint: "bench", notes: [] },
  ...{ train: drawSet(images, 1), val },
  test: { ...val, indices: Int32Array.from({ length: val.count }, (_, i) => i) },
  ...{ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
};
const out = mkdtempSync(join(tmpdir(), "thaw-bench-partial-run-"));
const weights = join(out, "weights.safetensors");
writeFileSync(weights, drawnWeights());
const config = parseConfig({
  ...{ data: data.name, model: "resnet50", weights, epochs, batchSize },
  ...{ strategy: "partial", unfreeze: 2 },
  ...{ opt: "adam", lr: 1e-4, mean: data.mean, std: data.std, out, name: "partial" },
});
// The peer makes steps alone: validation, checkpoints and the verdict at the end are left out; the start, in which the frozen
// stages' pass is made, is not.
const started = performance.now();
let seconds;
await train(config, data, {
  cache: join(out, "cache"),
  onStep: () => {
    seconds ??= (performance.now() - started) / 1000;
  },
  onEpoch: (_line, { train }) => {
    seconds += train;
  },
});
rmSync(out, { recursive: true });
process.stdout.write(
  `${JSON.stringify({ seconds, imagesPerSecond: (images * epochs) / seconds })}\n`,
);
process.exit(0);
