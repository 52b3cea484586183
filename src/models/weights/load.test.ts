import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../../test/support/no-leaks.ts";
import type { ThawError } from "../../errors.ts";
import { withoutInit } from "../../nn/index.ts";
import { Generator, type Tensor } from "../../tensor/index.ts";
import { type Classifier, createModel, type ModelName, modelNames, models } from "../index.ts";
import { type LoadOptions, loadWeights } from "./load.ts";
import { lookAlike } from "./look-alike.ts";
import type { TensorData } from "./safetensors.ts";
import { toTensorData } from "./tensors.ts";

expectNoLeaks();

interface Shape {
  readonly classes?: number;
  readonly inChannels?: number;
  readonly seed?: number;
}

function build(
  name: ModelName,
  { classes = 10, inChannels = 3, seed = 1 }: Shape = {},
): Classifier {
  using random = new Generator(seed);
  const imageSize = [32, 32] as const;
  return createModel(name, {
    classes,
    inChannels,
    imageSize,
    random: { init: random, dropout: random },
  });
}

function weightsOf(name: ModelName, shape: Shape = {}): Map<string, TensorData> {
  using model = build(name, { seed: 7, ...shape });
  return new Map([...model.stateDict()].map(([key, tensor]) => [key, toTensorData(tensor)]));
}

const floats = (data: TensorData): Float32Array =>
  new Float32Array(data.bytes.slice().buffer as ArrayBuffer);
const values = (tensor: Tensor | undefined): Float32Array => tensor!.toArray("float32");

describe("a file that fits", () => {
  it("is loaded whole", () => {
    using model = build("resnet20_cifar");
    const tensors = weightsOf("resnet20_cifar");
    const report = loadWeights(model, tensors);
    expect(report).toEqual({
      ...{ loaded: [...tensors.keys()], adapted: [], reinitialized: [] },
      ...{ prefix: "", leftOut: [] },
    });
    for (const [key, tensor] of model.stateDict())
      expect(toTensorData(tensor)).toEqual(tensors.get(key));
  });

  it("may lie at odd bytes, be of half precision, and lack what PyTorch once did not count", () => {
    using model = build("resnet20_cifar");
    const tensors = weightsOf("resnet20_cifar");
    const bias = Uint8Array.from([0, ...tensors.get("linear.bias")!.bytes]).subarray(1);
    tensors.set("linear.bias", { dtype: "F32", shape: [10], bytes: bias });
    const half = new Uint8Array(Uint16Array.from({ length: 16 }, () => 0x3e00).buffer);
    tensors.set("bn1.weight", { dtype: "F16", shape: [16], bytes: half });
    tensors.delete("bn1.num_batches_tracked");
    loadWeights(model, tensors);
    expect(values(model.stateDict().get("linear.bias"))).toEqual(
      floats({ dtype: "F32", shape: [10], bytes: bias }),
    );
    expect(values(model.stateDict().get("bn1.weight"))).toEqual(new Float32Array(16).fill(1.5));
  });
});

describe("another head", () => {
  it("is an error that says what to do", () => {
    using model = build("resnet18");
    expect(() => loadWeights(model, weightsOf("resnet18", { classes: 1000 }))).toThrow(
      "fc.weight: file has [1000, 512], model wants [10, 512]: load first, then replaceHead(10)",
    );
  });

  it("with newHead stays as the model was built, and is reported", () => {
    using model = build("resnet20_cifar", { seed: 3 });
    using fresh = build("resnet20_cifar", { seed: 3 });
    const tensors = weightsOf("resnet20_cifar", { classes: 100 });
    const report = loadWeights(model, tensors, { newHead: true });
    expect(report.reinitialized).toEqual(["linear.weight", "linear.bias"]);
    expect(report.loaded).toHaveLength(tensors.size - 2);
    expect(values(model.head.weight)).toEqual(values(fresh.head.weight));
  });

  it("or none at all, as a backbone's file", () => {
    using model = build("resnet20_cifar");
    const tensors = weightsOf("resnet20_cifar");
    tensors.delete("linear.weight");
    tensors.delete("linear.bias");
    expect(() => loadWeights(model, tensors)).toThrow("missing: linear.weight, linear.bias");
    expect(loadWeights(model, tensors, { newHead: true }).reinitialized).toHaveLength(2);
  });

  it("of the same classes in another order, or of more, gives its rows by name", () => {
    using model = build("resnet20_cifar", { classes: 2 });
    const tensors = weightsOf("resnet20_cifar", { classes: 3 });
    const classes = { file: ["cat", "dog", "bird"], model: ["bird", "cat"] };
    const { adapted } = loadWeights(model, tensors, { classes });
    expect(adapted.map(({ name, how }) => [name, how])).toEqual([
      ["linear.weight", "rows by class name"],
      ["linear.bias", "rows by class name"],
    ]);
    const [cat, , bird] = floats(tensors.get("linear.bias")!);
    expect(values(model.head.bias!)).toEqual(Float32Array.of(bird!, cat!));
  });

  it("of as many other classes is not taken for these", () => {
    using model = build("resnet20_cifar", { classes: 2 });
    const tensors = weightsOf("resnet20_cifar", { classes: 2 });
    const classes = { file: ["cat", "dog"], model: ["coat", "bag"] };
    const { reinitialized } = loadWeights(model, tensors, { newHead: true, classes });
    expect(reinitialized).toEqual(["linear.weight", "linear.bias"]);
  });
});

describe("images of other channels, as timm adapts them", () => {
  const first = (model: Classifier) => values(model.stateDict().get("conv1.weight"));

  it("3 → 1: the sum over the colours", () => {
    using model = build("resnet20_cifar", { inChannels: 1 });
    const tensors = weightsOf("resnet20_cifar");
    const { adapted } = loadWeights(model, tensors);
    expect(adapted).toEqual([
      { name: "conv1.weight", from: [16, 3, 3, 3], to: [16, 1, 3, 3], how: "3 channels summed" },
    ]);
    const given = floats(tensors.get("conv1.weight")!);
    first(model).forEach((value, i) => {
      const [out, place] = [Math.floor(i / 9), i % 9];
      const sum = [0, 1, 2].reduce((s, c) => s + given[(out * 3 + c) * 9 + place]!, 0);
      expect(value).toBeCloseTo(sum, 6);
    });
  });

  it.each([
    [1, 3],
    [3, 4],
  ])("%d → %d: repeated in turn, the sum kept", (from, to) => {
    using model = build("resnet20_cifar", { inChannels: to });
    const tensors = weightsOf("resnet20_cifar", { inChannels: from });
    loadWeights(model, tensors);
    const given = floats(tensors.get("conv1.weight")!);
    first(model).forEach((value, i) => {
      const [out, channel, place] = [Math.floor(i / (9 * to)), Math.floor(i / 9) % to, i % 9];
      const wanted = (given[(out * from + (channel % from)) * 9 + place]! * from) / to;
      expect(value).toBeCloseTo(wanted, 6);
    });
  });
});

describe("what does not fit", () => {
  it("another architecture: which one it looks like, the first keys, and nothing is copied", () => {
    using model = build("resnet18", { seed: 3 });
    const before = toTensorData(model.head.weight);
    const load = () =>
      loadWeights(model, weightsOf("resnet34"), { from: "w.pth", model: "resnet18" });
    expect(load).toThrow(
      "w.pth does not fit resnet18: it looks like resnet34\n" +
        "  unexpected: layer1.2.conv1.weight, layer1.2.bn1.weight, layer1.2.bn1.bias, and 93 more",
    );
    expect(load).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("--model resnet34") }),
    );
    expect(toTensorData(model.head.weight)).toEqual(before);
  });

  it("names that are nobody's", () => {
    using model = build("simple_cnn");
    const data: TensorData = { dtype: "F32", shape: [1], bytes: new Uint8Array(4) };
    expect(() => loadWeights(model, new Map([["w", data]]))).toThrow(
      /^the weights do not fit the model\n {2}missing: conv1.weight, .* more\n {2}unexpected: w$/,
    );
  });

  it("a wrong shape and a wrong kind of number", () => {
    using model = build("resnet20_cifar");
    const tensors = weightsOf("resnet20_cifar");
    tensors.set("bn1.bias", { dtype: "F32", shape: [4, 4], bytes: new Uint8Array(64) });
    tensors.set("bn1.weight", { dtype: "I32", shape: [16], bytes: new Uint8Array(64) });
    expect(() => loadWeights(model, tensors)).toThrow(
      "different: bn1.weight (file has I32 [16], model wants float32 [16]), bn1.bias (file has F32 [4, 4], model wants float32 [16])",
    );
  });

  it.each<[ModelName, "pytorch" | "tensorflow", ModelName]>([
    ["mobilenetv3_small_100", "tensorflow", "tf_mobilenetv3_small_100"],
    ["tf_mobilenetv3_small_100", "pytorch", "mobilenetv3_small_100"],
  ])("%s and weights for %s's layers, whose names and shapes fit", (name, framework, right) => {
    using model = build(name);
    const tensors = weightsOf(right);
    expect(() => loadWeights(model, tensors, { file: { framework }, model: name })).toThrow(
      expect.objectContaining({ hint: `use --model ${right}` }),
    );
    using other = build(right);
    expect(loadWeights(other, tensors, { file: { framework }, model: right }).adapted).toEqual([]);
    // Where nothing says whose they are, they are taken.
    expect(loadWeights(model, tensors, { model: name }).adapted).toEqual([]);
  });

  it("is told apart by a model's own adapt", () => {
    using model = build("resnet20_cifar");
    const asked: string[] = [];
    model.adapt = (name, tensor) => {
      asked.push(`${name} ${tensor.shape.join("x")}`);
      return undefined;
    };
    const tensors = weightsOf("resnet20_cifar");
    tensors.set("bn1.bias", { dtype: "F32", shape: [4, 4], bytes: new Uint8Array(64) });
    expect(() => loadWeights(model, tensors)).toThrow("bn1.bias");
    expect(asked).toEqual(["bn1.bias 4x4"]);
  });
});

describe("lookAlike", () => {
  it.each<ModelName>(["resnet20_cifar", "resnet34", "resnet50", "simple_cnn"])(
    "knows %s",
    (name) => {
      expect(lookAlike(weightsOf(name, { classes: 7 }))).toEqual([name]);
    },
  );

  it("names both of what is stored the same and computed otherwise, but the one that is meant where it is known", () => {
    const tensors = weightsOf("tf_mobilenetv3_small_100");
    expect(lookAlike(tensors)).toEqual(["mobilenetv3_small_100", "tf_mobilenetv3_small_100"]);
    using model = build("resnet20_cifar");
    const hint = (file: LoadOptions["file"]) => {
      try {
        loadWeights(model, tensors, { model: "resnet20_cifar", ...(file && { file }) });
      } catch (error) {
        return (error as ThawError).hint;
      }
      return undefined;
    };
    expect(hint(undefined)).toContain(
      "use --model mobilenetv3_small_100 or tf_mobilenetv3_small_100,",
    );
    expect(hint({ framework: "tensorflow" })).toContain("use --model tf_mobilenetv3_small_100,");
  });
});

it.each(modelNames)("withoutInit leaves the generator where it was: %s", (name) => {
  using random = new Generator(5);
  using other = new Generator(5);
  const { imageSize } = models[name];
  using _model = withoutInit(() =>
    createModel(name, {
      ...{ classes: 2, inChannels: 3, imageSize },
      random: { init: random, dropout: random },
    }),
  );
  const state = ({ state }: Generator) => {
    using copy = state;
    return copy.toBytes();
  };
  expect(state(random)).toEqual(state(other));
});
