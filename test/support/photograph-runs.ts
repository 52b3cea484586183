import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDataset } from "../../src/data/datasets/index.ts";
import { chooseCompute } from "../../src/models/index.ts";
import { newestVerified } from "../../src/run/checkpoint.ts";
import type { TrainConfig } from "../../src/run/config.ts";
import { parseConfig } from "../../src/run/config-load.ts";
import { type TrainOptions, train } from "../../src/train/index.ts";
import { writeTinyFolder } from "./tiny-images.ts";

/** 24 photographs of 74×66 in two classes, and runs on them, in a folder that the caller removes. */
export async function photographRuns() {
  const folder = mkdtempSync(join(tmpdir(), "thaw-photographs-"));
  const [photos, out, cache] = ["photos", "runs", "cache"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const pixels = { width: 74, height: 66, extension: "jpg" } as const;
  await writeTinyFolder(photos, { boot: 12, coat: 12 }, pixels);
  const data = await openDataset({ data: photos, seed: 42, cache });

  const config = (more: Record<string, unknown> = {}): TrainConfig =>
    parseConfig({
      ...{ data: photos, model: "resnet20_cifar", epochs: 2, batchSize: 4 },
      ...{ imgSize: 32, cropPct: 0.8, precision: "fp32", threads: 1 },
      ...{ out, name: "whole", ...more },
    });
  const trained = (more: Record<string, unknown> = {}, options: TrainOptions = {}) =>
    train(config(more), data, { cache, ...options });
  const compute = () => chooseCompute({ device: "cpu", precision: "fp32" });

  /** All of a run that must not depend on how it came about. */
  const outcome = (name: string) => {
    const dir = join(out, name);
    const text = (file: string) => readFileSync(join(dir, file), "utf8");
    const last = newestVerified(join(dir, "checkpoints")).checkpoint!;
    const hash = createHash("sha256");
    for (const { bytes } of last.tensors.values()) hash.update(bytes);
    const lines = [text("metrics.jsonl"), text("steps.jsonl"), text("predictions.csv")];
    return { lines, tensors: hash.digest("hex"), state: last.state };
  };
  return { folder, photos, out, cache, data, config, compute, trained, outcome };
}
