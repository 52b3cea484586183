// Our side of export: what thaw predict does over JPEGs of 500 x 375, by an ONNX file or by the model. Prints one line of JSON.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ofSubject, openFile, predictFiles } from "../../dist/export/index.js";
import { lower } from "../../dist/export/lower/lower.js";
import { encodeMetadata } from "../../dist/export/metadata.js";
import { encodeModel } from "../../dist/export/onnx/encode.js";
import { answerOf } from "../../dist/export/subject.js";
import { traceForward } from "../../dist/export/trace/symbolic.js";
import { photoFolder } from "../harness/photos.mjs";
import { classes, input, resnet50 } from "../harness/resnet50.mjs";

const { values } = parseArgs({
  options: {
    file: { type: "boolean", default: false },
    images: { type: "string", default: "1000" },
  },
});
const metadata = {
  ...{ model: "resnet50", classes, input, takes: "normalised", gives: "logits" },
  ...{ precision: "fp32", licence: "none", run: "bench", data: "photos" },
};
const work = mkdtempSync(join(tmpdir(), "thaw-bench-predict-"));
const predictor = await open();
const folder = await photoFolder();
const names = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".jpg"));
const count = Number(values.images);

async function* paths(most) {
  for (let i = 0; i < most; i++) yield join(folder, names[i % names.length]);
}

async function label(most) {
  const began = performance.now();
  for await (const { error } of predictFiles(predictor, paths(most))) if (error) throw error;
  return (performance.now() - began) / 1000;
}

await label(32);
const seconds = await label(count);
process.stdout.write(`${JSON.stringify({ imagesPerSecond: count / seconds })}\n`);
rmSync(work, { recursive: true });

function open() {
  const model = resnet50();
  if (!values.file) {
    return ofSubject({
      metadata,
      answer: answerOf(model),
      [Symbol.dispose]: () => model[Symbol.dispose](),
    });
  }
  const graph = lower(traceForward(model, (x) => model.forward(x), [3, 224, 224]));
  const options = { producerVersion: "0", metadata: encodeMetadata(metadata), externalName: "" };
  const path = join(work, "model.onnx");
  writeFileSync(path, Buffer.concat(encodeModel(graph, options).model));
  return openFile(path);
}
