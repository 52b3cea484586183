import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { formulaInput } from "../../test/formula.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { readTimmFixture } from "../../test/timm-fixtures.ts";
import { UsageError } from "../errors.ts";
import { autocast, Generator, inference, ops, scope, Tensor, version } from "../tensor/index.ts";
import { type Classifier, createModel, type ModelName } from "./index.ts";
import { resamplePositionEmbedding } from "./position-embedding.ts";
import { shiftMask } from "./shifted-windows.ts";
import { loadWeights, type TensorData } from "./weights/index.ts";
import { fromTensorData, toTensorData } from "./weights/tensors.ts";

const pieces = readTimmFixture("vit_pieces");

interface Built {
  readonly imageSize?: readonly [number, number];
  readonly seed?: number;
  readonly dropPath?: number;
}

function withModel(
  name: ModelName,
  { imageSize = [32, 32], seed = 42, dropPath = 0 }: Built,
  body: (model: Classifier) => void,
): void {
  using init = new Generator(seed);
  using dropout = new Generator(1);
  const options = { classes: 4, inChannels: 3, imageSize, dropPath, random: { init, dropout } };
  using model = createModel(name, options);
  scope(() => body(model));
}

const images = (count: number, height: number, width = height): Tensor => {
  const shape = [count, 3, height, width];
  return Tensor.from(formulaInput(shape), shape);
};

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

expectNoLeaks();

// The bits are those of one instruction set and release: others may differ in the last digit.
const sameRelease = version().libtorch.startsWith("1.13");

describe.each(Object.entries(pieces.init))("%s", (name, expected) => {
  it("starts from timm's values for the same seed, but for truncated normal ones", () => {
    withModel(name as ModelName, {}, (model) => {
      const tensors = model.stateDict();
      for (const [key, { shape, first, sha256 }] of Object.entries(expected)) {
        const tensor = tensors.get(key)!;
        expect(tensor.shape, key).toEqual(shape);
        const values = tensor.toArray("float32");
        first.forEach((value, i) => {
          expect(values[i], `${key}[${i}]`).toBeCloseTo(value, 5);
        });
        const digest = createHash("sha256").update(tensor.toBytes()).digest("hex");
        if (sameRelease) expect(digest, key).toBe(sha256);
      }
    });
  });

  it("has features in bf16 that point where those of fp32 do", () => {
    withModel(name as ModelName, { imageSize: [64, 64] }, (model) => {
      model.eval();
      inference(() => {
        const full = model.embed(images(2, 64)).toArray("float32");
        const half = autocast({ device: "cpu", dtype: "bfloat16" }, () =>
          model.embed(images(2, 64)),
        );
        const values = ops.toDtype(half, "float32").toArray("float32");
        expect(cosine(full, values)).toBeGreaterThan(0.999);
      });
    });
  });

  it("draws a mask a sample and branch for stochastic depth, none in evaluation", () => {
    withModel(name as ModelName, { dropPath: 0.9, imageSize: [64, 64] }, (model) => {
      const logits = () => [...model.forward(images(2, 64)).toArray("float32")];
      expect(logits()).not.toEqual(logits());
      model.eval();
      expect(logits()).toEqual(logits());
    });
  });
});

describe("VisionTransformer", () => {
  it("embeds what its features' class token is, though its last block computes nothing else", () => {
    withModel("vit_tiny_patch16_224", { imageSize: [48, 64] }, (model) => {
      const [x, width] = [images(2, 48, 64), model.head.weight.size(1)];
      const tokens = model.features(x);
      expect(tokens.shape).toEqual([2, 1 + 3 * 4, width]);
      const expected = ops.select(tokens, 1, 0).toArray("float32");
      const got = model.embed(x).toArray("float32");
      got.forEach((value, i) => {
        expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-4);
      });
    });
  });

  it("trains the final norm with the last block", () => {
    withModel("vit_tiny_patch16_224", {}, (model) => {
      const names = new Map(model.namedParameters().map(([key, parameter]) => [parameter, key]));
      const keys = model.stages.map(({ name, modules, parameters = [] }) => [
        name,
        [...parameters, ...modules.flatMap((m) => m.parameters())].map((p) => names.get(p)!),
      ]);
      const stages = Object.fromEntries(keys) as Record<string, string[]>;
      expect(Object.keys(stages)).toEqual([
        "stem",
        ...Array.from({ length: 12 }, (_, i) => `block${i}`),
        "head",
      ]);
      expect(stages.stem).toContain("pos_embed");
      expect(stages.block11).toContain("norm.weight");
    });
  });

  it("says which sizes its patches fill, and which it was built for", () => {
    const build = () =>
      withModel("vit_small_patch32_224", { imageSize: [64, 80] }, () => undefined);
    expect(build).toThrow(UsageError);
    expect(build).toThrow(/patches of 32×32 pixels do not fill 64×80/);
    withModel("vit_tiny_patch16_224", { imageSize: [32, 64] }, (model) => {
      expect(() => model.forward(images(1, 64, 32))).toThrow(
        /images of 64×32 for a network that was built for 32×64/,
      );
    });
  });
});

describe("SwinTransformer", () => {
  it("says which sizes it takes", () => {
    const build = (imageSize: [number, number]) => () =>
      withModel("swin_tiny_patch4_window7_224", { imageSize }, () => undefined);
    expect(build([28, 64])).toThrow(UsageError);
    expect(build([64, 66])).toThrow(/cannot take images of 64×66 pixels/);
  });

  it("pads maps that windows do not fill, at every size that patches fill", () => {
    withModel("swin_tiny_patch4_window7_224", { imageSize: [100, 68] }, (model) => {
      expect(model.features(images(1, 100, 68)).shape).toEqual([1, 768, 4, 3]);
    });
  });

  it("lets positions attend only to those that were their neighbours before the shift", () => {
    const mask = shiftMask([4, 4], [2, 2], [1, 1]);
    // The first window is whole; the last is of four corners; the second of two halves side by side.
    expect([...mask.subarray(0, 16)]).toEqual(Array(16).fill(0));
    const [same, other] = [0, -100];
    expect([...mask.subarray(16, 20)]).toEqual([same, other, same, other]);
    expect([...mask.subarray(48, 52)]).toEqual([same, other, other, other]);
  });
});

describe("weights for images of another size", () => {
  const weightsOf = (name: ModelName, imageSize: readonly [number, number]) => {
    let tensors = new Map<string, TensorData>();
    withModel(name, { imageSize, seed: 7 }, (model) => {
      tensors = new Map([...model.stateDict()].map(([key, t]) => [key, toTensorData(t)]));
    });
    return tensors;
  };

  it("have their position embeddings resampled, as timm loads them", () => {
    const { from, to, width } = { from: [2, 2], to: [3, 4], width: 192 } as const;
    const tensors = weightsOf("vit_tiny_patch16_224", [32, 32]);
    withModel("vit_tiny_patch16_224", { imageSize: [48, 64] }, (model) => {
      const { adapted, loaded } = loadWeights(model, tensors);
      const shapes = { from: [1, 5, width], to: [1, 13, width] };
      expect(adapted).toEqual([{ name: "pos_embed", ...shapes, how: "resampled" }]);
      expect(loaded).toHaveLength(tensors.size - 1);
      const given = fromTensorData(tensors.get("pos_embed")!);
      const wanted = resamplePositionEmbedding(given, { from, to, prefixTokens: 1 });
      expect(ops.equal(model.stateDict().get("pos_embed")!, wanted)).toBe(true);
    });
  });

  it("of a ViT are refused where the embedding is of no square, or another width", () => {
    for (const [name, imageSize] of [
      ["vit_tiny_patch16_224", [32, 48]],
      ["vit_small_patch16_224", [32, 32]],
    ] as const) {
      const embedding = weightsOf(name, imageSize).get("pos_embed")!;
      const tensors = weightsOf("vit_tiny_patch16_224", [32, 32]).set("pos_embed", embedding);
      withModel("vit_tiny_patch16_224", { imageSize: [64, 64] }, (model) => {
        expect(() => loadWeights(model, tensors)).toThrow("different: pos_embed (file has");
      });
    }
  });

  it("of a Swin whose windows shrank are refused in words", () => {
    const tensors = weightsOf("swin_tiny_patch4_window7_224", [224, 224]);
    withModel("swin_tiny_patch4_window7_224", { imageSize: [128, 128] }, (model) => {
      expect(() => loadWeights(model, tensors)).toThrow(
        "layers.3.blocks.0.attn.relative_position_bias_table: file has 169 positions, and the windows of these images have 49",
      );
    });
  });
});
