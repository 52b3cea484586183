import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import type { ImageSet } from "../data/imageset.ts";
import { UsageError } from "../errors.ts";
import { loadNative } from "../libtorch/index.ts";
import { parseClassicalConfig } from "../run/classical-config.ts";
import { parseConfig } from "../run/config-load.ts";
import { trainClassical } from "./classical.ts";
import { train } from "./train.ts";

beforeAll(() => loadNative());
const out = mkdtempSync(join(tmpdir(), "thaw-one-class-"));
afterAll(() => rmSync(out, { recursive: true }));

test("memory data of one class are refused before there is a run", async () => {
  const data = sampleSplits();
  const one = (set: ImageSet) => ({ ...set, labels: new Uint8Array(set.count) });
  const alike = { ...data, train: one(data.train), val: one(data.val), test: one(data.test) };
  const common = { data: "memory", out, name: "one" };
  const trainings = [
    () => train(parseConfig({ ...common, model: "simple_cnn", epochs: 1 }), alike),
    () => trainClassical(parseClassicalConfig({ ...common, model: "logreg" }), alike),
  ];
  for (const training of trainings) {
    const error = await training().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).message).toBe("sample: all images belong to one class, coat");
  }
  expect(existsSync(join(out, "one"))).toBe(false);
});
