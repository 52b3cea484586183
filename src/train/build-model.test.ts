import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { UsageError } from "../errors.ts";
import { chooseCompute } from "../models/index.ts";
import { Dropout, DropPath } from "../nn/index.ts";
import { parseConfig } from "../run/config-load.ts";
import { Generator } from "../tensor/index.ts";
import { buildModel } from "./build-model.ts";
import { train } from "./index.ts";
import { trainingInput } from "./input.ts";

const data = sampleSplits();
const out = mkdtempSync(join(tmpdir(), "thaw-build-"));
afterAll(() => rmSync(out, { recursive: true }));
expectNoLeaks();

const config = (more: Record<string, unknown>) =>
  parseConfig({ data: "sample", epochs: 1, threads: 1, out, name: "a", ...more });

test("dropout and drop path reach the network", () => {
  using random = new Generator(1);
  const compute = chooseCompute({ device: "cpu", precision: "fp32" });
  const asked = config({ model: "resnet20_cifar", dropout: 0.3, dropPath: 0.2 });
  const input = trainingInput(asked, data);
  using model = buildModel(asked, 3, input, compute, { init: random, dropout: random });
  const modules = model.namedModules().map(([, module]) => module);
  const rates = modules.flatMap((module) => (module instanceof DropPath ? module.rate : []));
  expect(rates).toHaveLength(9);
  expect([rates[0], rates.at(-1)]).toEqual([0, 0.2]);
  expect(modules.flatMap((module) => (module instanceof Dropout ? module.p : []))).toEqual([0.3]);
});

test("a drop path that a model has no place for is refused by name, and nothing is written", async () => {
  const training = train(config({ model: "simple_cnn", dropPath: 0.2 }), data);
  await expect(training).rejects.toThrow(UsageError);
  await expect(training).rejects.toThrow("--drop-path 0.2: simple_cnn has no branches");
  expect(readdirSync(out)).toEqual([]);
});

test("class weights of another number than the data's classes, likewise", async () => {
  const training = train(config({ model: "simple_cnn", classWeights: [1, 2] }), data);
  await expect(training).rejects.toThrow("--class-weights: 2 weights for 3 classes");
  expect(readdirSync(out)).toEqual([]);
});
