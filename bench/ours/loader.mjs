// Our side of loader: batches from the library's own loader, made and thrown away. Prints one line of JSON.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { statStamp } from "../../dist/data/folders/stamp.js";
import { Loader } from "../../dist/data/loader.js";
import { photoFolder } from "../harness/photos.mjs";

const { values } = parseArgs({
  options: {
    task: { type: "string", default: "train" },
    images: { type: "string", default: "1600" },
    batch: { type: "string", default: "32" },
    keep: { type: "boolean", default: false },
    "keep-side": { type: "string" },
  },
});

/** The photographs again and again, as many as asked. */
async function photos(count) {
  const folder = await photoFolder();
  const all = readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".jpg"))
    .sort();
  const paths = Array.from({ length: count }, (_, i) => join(folder, all[i % all.length]));
  return {
    files: paths,
    stamps: paths.map(statStamp),
    labels: Int32Array.from(paths, (path) => Number(path.includes("class1"))),
    count,
    classes: ["class0", "class1"],
    fingerprint: folder,
  };
}

function fashion(count) {
  return {
    images: Uint8Array.from({ length: count * 784 }, (_, i) => (i * 2_654_435_761) >>> 24),
    labels: Uint8Array.from({ length: count }, (_, i) => i % 10),
    count,
    channels: 1,
    height: 28,
    width: 28,
    classes: [..."abcdefghij"],
  };
}

const crops = {
  train: { kind: "random", scale: [0.08, 1], ratio: [3 / 4, 4 / 3], hflip: 0.5 },
  eval: { kind: "center", pct: 0.875 },
};
const rgb = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const common = {
  batchSize: Number(values.batch),
  shuffle: true,
  seed: 1,
  memoryFormat: "contiguous",
};
const count = Number(values.images);
const kept = mkdtempSync(join(tmpdir(), "thaw-bench-kept-"));

function makeLoader(set) {
  if (values.task === "fashion") {
    const augment = { crop: 2, flip: true, rotation: 10 };
    return new Loader(set, { ...common, mean: [0.286], std: [0.353], augment });
  }
  const crop = {
    ...crops[values.task],
    ...(values["keep-side"] && { from: Number(values["keep-side"]) }),
  };
  const fit = { size: [224, 224], interpolation: "bilinear", crop };
  const keepIn = values.keep ? { keepIn: kept } : {};
  return new Loader(set, { ...common, ...rgb, fit, workers: 2, ...keepIn });
}

const loader = makeLoader(values.task === "fashion" ? fashion(count) : await photos(count));
let seconds = 0;
// The first epoch starts the threads, and fills what is kept.
for (const epoch of [1, 2]) {
  const began = performance.now();
  for await (const { images, labels } of loader.epoch(epoch)) {
    images.dispose();
    labels.dispose();
  }
  seconds = (performance.now() - began) / 1000;
}
process.stdout.write(`${JSON.stringify({ imagesPerSecond: count / seconds })}\n`);
await loader[Symbol.asyncDispose]();
rmSync(kept, { recursive: true });
