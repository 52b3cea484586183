import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { formulaInput } from "../../test/formula.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { type InitTensor, readTorchFixture } from "../../test/torch-fixtures.ts";
import { UsageError } from "../errors.ts";
import { crossEntropy } from "../nn/index.ts";
import { Generator, ops, scope, setThreads, Tensor, version } from "../tensor/index.ts";
import {
  type Classifier,
  createModel,
  type ModelName,
  modelNames,
  models,
  parseModelName,
} from "./index.ts";

interface Built {
  readonly classes?: number;
  readonly inChannels?: number;
  readonly imageSize?: readonly [number, number];
  readonly seed?: number;
}

function withModel(
  name: ModelName,
  { classes = 4, inChannels = 3, imageSize = [32, 32], seed = 42 }: Built,
  body: (model: Classifier, random: Generator) => void,
): void {
  using init = new Generator(seed);
  using dropout = new Generator(1);
  using model = createModel(name, { classes, inChannels, imageSize, random: { init, dropout } });
  scope(() => body(model, init));
}

const count = (model: Classifier): number =>
  model.parameters().reduce((sum, parameter) => sum + parameter.elements, 0);
const images = (n: number, channels: number, size = 32): Tensor =>
  Tensor.from(formulaInput([n, channels, size, size]), [n, channels, size, size]);

expectNoLeaks();
// Maps this small are not worth waking threads for, least of all beside other test files.
setThreads(1);

describe.each(modelNames)("%s", (name) => {
  it("gives a finite logit a class and image, in training and evaluation", () => {
    withModel(name, {}, (model) => {
      for (const training of [true, false]) {
        const logits = model.train(training).forward(images(3, 3));
        expect(logits.shape).toEqual([3, 4]);
        expect(ops.all(ops.isfinite(logits)).item()).toBe(1);
      }
    });
  });

  it("gives every parameter a gradient that is not all zero", () => {
    withModel(name, {}, (model) => {
      const labels = Tensor.from(BigInt64Array.of(0n, 1n, 2n, 3n), [4]);
      crossEntropy(model.forward(images(4, 3)), labels).backward();
      for (const [key, parameter] of model.namedParameters()) {
        const { grad } = parameter;
        expect(grad?.shape, key).toEqual(parameter.shape);
        expect(ops.countNonzero(grad!).item(), key).toBeGreaterThan(0);
      }
    });
  });

  it("has every parameter in exactly one stage, the head in the last", () => {
    withModel(name, {}, (model) => {
      const staged = model.stages.flatMap((stage) => stage.modules.flatMap((m) => m.parameters()));
      expect(staged).toHaveLength(model.parameters().length);
      expect(new Set(staged)).toEqual(new Set(model.parameters()));
      expect(new Set(model.stages.map((stage) => stage.name)).size).toBe(model.stages.length);
      expect(model.stages.at(-1)).toEqual({ name: "head", modules: [model.head] });
    });
  });

  it("embeds into what its head takes, and its features are a map", () => {
    withModel(name, {}, (model) => {
      model.eval();
      const x = images(2, 3);
      const embedded = model.embed(x);
      expect(embedded.shape).toEqual([2, model.head.weight.size(1)]);
      expect(model.features(x).shape).toHaveLength(4);
      const logits = model.head.forward(embedded);
      expect(logits.toArray("float32")).toEqual(model.forward(x).toArray("float32"));
    });
  });

  it("replaceHead changes the head alone, and frees the old one", () => {
    withModel(name, {}, (model, random) => {
      const key = [...model.stateDict()].find(([, t]) => t === model.head.weight)![0];
      const prefix = key.slice(0, key.lastIndexOf("."));
      const before = [...model.stateDict()];
      const old = model.head;
      model.replaceHead(7, random);
      expect(old.weight.disposed).toBe(true);
      const after = model.stateDict();
      expect([...after.keys()]).toEqual(before.map(([k]) => k));
      for (const [k, tensor] of before) {
        expect(after.get(k) === tensor, k).toBe(!k.startsWith(`${prefix}.`));
      }
      expect(model.forward(images(2, 3)).shape).toEqual([2, 7]);
      expect(model.head.parameters().every((parameter) => parameter.requiresGrad)).toBe(true);
    });
  });

  it("takes images of one channel", () => {
    withModel(name, { inChannels: 1 }, (model) => {
      expect(model.forward(images(2, 1)).shape).toEqual([2, 4]);
    });
  });

  it("is the same for the same seed, another for another", () => {
    const digest = (seed: number): string => {
      const hash = createHash("sha256");
      withModel(name, { seed }, (model) => {
        for (const parameter of model.parameters()) hash.update(parameter.toBytes());
      });
      return hash.digest("hex");
    };
    expect(digest(5)).toBe(digest(5));
    expect(digest(5)).not.toBe(digest(6));
  });

  it("says what it is and who defined it", () => {
    expect(models[name].summary).not.toBe("");
    expect(models[name].source).not.toBe("");
  });
});

describe("parameter counts", () => {
  it.each<[ModelName, number, number, string]>([
    ["resnet18", 1000, 11_689_512, "torchvision"],
    ["resnet34", 1000, 21_797_672, "torchvision"],
    ["resnet50", 1000, 25_557_032, "torchvision"],
    ["simple_cnn", 5, 2_471_941, "the reference experiment"],
    ["resnet20_cifar", 10, 269_722, "He et al., 0.27M, option A with norms' parameters"],
  ])("%s with %d classes has %d", (name, classes, expected) => {
    withModel(name, { classes }, (model) => expect(count(model)).toBe(expected));
  });
});

describe("initialisation equals PyTorch's from the same seed", () => {
  const fixture = readTorchFixture("init");
  const sameRelease = version().libtorch.startsWith(fixture.about.torch.slice(0, 4));

  function check(model: Classifier, expected: Readonly<Record<string, InitTensor>>): void {
    const tensors = model.stateDict();
    for (const [key, { shape, first, sha256, sha256Of }] of Object.entries(expected)) {
      const tensor = tensors.get(key)!;
      expect(tensor.shape, key).toEqual(shape);
      const values = tensor.toArray("float32");
      first.forEach((value, i) => {
        expect(values[i], `${key}[${i}]`).toBeCloseTo(value, 5);
      });
      if (!sameRelease) continue;
      const known = [sha256, ...Object.values(sha256Of ?? {})];
      expect(known, key).toContain(createHash("sha256").update(tensor.toBytes()).digest("hex"));
    }
  }

  it("simple_cnn, Kaiming", () => {
    const classes = fixture.cases.simple_cnn_kaiming!["fc2.weight"]!.shape[0]!;
    withModel("simple_cnn", { classes, seed: fixture.seed }, (model) => {
      check(model, fixture.cases.simple_cnn_kaiming!);
    });
  });

  it("resnet18", () => {
    withModel("resnet18", { classes: 10, seed: fixture.seed }, (model) => {
      check(model, fixture.cases.resnet18!);
    });
  });
});

describe("what cannot be built", () => {
  it("an unknown name is a usage error that names the nearest", () => {
    expect(parseModelName("resnet18")).toBe("resnet18");
    expect(() => parseModelName("resnet81")).toThrow(UsageError);
    expect(() => parseModelName("resent18")).toThrow(/"resent18": did you mean resnet18\?/);
    expect(() => parseModelName("toString")).toThrow(UsageError);
  });

  it("simple_cnn says that an image is too small", () => {
    expect(() => withModel("simple_cnn", { imageSize: [7, 32] }, () => undefined)).toThrow(
      /7×32 is too small/,
    );
  });
});
