import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as thaw from "../src/index.ts";
import {
  chooseCompute,
  createModel,
  encodeSafetensors,
  freeze,
  Generator,
  liveTensors,
  loadWeights,
  multiplyAdds,
  openDataset,
  openWeights,
  parseConfig,
  parseWeightsReference,
  pretrainedReference,
  readRun,
  resolveWeights,
  type TensorData,
  train,
} from "../src/index.ts";

const FASHION_MNIST = "/usr/share/datasets/fashion-mnist";
const documented = readFileSync(new URL("../src/index.ts", import.meta.url), "utf8");

let out: string;
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), "thaw-api-"));
});
afterAll(() => rmSync(out, { recursive: true }));

describe("the package's API", () => {
  it("has what its example imports", () => {
    const names = /import \{ (.*) \} from "thaw"/.exec(documented)?.[1]?.split(", ") ?? [];
    expect(names).toContain("train");
    expect(names.filter((name) => !(name in thaw))).toEqual([]);
  });

  it("finds, opens and loads weights, and freezes what only looks", async () => {
    const reference = parseWeightsReference("hf-hub:timm/resnet18.a1_in1k@main");
    expect(reference).toEqual({ kind: "hub", repo: "timm/resnet18.a1_in1k", revision: "main" });
    expect(pretrainedReference("resnet18")).toEqual({ kind: "hub", repo: "timm/resnet18.a1_in1k" });
    using random = new Generator(1);
    using model = createModel("resnet20_cifar", {
      ...{ classes: 2, inChannels: 1, imageSize: [32, 32] },
      random: { init: random, dropout: random },
    });
    const tensors = new Map<string, TensorData>();
    for (const [key, tensor] of model.stateDict()) {
      if (tensor.dtype !== "float32") continue;
      const bytes = new Uint8Array(tensor.toBytes());
      tensors.set(key, { dtype: "F32", shape: tensor.shape, bytes });
    }
    const path = join(out, "w.safetensors");
    writeFileSync(path, Buffer.concat([...encodeSafetensors(tensors).chunks]));
    const { path: found } = await resolveWeights({ kind: "file", path }, { env: {} });
    const weights = await openWeights(found);
    expect(weights).toMatchObject({ format: "safetensors", source: path, notes: [] });
    expect(loadWeights(model, weights.tensors).loaded).toHaveLength(tensors.size);
    const products = multiplyAdds(model, [1, 32, 32]);
    freeze(model, [1, 32, 32], chooseCompute({ device: "cpu", precision: "fp32" }));
    expect(multiplyAdds(model, [1, 32, 32])).toBe(products);
    expect(model.parameters().some(({ requiresGrad }) => requiresGrad)).toBe(false);
  });

  it("trains as its example does", async (context) => {
    if (!existsSync(FASHION_MNIST)) {
      context.skip(`${FASHION_MNIST} is not there (apt-get install dataset-fashion-mnist)`);
    }
    const example = /parseConfig\((\{.*\})\)/.exec(documented)?.[1];
    expect(example).toBe(
      '{ data: "fashion-mnist", model: "simple_cnn", epochs: 1, trainSize: 200 }',
    );
    const before = liveTensors();
    const config = parseConfig({
      data: "fashion-mnist",
      model: "simple_cnn",
      epochs: 1,
      trainSize: 200,
      valSize: 50,
      testSize: 100,
      precision: "fp32",
      out,
    });
    const data = await openDataset(config);
    const { run, summary } = await train(config, data);
    expect(summary.status).toBe("finished");
    expect(summary.test?.n).toBe(100);
    expect(Number.isFinite(summary.best?.valLoss)).toBe(true);
    expect(readRun(run.dir).summary).toEqual(summary);
    expect(liveTensors()).toBe(before);
  });
});
