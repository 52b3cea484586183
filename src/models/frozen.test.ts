import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { BatchNorm2d } from "../nn/index.ts";
import { Generator, inference, inMemoryFormat, ops, scope } from "../tensor/index.ts";
import { freeze } from "./frozen.ts";
import { chooseCompute, createModel, type ModelName } from "./index.ts";
import { forward } from "./predict.ts";

expectNoLeaks();

/** A model in evaluation whose norms have statistics and weights that do something. */
function built(name: ModelName, size: number, random: Generator) {
  const model = createModel(name, {
    ...{ classes: 7, inChannels: 3, imageSize: [size, size] as const },
    random: { init: random, dropout: random },
  });
  scope(() => {
    const draw = (norm: BatchNorm2d, from: number, to: number) =>
      ops.uniform_(ops.empty(norm.weight.shape), { from, to, generator: random });
    for (const [, norm] of model.namedModules()) {
      if (!(norm instanceof BatchNorm2d)) continue;
      ops.copy_(norm.running_mean, draw(norm, -0.5, 0.5));
      ops.copy_(norm.running_var, draw(norm, 0.5, 2));
    }
  });
  return model.eval();
}

/** The cosine of two flattened tensors. */
function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

describe.each<[ModelName, number]>([
  ["simple_cnn", 32],
  ["resnet20_cifar", 32],
  ["resnet18", 64],
  ["resnet50", 64],
  ["efficientnet_b0", 64],
  ["mobilenetv3_small_100", 64],
])("%s, frozen", (name, size) => {
  it.each([
    ["fp32", 1e-5],
    ["bf16", 2e-3],
  ] as const)("gives the logits it gave before: %s", (precision, tolerance) => {
    using random = new Generator(5);
    using model = built(name, size, random);
    const compute = chooseCompute({ device: "cpu", precision });
    model.to(compute);
    scope(() => {
      const drawn = ops.randn([4, 3, size, size], { generator: random });
      const images = inMemoryFormat(drawn, compute.memoryFormat);
      const logits = (how: typeof compute) =>
        ops
          .toDtype(
            inference(() => forward(model, images, how)),
            "float32",
          )
          .toArray("float32");
      const before = logits({ ...compute, autocast: null });
      freeze(model, [3, size, size], compute);
      expect(1 - cosine(logits(compute), before)).toBeLessThan(tolerance);
      expect(
        [...model.namedModules()].filter(([, m]) => m instanceof BatchNorm2d && !m.isFolded),
      ).toEqual([]);
    });
  });

  it("a second time as once", () => {
    using random = new Generator(5);
    using model = built(name, size, random);
    const compute = chooseCompute({ device: "cpu", precision: "fp32" });
    scope(() => {
      const images = ops.randn([2, 3, size, size], { generator: random });
      const logits = () => inference(() => model.forward(images)).toArray("float32");
      freeze(model, [3, size, size], compute);
      const once = logits();
      freeze(model, [3, size, size], compute);
      expect(logits()).toEqual(once);
    });
  });

  it("cannot be trained", () => {
    using random = new Generator(5);
    using model = built(name, size, random);
    freeze(model, [3, size, size], chooseCompute({ device: "cpu", precision: "fp32" }));
    expect(model.parameters().some((parameter) => parameter.requiresGrad)).toBe(false);
    expect(() => scope(() => model.train().forward(ops.zeros([2, 3, size, size])))).toThrow(
      /folded into its convolution/,
    );
  });
});
