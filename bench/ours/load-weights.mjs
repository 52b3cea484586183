// One way of reading a file of 102 MB, again and again: `tensors` as loadWeights gets them, `model` into a
// network, `bytes` as fs.readFileSync does, which is what the others are held against. The file is written
// first, by the same code, so that it comes from the page cache.
//
//   node bench/ours/load-weights.mjs [--into tensors] [--loads 15]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createModel } from "../../dist/models/index.js";
import { encodeSafetensors, loadWeights, readWeights } from "../../dist/models/weights/index.js";
import { borrowTensorData, toTensorData } from "../../dist/models/weights/tensors.js";
import { Generator, scope } from "../../dist/tensor/index.js";

const { values } = parseArgs({
  options: {
    into: { type: "string", default: "tensors" },
    loads: { type: "string", default: "15" },
  },
});
const warmup = 2;

const random = new Generator(1);
const model = createModel("resnet50", {
  classes: 1000,
  inChannels: 3,
  imageSize: [224, 224],
  random: { init: random, dropout: random },
});
const folder = mkdtempSync(join(tmpdir(), "thaw-bench-"));
const path = join(folder, "resnet50.safetensors");
const state = [...model.stateDict()].map(([key, tensor]) => [key, toTensorData(tensor)]);
writeFileSync(path, Buffer.concat(encodeSafetensors(new Map(state)).chunks));

const ways = {
  bytes: () => readFileSync(path),
  tensors: () =>
    scope(() => {
      for (const data of readWeights(path).tensors.values()) borrowTensorData(data);
    }),
  model: () => loadWeights(model, readWeights(path).tensors),
};
const load = ways[values.into];

// What one load leaves behind is collected before the next is timed.
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const times = [];
for (let round = -warmup; round < Number(values.loads); round++) {
  collect();
  const start = process.hrtime.bigint();
  load();
  const time = Number(process.hrtime.bigint() - start) / 1e6;
  if (round >= 0) times.push(time);
}
rmSync(folder, { recursive: true });
times.sort((a, b) => a - b);
console.log(JSON.stringify({ millisecondsPerLoad: times[times.length >> 1] }));
