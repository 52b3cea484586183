// The main job on real images, through the library's API: two networks and a classical model on
// Fashion-MNIST, side by side.
import { resolve } from "node:path";
import { openConfiguredData } from "../dist/cli/dataset.js";
import { reportError } from "../dist/cli/frame.js";
import { trainingProgress } from "../dist/cli/progress.js";
import { ensureNative } from "../dist/libtorch/index.js";
import { compareRuns, drawRun } from "../dist/report/index.js";
import { parseClassicalConfig } from "../dist/run/classical-config.js";
import { parseConfig } from "../dist/run/config-load.js";
import { train, trainClassical } from "../dist/train/index.js";

const out = resolve("runs/demo");
// Half of the training images: enough to tell the two apart in a minute or two on two cores.
const data = "fashion-mnist";
const trainSize = 30_000;
const seed = 42;
const shared = { data, trainSize, out, seed, batchSize: 128, opt: "adam" };
const configs = [
  // By its own recipe, but an epoch less.
  { ...shared, name: "simple_cnn", model: "simple_cnn", epochs: 2 },
  {
    ...shared,
    name: "resnet20_cifar",
    model: "resnet20_cifar",
    epochs: 2,
    lr: 1e-2,
    sched: "onecycle",
  },
];

try {
  await ensureNative();
  for (const document of configs) {
    const config = parseConfig(document);
    const data = await openConfiguredData(config);
    const watched = { ...trainingProgress(), pictures: drawRun };
    await train(config, data, { ...watched, overwrite: true });
  }
  // What a network must beat to earn its cost, on the same images.
  const baseline = { data, trainSize, out, seed, name: "logreg", model: "logreg" };
  const classical = parseClassicalConfig(baseline);
  console.error(`logreg → on the pixels of ${trainSize} images`);
  const shown = { pictures: drawRun, overwrite: true };
  await trainClassical(classical, await openConfiguredData(classical), shown);
  const { html, findings } = await compareRuns({
    out,
    runs: [...configs, baseline].map(({ name }) => name),
    title: "Fashion-MNIST: a plain CNN, a small ResNet and logistic regression",
  });
  console.log(`\n${findings.map((finding) => `- ${finding}`).join("\n")}\n\nopen ${html}`);
} catch (error) {
  process.exitCode = reportError(error, process.argv.includes("--debug"));
}
