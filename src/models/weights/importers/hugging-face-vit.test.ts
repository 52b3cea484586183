import { describe, expect, it } from "vitest";
import { formulaInput, formulaTensor } from "../../../../test/formula.ts";
import { expectNoLeaks } from "../../../../test/support/no-leaks.ts";
import { readTimmFixture } from "../../../../test/timm-fixtures.ts";
import { Generator, scope, Tensor } from "../../../tensor/index.ts";
import { createModel } from "../../index.ts";
import type { TensorData } from "../safetensors.ts";
import { fromTensorData } from "../tensors.ts";
import { huggingFaceViT } from "./hugging-face-vit.ts";

const { stateDict, inputShape, logits } = readTimmFixture("vit_pieces").huggingFace;

function checkpoint(): Map<string, TensorData> {
  return new Map(
    Object.entries(stateDict).map(([key, shape], index) => {
      const bytes = new Uint8Array(formulaTensor(key, index, shape).buffer);
      return [key, { dtype: "F32", shape, bytes }];
    }),
  );
}

expectNoLeaks();

describe("transformers' ViTForImageClassification", () => {
  it("is recognised by its names, and timm's are not", () => {
    const hasMarks = (names: readonly string[]) =>
      huggingFaceViT.marks.every((mark) => names.includes(mark));
    expect(hasMarks(Object.keys(stateDict))).toBe(true);
    expect(hasMarks(["cls_token", "blocks.0.attn.qkv.weight"])).toBe(false);
  });

  it("gives transformers' logits in our network", () => {
    using init = new Generator(1);
    using dropout = new Generator(2);
    using model = createModel("vit_tiny_patch16_224", {
      classes: logits.length / inputShape[0]!,
      inChannels: 3,
      imageSize: [inputShape[2]!, inputShape[3]!],
      random: { init, dropout },
    });
    scope(() => {
      const converted = huggingFaceViT.convert(checkpoint());
      model.loadStateDict(new Map([...converted].map(([key, t]) => [key, fromTensorData(t)])));
      const x = Tensor.from(formulaInput(inputShape), inputShape);
      const got = model.eval().forward(x).toArray("float32");
      const largest = Math.max(...logits.map(Math.abs));
      expect(got).toHaveLength(logits.length);
      logits.forEach((value, i) => {
        expect(Math.abs(got[i]! - value) / largest).toBeLessThan(1e-4);
      });
    });
  });

  it("keeps names that it does not know", () => {
    const odd: TensorData = { dtype: "F32", shape: [0], bytes: new Uint8Array() };
    expect([...huggingFaceViT.convert(new Map([["vit.pooler.dense.bias", odd]])).keys()]).toEqual([
      "vit.pooler.dense.bias",
    ]);
  });

  it("names a layer that lacks one of its three projections, or whose do not fit", () => {
    const key = "vit.encoder.layer.3.attention.attention.key.weight";
    const without = checkpoint();
    without.delete(key);
    expect(() => huggingFaceViT.convert(without)).toThrow(
      /blocks\.3\.attn\.qkv\.weight: the checkpoint has no key/,
    );
    const unlike = checkpoint();
    unlike.set(key, { ...unlike.get(key)!, dtype: "F16" });
    expect(() => huggingFaceViT.convert(unlike)).toThrow(
      /query is F32 \[192, 192\], key or value F16/,
    );
  });
});
