// Our side of export: a ResNet-50 in ONNX Runtime, fp32 or int8. Prints one line of JSON.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { statStamp } from "../../dist/data/folders/stamp.js";
import { lower } from "../../dist/export/lower/lower.js";
import { bytesOf, calibrate } from "../../dist/export/quantize/calibrate.js";
import { planQuantization } from "../../dist/export/quantize/plan.js";
import { quantize } from "../../dist/export/quantize/quantize.js";
import { OnnxSession } from "../../dist/export/session.js";
import { traceForward } from "../../dist/export/trace/symbolic.js";
import { photoFolder } from "../harness/photos.mjs";
import { input, resnet50 } from "../harness/resnet50.mjs";

const { values } = parseArgs({
  options: {
    precision: { type: "string", default: "fp32" },
    steps: { type: "string", default: "15" },
    batch: { type: "string", default: "8" },
  },
});

const model = resnet50();
const full = lower(traceForward(model, (x) => model.forward(x), [3, 224, 224]));
const graph = values.precision === "int8" ? await inInt8(full) : full;
const bytes = bytesOf(graph);
const session = await OnnxSession.open(bytes);
const batch = Number(values.batch);
const data = Float32Array.from({ length: batch * 3 * 224 * 224 }, (_, i) => Math.sin(i));
const feed = { data, shape: [batch, 3, 224, 224] };
for (let i = 0; i < 3; i++) await session.first(feed);
const times = [];
for (let i = 0; i < Number(values.steps); i++) {
  const began = performance.now();
  await session.first(feed);
  times.push((performance.now() - began) / 1000);
}
const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
process.stdout.write(
  `${JSON.stringify({ imagesPerSecond: batch / median, fileBytes: bytes.length })}\n`,
);

async function inInt8(graph) {
  const folder = await photoFolder();
  const files = readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".jpg"))
    .map((name) => join(folder, name));
  const labels = new Int32Array(files.length);
  const set = {
    files,
    labels,
    stamps: files.map(statStamp),
    count: files.length,
    classes: ["any"],
  };
  const plan = planQuantization(graph, new Set());
  return quantize(graph, plan, await calibrate(graph, plan.values, set, { input, images: 16 }));
}
