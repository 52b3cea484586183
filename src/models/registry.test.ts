import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formulaInput } from "../../test/formula.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { readTimmFixture } from "../../test/timm-fixtures.ts";
import { type InitTensor, readTorchFixture } from "../../test/torch-fixtures.ts";
import { UsageError } from "../errors.ts";
import { chain, crossEntropy, DropPath, withoutInit } from "../nn/index.ts";
import {
  autocast,
  Generator,
  inference,
  inMemoryFormat,
  ops,
  scope,
  setThreads,
  Tensor,
  version,
} from "../tensor/index.ts";
import {
  type Classifier,
  createModel,
  type ModelName,
  modelNames,
  models,
  parseModelName,
  stageParameters,
} from "./index.ts";

interface Built {
  readonly classes?: number;
  readonly inChannels?: number;
  readonly imageSize?: readonly [number, number];
  readonly seed?: number;
}

/** Pixels that are quick, and enough: at 32 a Swin's last windows are of one token, which attends to nothing. */
const side = (name: ModelName): number => (name.startsWith("swin_") ? 64 : 32);

function build(
  name: ModelName,
  { classes = 4, inChannels = 3, imageSize = [side(name), side(name)], seed = 42 }: Built,
): { readonly model: Classifier; readonly init: Generator } & Disposable {
  const init = new Generator(seed);
  const dropout = new Generator(1);
  const model = createModel(name, { classes, inChannels, imageSize, random: { init, dropout } });
  return {
    model,
    init,
    [Symbol.dispose]() {
      for (const each of [model, init, dropout]) each[Symbol.dispose]();
    },
  };
}

function withModel(
  name: ModelName,
  options: Built,
  body: (model: Classifier, random: Generator) => void,
): void {
  using built = build(name, options);
  scope(() => body(built.model, built.init));
}

const count = (model: Classifier): number =>
  model.parameters().reduce((sum, parameter) => sum + parameter.elements, 0);
const images = (n: number, channels: number, size = 32): Tensor =>
  Tensor.from(formulaInput([n, channels, size, size]), [n, channels, size, size]);

expectNoLeaks();
// Maps this small are not worth waking threads for, least of all beside other test files.
setThreads(1);

/** Sequences of tokens instead of a map, from images of one size. */
const hasTokens = (name: ModelName): boolean => /^(vit|deit)_/.test(name);

const timm = readTimmFixture("counts").models;

describe.each(modelNames)("%s", (name) => {
  let built: ReturnType<typeof build>;
  beforeAll(() => {
    built = build(name, {});
  });
  afterAll(() => {
    built[Symbol.dispose]();
  });

  it("is the same for the same seed", () => {
    const first = built.model.parameters();
    withModel(name, {}, (same) => {
      expect(same.parameters().every((p, i) => ops.equal(p, first[i]!))).toBe(true);
    });
  });

  it("gives a finite logit a class and image, in training and evaluation", () => {
    scope(() => {
      for (const training of [true, false]) {
        const logits = built.model.train(training).forward(images(3, 3, side(name)));
        expect(logits.shape).toEqual([3, 4]);
        expect(ops.all(ops.isfinite(logits)).item()).toBe(1);
      }
    });
  });

  it("gives every parameter a gradient that is not all zero", () => {
    scope(() => {
      const model = built.model.train();
      const labels = Tensor.from(BigInt64Array.of(0n, 1n, 2n, 3n), [4]);
      crossEntropy(model.forward(images(4, 3, side(name))), labels).backward();
      for (const [key, parameter] of model.namedParameters()) {
        const { grad } = parameter;
        expect(grad?.shape, key).toEqual(parameter.shape);
        expect(ops.countNonzero(grad!).item(), key).toBeGreaterThan(0);
      }
    });
  });

  it("has every parameter in exactly one stage, the head in the last", () => {
    const { model } = built;
    const staged = model.stages.flatMap(stageParameters);
    expect(staged).toHaveLength(model.parameters().length);
    expect(new Set(staged)).toEqual(new Set(model.parameters()));
    expect(new Set(model.stages.map((stage) => stage.name)).size).toBe(model.stages.length);
    expect(model.stages.at(-1)).toEqual({ name: "head", modules: [model.head] });
  });

  it("embeds into what its head takes, and its features are a map or tokens", () => {
    scope(() => {
      const model = built.model.eval();
      const x = images(2, 3, side(name));
      const embedded = model.embed(x);
      expect(embedded.shape).toEqual([2, model.head.weight.size(1)]);
      expect(model.features(x).shape).toHaveLength(hasTokens(name) ? 3 : 4);
      const logits = model.head.forward(embedded);
      expect(logits.toArray("float32")).toEqual(model.forward(x).toArray("float32"));
    });
  });

  it("does the work of one stage in each step, and embeds by all of them", () => {
    scope(() => {
      const model = built.model.eval();
      const named = model.namedParameters();
      const images_ = images(2, 3, side(name));
      let x = images_;
      expect(model.steps).toHaveLength(model.stages.length - 1);
      for (const [i, step] of model.steps.entries()) {
        for (const parameter of model.parameters()) parameter.grad = null;
        const y = chain(x, step);
        ops.sum(y).backward();
        const own = new Set(stageParameters(model.stages[i]!));
        const touched = named.filter(([, parameter]) => parameter.grad !== null);
        const staged = named.filter(([, parameter]) => own.has(parameter));
        expect(touched.map(([key]) => key)).toEqual(staged.map(([key]) => key));
        x = ops.detach(y);
      }
      expect(ops.equal(x, model.embed(images_))).toBe(true);
      for (const parameter of model.parameters()) parameter.grad = null;
    });
  });

  // A sequence of tokens has no memory format to hold.
  const held = hasTokens(name) ? "" : ", and holds channels_last from stem to features";
  it(`leaves the images as they are${held}`, () => {
    scope(() => {
      const model = built.model.eval().to({ memoryFormat: "channels_last" });
      const x = inMemoryFormat(images(2, 3, side(name)), "channels_last");
      const before = ops.clone(x);
      inference(() => {
        const features = model.features(x);
        if (!hasTokens(name)) expect(features.isContiguous("channels_last")).toBe(true);
        expect(ops.equal(x, before)).toBe(true);
      });
    });
  });

  it("computes in bf16 under autocast, forward and backward", () => {
    scope(() => {
      const model = built.model.train();
      const loss = autocast({ device: "cpu", dtype: "bfloat16" }, () => {
        const logits = model.forward(images(4, 3, side(name)));
        expect(logits.dtype).toBe("bfloat16");
        return ops.mean(ops.toDtype(logits, "float32"));
      });
      loss.backward();
      expect(Number.isFinite(loss.item())).toBe(true);
    });
  });

  it("takes images of one channel, and begins otherwise from another seed", () => {
    withModel(name, { inChannels: 1, seed: 43 }, (other) => {
      expect(other.forward(images(2, 1, side(name))).shape).toEqual([2, 4]);
      expect(ops.equal(other.head.weight, built.model.head.weight)).toBe(false);
    });
  });

  it("says what it is and who defined it", () => {
    expect(models[name].summary).not.toBe("");
    expect(models[name].source).not.toBe("");
  });

  it("replaceHead changes the head alone, and frees the old one", () => {
    const { model, init } = built;
    const key = [...model.stateDict()].find(([, t]) => t === model.head.weight)![0];
    const prefix = key.slice(0, key.lastIndexOf("."));
    const before = [...model.stateDict()];
    const old = model.head;
    model.replaceHead(7, init);
    expect(old.weight.disposed).toBe(true);
    const after = model.stateDict();
    expect([...after.keys()]).toEqual(before.map(([k]) => k));
    for (const [k, tensor] of before) {
      expect(after.get(k) === tensor, k).toBe(!k.startsWith(`${prefix}.`));
    }
    scope(() => expect(model.forward(images(2, 3, side(name))).shape).toEqual([2, 7]));
    expect(model.head.parameters().every((parameter) => parameter.requiresGrad)).toBe(true);
  });

  const expected = timm[name];
  if (expected === undefined) return;
  it("has timm's parameters, by their names and shapes", () => {
    withoutInit(() =>
      withModel(name, { classes: 1000, imageSize: models[name].imageSize }, (model, random) => {
        expect(count(model)).toBe(expected.parameters[1000]);
        model.replaceHead(10, random);
        expect(count(model)).toBe(expected.parameters[10]);
        const lines = [...model.stateDict()].map(([key, t]) => `${key} ${t.shape.join("x")}\n`);
        const digest = createHash("sha256").update(lines.join("")).digest("hex");
        expect(digest, lines.join("")).toBe(expected.stateDictSha256);
      }),
    );
  });
});

describe("stochastic depth and dropout", () => {
  it.each<[ModelName, first: number, last: number]>([
    ["resnet20_cifar", 0, 0.4],
    ["convnext_tiny", 0, 0.4],
    // timm divides by the number of blocks here, and the last, 1×1 convolution counts as one.
    ["mobilenetv3_small_100", 0, (0.4 * 10) / 12],
  ])("%s: rates from %d to %d, drawn from their own stream in training", (name, first, last) => {
    using init = new Generator(1);
    using dropout = new Generator(2);
    using model = createModel(name, {
      ...{ classes: 4, inChannels: 3, imageSize: [32, 32], dropout: 0.3, dropPath: 0.4 },
      random: { init, dropout },
    });
    const paths = model.namedModules().flatMap(([, m]) => (m instanceof DropPath ? [m.rate] : []));
    expect([paths.at(0), paths.at(-1)]).toEqual([first, expect.closeTo(last, 12)]);
    scope(() => {
      const x = images(4, 3);
      const { state } = dropout;
      const once = model.train().forward(x);
      expect(ops.equal(dropout.state, state)).toBe(false);
      expect(ops.equal(model.forward(x), once)).toBe(false);
      dropout.state = state;
      expect(ops.equal(model.forward(x), once)).toBe(true);
      dropout.state = state;
      model.eval().forward(x);
      expect(ops.equal(dropout.state, state)).toBe(true);
    });
  });
});

describe("parameter counts", () => {
  it.each<[ModelName, number, number, string]>([
    ["simple_cnn", 5, 2_471_941, "the reference experiment"],
    ["resnet20_cifar", 10, 269_722, "He et al., 0.27M, option A with norms' parameters"],
    ["resnet32_cifar", 10, 464_154, "He et al., 0.46M"],
    ["resnet44_cifar", 10, 658_586, "He et al., 0.66M"],
    ["resnet56_cifar", 10, 853_018, "He et al., 0.85M"],
  ])("%s with %d classes has %d", (name, classes, expected) => {
    withoutInit(() => withModel(name, { classes }, (model) => expect(count(model)).toBe(expected)));
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
