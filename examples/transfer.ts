// Transfer learning: what a small network learnt on five kinds of clothes helps it to tell five others apart, of which
// there are 20 pictures each.
import { fileURLToPath } from "node:url";
import {
  compareRuns,
  ensureNative,
  openDataset,
  parseConfig,
  type TrainConfigInput,
  train,
} from "thaw";

/** Trains four runs and says how the last three compare. */
export async function transfer(
  settings: Partial<TrainConfigInput> = {},
): Promise<readonly string[]> {
  await ensureNative();
  const out = settings.out ?? "runs/transfer";
  const target = {
    classes: ["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
    ...{ trainSize: 100, batchSize: 20, epochs: 15, lr: 3e-3 },
  };
  const runs: Record<string, Partial<TrainConfigInput>> = {
    source: {
      classes: ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"],
      ...{ trainSize: 10_000, epochs: 2, lr: 1e-2, sched: "onecycle" },
    },
    scratch: target,
    // The head alone, on features that are computed once.
    probe: { ...target, weights: `${out}/source`, strategy: "freeze", lr: 0.03 },
    partial: { ...target, weights: `${out}/source`, strategy: "partial", unfreeze: 1 },
  };
  for (const [name, own] of Object.entries(runs)) {
    const config = parseConfig({
      ...{ data: "fashion-mnist", model: "resnet20_cifar", ...own, ...settings },
      ...{ out, name },
    });
    await train(config, await openDataset(config), { overwrite: true });
  }
  const { findings } = await compareRuns({ out, runs: ["scratch", "probe", "partial"] });
  return findings;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log((await transfer()).join("\n"));
