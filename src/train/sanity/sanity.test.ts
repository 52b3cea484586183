import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { expectNoLeaks } from "../../../test/support/no-leaks.ts";
import { sampleSplits } from "../../../test/support/sample-splits.ts";
import { subset } from "../../data/imageset.ts";
import type { Batch } from "../../data/loader.ts";
import { normalize } from "../../data/transforms/normalize.ts";
import { type Classifier, createModel, type ModelName } from "../../models/index.ts";
import { BatchNorm2d, Conv2d, constant_, Linear } from "../../nn/index.ts";
import { adam, type Optimizer, parameterGroups } from "../../optim/index.ts";
import type { TrainConfig, TrainConfigInput } from "../../run/config.ts";
import { parseConfig } from "../../run/config-load.ts";
import {
  Generator,
  liveTensors,
  noGrad,
  ops,
  scope,
  setThreads,
  Tensor,
  unscoped,
} from "../../tensor/index.ts";
import { freezeStages } from "../../transfer/index.ts";
import { train } from "../train.ts";
import { examineModel, type SanitySubject } from "./examine.ts";
import type { SanityCheckName, SanityReport } from "./report.ts";
import { checkSanity } from "./sanity.ts";

expectNoLeaks();

const data = sampleSplits();
const input = { mean: data.mean, std: data.std };
const configOf = (more: Partial<TrainConfigInput> = {}): TrainConfig =>
  parseConfig({ data: "sample", model: "simple_cnn", precision: "fp32", threads: 1, ...more });
const statuses = ({ checks }: Pick<SanityReport, "checks">): Record<string, string> =>
  Object.fromEntries(checks.map(({ check, status }) => [check, status]));

describe("a run that is in order passes", () => {
  test.each([
    ["simple_cnn, its own recipe", {}],
    ["simple_cnn in bf16", { precision: "bf16" }],
    ["resnet20_cifar by SGD", { model: "resnet20_cifar", opt: "sgd" }],
    ["a ViT with stochastic augmentation", { model: "vit_tiny_patch16_224", augment: { crop: 2 } }],
  ] as [string, Partial<TrainConfigInput>][])("%s", async (_name, more) => {
    const report = await checkSanity(configOf(more), data);
    expect(report.checks.filter(({ status }) => status === "failed")).toEqual([]);
    expect(report.ok).toBe(true);
    expect(statuses(report)).toEqual({
      ...{ labels: "passed", inputs: "passed", "initial loss": "passed" },
      "batch norms": more.model?.startsWith("vit") ? "skipped" : "passed",
      ...{ gradients: "passed", frozen: "skipped", overfit: "passed" },
    });
  });

  test("batches of one image are found where a batch norm cannot have them, and only there", async () => {
    const find = async (more: Partial<TrainConfigInput>, of = data) =>
      (await checkSanity(configOf({ batchSize: 1, ...more }), of, { maxSteps: 1 })).checks.find(
        ({ check }) => check === "batch norms",
      );
    const small = await find({ model: "mobilenetv3_small_100" });
    expect(small).toMatchObject({
      status: "failed",
      culprits: expect.arrayContaining(["blocks.5.0.bn1"]),
    });
    expect(small!.hint).toContain("--batch-size 2 or more");
    expect(await find({ model: "simple_cnn" })).toMatchObject({ status: "passed" });
    const odd = sampleSplits({ train: 33, val: 24, test: 24 });
    const lone = await find({ model: "mobilenetv3_small_100", batchSize: 16 }, odd);
    expect(lone).toMatchObject({
      status: "passed",
      detail: expect.stringContaining("is added to the batch"),
    });
  });

  test("fine-tuned weights: the frozen stages keep still, the kept head's loss is not judged", async () => {
    const out = mkdtempSync(join(tmpdir(), "thaw-sanity-"));
    try {
      await train(configOf({ model: "resnet20_cifar", epochs: 1, out, name: "a" }), data);
      const more = { model: "resnet20_cifar", weights: join(out, "a"), out } as const;
      const report = await checkSanity(configOf({ ...more, strategy: "partial" }), data);
      expect(report.checks.find(({ check }) => check === "initial loss")).toMatchObject({
        status: "skipped",
        detail: "the head comes from the weights, and knows something already",
      });
      expect(statuses(report)).toMatchObject({ frozen: "passed", overfit: "passed" });
      expect(readdirSync(out)).toEqual(["a"]);
      const gradual = configOf({ ...more, strategy: "gradual", epochs: 2 });
      const { checks } = await checkSanity(gradual, data);
      // Of the last epoch: head and one stage more.
      expect(checks.find(({ check }) => check === "gradients")!.detail).toMatch(
        /^every one of \d\d/,
      );
    } finally {
      rmSync(out, { recursive: true });
    }
  });
});

test("a label that is no class is told with its image, and nothing is trained on it", async () => {
  const labels = Uint8Array.from(data.train.labels);
  labels[7] = 3;
  const report = await checkSanity(configOf(), { ...data, train: { ...data.train, labels } });
  expect(report.ok).toBe(false);
  expect(report.checks[0]).toMatchObject({
    check: "labels",
    status: "failed",
    detail: "training image 7 has label 3, the classes are numbered 0 to 2",
    culprits: ["training image 7"],
  });
  expect(new Set(report.checks.slice(1).map(({ status }) => status))).toEqual(new Set(["skipped"]));
});

test("equal images with other labels cannot be learnt, and are named", async () => {
  const images = Uint8Array.from(data.train.images);
  images.copyWithin(256, 0, 256);
  const first = Int32Array.from({ length: 30 }, (_, i) => i);
  const set = subset({ ...data.train, images }, first);
  const report = await checkSanity(
    configOf({ lr: 0.003 }),
    { ...data, train: set },
    { maxSteps: 60 },
  );
  const overfit = report.checks.at(-1)!;
  expect(overfit.status).toBe("failed");
  expect(overfit.culprits).toHaveLength(1);
  expect(overfit.culprits[0]).toMatch(/^training images (0 and 1|1 and 0)$/);
});

test("a learning rate that blows up is told as such", async () => {
  const { checks } = await checkSanity(configOf({ opt: "sgd", lr: 1e6 }), data);
  expect(checks.at(-1)).toMatchObject({ status: "failed", culprits: ["the learning rate"] });
});

interface Scene {
  readonly model: Classifier;
  readonly batch: Batch;
  readonly optimizer: () => Optimizer;
  trainedStages: readonly string[];
  wrap?: (optimizer: Optimizer) => Optimizer;
}

/** Breaks a model that is in order, and gives what is found. */
async function broken(
  name: ModelName,
  breaks: (scene: Scene) => void,
): Promise<SanityReport["checks"]> {
  setThreads(1);
  using random = new Generator(1);
  using model = createModel(name, {
    ...{ classes: 3, inChannels: 1, imageSize: [16, 16] },
    random: { init: random, dropout: random },
  });
  const { count, images, labels } = data.train;
  using pixels = Tensor.from(images, [count, 1, 16, 16]);
  using normal = normalize(pixels, input);
  using targets = Tensor.from(BigInt64Array.from(labels, BigInt), [count]);
  const rows = Int32Array.from({ length: count }, (_, i) => i);
  const scene: Scene = {
    model,
    batch: { images: normal, labels: targets, size: count, index: 0, rows },
    optimizer: () => adam(parameterGroups(model.namedParameters()), { lr: 1e-3 }),
    trainedStages: model.stages.map((stage) => stage.name),
  };
  breaks(scene);
  using optimizer = scene.optimizer();
  const subject: SanitySubject = {
    ...{ model, batch: scene.batch, input, trainedStages: scene.trainedStages },
    optimizer: scene.wrap?.(optimizer) ?? optimizer,
    compute: { device: "cpu", autocast: null },
    ...{ lr: 1e-3, maxSteps: 12 },
  };
  return await examineModel(subject);
}

const find = (checks: SanityReport["checks"], name: SanityCheckName) =>
  checks.find(({ check }) => check === name)!;
/** Checks that failed, but overfitting, which twelve steps are few for. */
const wrong = (checks: SanityReport["checks"]) =>
  checks
    .filter(({ check, status }) => status === "failed" && check !== "overfit")
    .map((c) => c.check);

describe("what is broken on purpose is found where it is", () => {
  test("nothing: no check but overfitting fails", async () => {
    expect(wrong(await broken("simple_cnn", () => {}))).toEqual([]);
    expect(wrong(await broken("resnet20_cifar", () => {}))).toEqual([]);
  });

  test("a layer whose output is detached: the layer, and everything before it", async () => {
    const checks = await broken("simple_cnn", ({ model }) => {
      const { conv2 } = model as unknown as { conv2: Conv2d };
      class Detached extends Conv2d {
        override forward(x: Tensor): Tensor {
          return scope(() => ops.detach(super.forward(x)));
        }
      }
      Object.setPrototypeOf(conv2, Detached.prototype);
    });
    expect(wrong(checks)).toEqual(["gradients"]);
    expect(find(checks, "gradients").culprits).toEqual([
      ...["conv2", "conv1.weight", "conv1.bias", "bn1.weight", "bn1.bias"],
      ...["conv2.weight", "conv2.bias"],
    ]);
    expect(find(checks, "gradients").detail).toContain(
      "cut by conv2, whose output carries no gradient",
    );
  });

  test("a cut between two layers: both", async () => {
    const checks = await broken("simple_cnn", ({ model }) => {
      // After the third block, and before fc1.
      const steps = model.steps.toSpliced(3, 0, ops.detach);
      Object.defineProperty(model, "steps", { value: steps });
    });
    expect(find(checks, "gradients").detail).toContain("cut between bn3 and fc1");
    expect(find(checks, "gradients").culprits).not.toContain("fc1.weight");
  });

  test("a parameter that forward does not use, and one that the optimizer was not given", async () => {
    const unused = await broken("simple_cnn", ({ model }) => {
      const { fc1 } = model as unknown as { fc1: Linear };
      class WithoutBias extends Linear {
        override forward(x: Tensor): Tensor {
          return ops.linear(x, this.weight);
        }
      }
      Object.setPrototypeOf(fc1, WithoutBias.prototype);
    });
    expect(find(unused, "gradients")).toMatchObject({
      status: "failed",
      culprits: ["fc1.bias"],
      detail: "no gradient reaches fc1.bias",
    });
    const forgotten = await broken("simple_cnn", (scene) => {
      Object.assign(scene, {
        optimizer: () =>
          adam(
            parameterGroups(
              scene.model.namedParameters().filter(([name]) => name !== "bn3.weight"),
            ),
            { lr: 1e-3 },
          ),
      });
    });
    expect(wrong(forgotten)).toEqual(["gradients"]);
    expect(find(forgotten, "gradients").culprits).toEqual(["bn3.weight"]);
  });

  const partly = (scene: Scene): void => {
    freezeStages(scene.model, { kind: "partial", unfreeze: 1 }, 1);
    scene.trainedStages = ["fc", "head"];
  };

  test("a frozen stage that keeps still passes", async () => {
    const checks = await broken("simple_cnn", partly);
    expect(wrong(checks)).toEqual([]);
    expect(find(checks, "frozen").status).toBe("passed");
  });

  test("a frozen parameter that a step changes", async () => {
    const checks = await broken("simple_cnn", (scene) => {
      partly(scene);
      const { conv1 } = scene.model as unknown as { conv1: Conv2d };
      scene.wrap = (optimizer) =>
        new Proxy(optimizer, {
          get: (of, key) => {
            if (key !== "step") {
              const value = Reflect.get(of, key);
              return typeof value === "function" ? value.bind(of) : value;
            }
            return () => {
              of.step();
              noGrad(() => scope(() => ops.mul_Scalar(conv1.weight, 0.999)));
            };
          },
        });
    });
    expect(wrong(checks)).toEqual(["frozen"]);
    expect(find(checks, "frozen").culprits).toEqual(["conv1.weight"]);
  });

  test("a frozen batch norm that goes on counting", async () => {
    const checks = await broken("simple_cnn", (scene) => {
      partly(scene);
      const { bn2 } = scene.model as unknown as { bn2: BatchNorm2d };
      expect(bn2).toBeInstanceOf(BatchNorm2d);
      Object.defineProperty(bn2, "training", { get: () => true, set: () => {} });
    });
    expect(wrong(checks)).toEqual(["frozen"]);
    expect(find(checks, "frozen").culprits).toEqual([
      ...["bn2.running_mean", "bn2.running_var", "bn2.num_batches_tracked"],
    ]);
    expect(find(checks, "frozen").hint).toContain("evaluation mode");
  });

  test.each([
    ["pixels of 0 to 255", 1, /goes from 0 to 249, allowed is -1.33 to 2/],
    ["pixel/255", 1 / 255, /pixel\/255 from which no mean was taken/],
  ])("inputs that are %s", async (_name, scale, what) => {
    let raw: Tensor | undefined;
    const checks = await broken("simple_cnn", (scene) => {
      const { count, images } = data.train;
      raw = unscoped(() =>
        Tensor.from(
          Float32Array.from(images, (pixel) => pixel * scale),
          [count, 1, 16, 16],
        ),
      );
      Object.assign(scene, { batch: { ...scene.batch, images: raw } });
    });
    raw?.dispose();
    expect(find(checks, "inputs")).toMatchObject({ status: "failed", culprits: ["channel 0"] });
    expect(find(checks, "inputs").detail).toMatch(what);
  });

  test("a head that begins with a preference: its bias, and for which class", async () => {
    const checks = await broken("simple_cnn", ({ model }) => {
      using values = Tensor.from(Float32Array.of(0, 0, 4), [3]);
      noGrad(() => ops.copy_(model.head.bias!, values));
    });
    expect(wrong(checks)).toEqual(["initial loss"]);
    expect(find(checks, "initial loss").culprits).toEqual(["fc2.bias"]);
    expect(find(checks, "initial loss").detail).toContain("it prefers class 2");
  });

  test("a head whose weights are far too large", async () => {
    const checks = await broken("resnet20_cifar", ({ model }) => {
      noGrad(() => ops.mul_Scalar(model.head.weight, 30));
      constant_(model.head.bias!, 0);
    });
    expect(find(checks, "initial loss").culprits).toEqual(["linear.weight"]);
  });
});

test("what is examined is freed", async () => {
  const before = liveTensors();
  await broken("simple_cnn", () => {});
  expect(liveTensors()).toBe(before);
});
