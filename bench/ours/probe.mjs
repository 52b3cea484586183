// Our side of the linear probe: `train` with a frozen DeiT-Tiny, features computed once (the cache is empty), validation
// after every epoch. Prints one line of JSON.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseConfig } from "../../dist/run/config-load.js";
import { readRun } from "../../dist/run/read.js";
import { train } from "../../dist/train/index.js";
import { probeData } from "../harness/probe-data.mjs";

const { values } = parseArgs({
  options: {
    images: { type: "string", default: "2000" },
    val: { type: "string", default: "1000" },
  },
});
const SIDE = 32;
const SCALE = 7;
const classes = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
];

/** CIFAR records as images of 224 pixels: every pixel 7 x 7 times. */
function readSet(path, count) {
  const bytes = readFileSync(path);
  const size = SIDE * SCALE;
  const images = new Uint8Array(count * 3 * size * size);
  const labels = new Uint8Array(count);
  const row = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const record = i * 3073;
    labels[i] = bytes[record];
    for (let line = 0; line < 3 * SIDE; line++) {
      const from = record + 1 + line * SIDE;
      for (let x = 0; x < size; x++) row[x] = bytes[from + Math.floor(x / SCALE)];
      for (let y = 0; y < SCALE; y++, at += size) images.set(row, at);
    }
  }
  return { images, labels, count, channels: 3, height: size, width: size, classes };
}

const files = probeData();
const val = readSet(files.test, Number(values.val));
const first = Int32Array.from({ length: 32 }, (_, i) => i);
const data = {
  ...{ kind: "memory", name: "cifar10-224", fingerprint: "bench", notes: [] },
  ...{ train: readSet(files.train, Number(values.images)), val },
  // What the best epoch is judged on at the end is not what is timed: a few images.
  test: {
    ...val,
    count: 32,
    images: val.images.subarray(0, 32 * 150_528),
    labels: val.labels.subarray(0, 32),
    indices: first,
  },
  ...{ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
};
const out = mkdtempSync(join(tmpdir(), "thaw-bench-probe-run-"));
const config = parseConfig({
  ...{ data: "cifar10-224", model: "deit_tiny_patch16_224", weights: files.weights },
  ...{ strategy: "freeze", epochs: 10, batchSize: 32, opt: "adam", lr: 1e-3, sched: "constant" },
  ...{ weightDecay: 0, mean: data.mean, std: data.std, out, name: "probe" },
});
const started = performance.now();
await train(config, data, { cache: join(out, "cache") });
const seconds = (performance.now() - started) / 1000;
const accuracy = 100 * readRun(join(out, "probe")).epochs.at(-1).valAccuracy;
rmSync(out, { recursive: true });
process.stdout.write(`${JSON.stringify({ seconds, probesPerHour: 3600 / seconds, accuracy })}\n`);
process.exit(0);
