import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../../test/support/no-leaks.ts";
import { type Classifier, createModel, type ModelName } from "../../models/index.ts";
import type { VisionTransformer } from "../../models/vit.ts";
import type { Attention, Block } from "../../models/vit-block.ts";
import { explicitAttention } from "../../nn/attention.ts";
import { Generator, noGrad, ops, scope, Tensor } from "../../tensor/index.ts";
import { attentionRollout } from "./attention-rollout.ts";
import { stretched } from "./explain.ts";
import { gradCam } from "./grad-cam.ts";

expectNoLeaks();

function make(name: ModelName, side: number): Classifier {
  using random = new Generator(3);
  const options = { classes: 5, inChannels: 3, imageSize: [side, side] as const };
  return createModel(name, { ...options, random: { init: random, dropout: random } }).eval();
}
function images(count: number, side: number): Tensor {
  const values = Float32Array.from({ length: count * 3 * side * side }, (_, i) =>
    Math.sin(i * 0.37),
  );
  return Tensor.from(values, [count, 3, side, side]);
}
const values = (tensor: Tensor) => [...ops.contiguous(tensor).toArray("float32")];
const expectClose = (a: readonly number[], b: readonly number[]) => {
  expect(a).toHaveLength(b.length);
  const scale = Math.max(...b.map(Math.abs));
  expect(Math.max(...a.map((value, i) => Math.abs(value - b[i]!))) / scale).toBeLessThan(1e-4);
};

describe("Grad-CAM", () => {
  it("is CAM where a linear head sees the mean of the map (Selvaraju et al. 2017, §3.1)", () => {
    using model = make("resnet20_cifar", 32);
    scope(() => {
      const x = images(2, 32);
      const { maps, probabilities } = gradCam(model, x);
      expect(maps.shape).toEqual([2, 8, 8]);
      const cam = noGrad(() => {
        const features = model.features(x);
        const logits = model.forward(x);
        expectClose(values(probabilities), values(ops.softmax(logits, 1)));
        const rows = ops.indexSelect(model.head.weight, 0, ops.argmax(logits, { dim: 1 }));
        const weighted = ops.mul(ops.reshape(rows, [2, -1, 1, 1]), features);
        return ops.divScalar(ops.relu(ops.sumDim(weighted, { dim: 1 })), 64);
      });
      expectClose(values(maps), values(cam));
      expect(Math.max(...values(cam))).toBeGreaterThan(0);
    });
  });

  it.each([
    ["simple_cnn", 32, [4, 4]],
    ["efficientnet_b0", 64, [2, 2]],
    ["mobilenetv3_small_100", 64, [2, 2]],
    ["convnext_tiny", 64, [2, 2]],
    ["swin_tiny_patch4_window7_224", 224, [7, 7]],
  ] as const)("sees the map of %s, and leaves the model as it was", (name, side, grid) => {
    using model = make(name, side);
    scope(() => {
      const x = images(1, side);
      const { maps } = gradCam(model, x);
      expect(maps.shape).toEqual([1, ...grid]);
      expect(values(maps).every((value) => value >= 0)).toBe(true);
      expect(model.parameters().every((parameter) => parameter.grad === null)).toBe(true);
    });
  });
});

it("shows Grad-CAM from no evidence on, attention from its smallest on", () => {
  const map = Float32Array.of(0.5, 1, 2);
  expect([...stretched(map, "zero")]).toEqual([0.25, 0.5, 1]);
  expect([...stretched(map, "smallest")]).toEqual([0, Math.fround(1 / 3), 1]);
  expect([...stretched(new Float32Array(2), "zero")]).toEqual([0, 0]);
});

describe("attention rollout", () => {
  it("rests on the very weights of the attention", () => {
    using model = make("vit_tiny_patch16_224", 32);
    const attn = ([...(model as VisionTransformer).blocks][0] as Block).attn as Attention;
    noGrad(() =>
      scope(() => {
        const x = ops.reshape(images(3, 8), [1, 3, 192]);
        const weights = attn.weights(x);
        const [q, k, v] = ops.unbind(
          ops.permute(ops.reshape(attn.qkv.forward(x), [1, 3, 3, 3, 64]), [2, 0, 3, 1, 4]),
        ) as [Tensor, Tensor, Tensor];
        const mixed = explicitAttention(ops.contiguous(q), ops.contiguous(k), ops.contiguous(v));
        expectClose(values(ops.matmul(weights, v)), values(mixed));
      }),
    );
  });

  it("is the product of the blocks, a half of each the shortcut (Abnar & Zuidema 2020, §3)", () => {
    using model = make("vit_tiny_patch16_224", 32);
    const vit = model as VisionTransformer;
    scope(() => {
      const x = images(2, 32);
      const { maps, probabilities } = attentionRollout(vit, x);
      expect(maps.shape).toEqual([2, 2, 2]);
      expect(probabilities.shape).toEqual([2, 5]);
      // The same by plain loops over the first image, from what each block sees.
      const seen: number[][][] = [];
      noGrad(() => {
        const own = vit.blocks.forward;
        Object.defineProperty(vit.blocks, "forward", {
          configurable: true,
          value: (tokens: Tensor) => {
            let y = tokens;
            for (const block of vit.blocks as Iterable<Block>) {
              const w = (block.attn as Attention).weights(block.norm1.forward(y));
              const [, heads, n] = w.shape as [number, number, number, number];
              const flat = values(w);
              const at = (h: number, i: number, j: number) => flat[(h * n + i) * n + j]!;
              seen.push(
                Array.from({ length: n }, (_, i) =>
                  Array.from({ length: n }, (_, j) => {
                    let sum = 0;
                    for (let h = 0; h < heads; h++) sum += at(h, i, j) / heads;
                    return (sum + (i === j ? 1 : 0)) / 2;
                  }),
                ),
              );
              y = block.forward(y);
            }
            return y;
          },
        });
        vit.features(x);
        Reflect.deleteProperty(vit.blocks, "forward");
        expect(vit.blocks.forward).toBe(own);
      });
      expect(seen).toHaveLength(12);
      const rolled = seen.reduce((before, block) =>
        block.map((row) =>
          before[0]!.map((_, j) => row.reduce((sum, w, k) => sum + w * before[k]![j]!, 0)),
        ),
      );
      expectClose(values(maps).slice(0, 4), rolled[0]!.slice(1));
      expect(rolled[0]!.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    });
  });
});
