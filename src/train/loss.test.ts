import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { crossEntropy, distillation } from "../nn/index.ts";
import { parseConfig } from "../run/config-load.ts";
import { ops, scope, Tensor } from "../tensor/index.ts";
import { classWeights, makeLoss } from "./loss.ts";

const set = (labels: readonly number[], classes: readonly string[]) => ({
  labels: Uint8Array.from(labels),
  classes,
  count: labels.length,
});

describe("class weights", () => {
  const grey = set([0, 0, 0, 0, 0, 1, 1, 2], ["coat", "bag", "boot"]);

  it("balanced are scikit-learn's", () => {
    // compute_class_weight("balanced", classes=[0, 1, 2], y=labels) of scikit-learn 1.2.1
    const expected = [0.5333333333333333, 1.3333333333333333, 2.6666666666666665];
    expect(classWeights({ classWeights: "balanced" }, grey)).toEqual(Float32Array.from(expected));
  });

  it("are taken as they are given, or not at all", () => {
    expect([...classWeights({ classWeights: [1, 2, 4] }, grey)!]).toEqual([1, 2, 4]);
    expect(classWeights({}, grey)).toBeUndefined();
  });

  it("by name are those of the classes, whatever the order", () => {
    const weights = classWeights({ classWeights: { boot: 4, coat: 1, BAG: 2 } }, grey);
    expect([...weights!]).toEqual([1, 2, 4]);
  });

  it.each([
    [{ coat: 1, bag: 2, boots: 3 }, 'there is no class "boots"', 'did you mean "boot"?'],
    [{ coat: 1, boot: 2 }, "no weight for bag", "give every class a weight"],
    [{ coat: 1, Coat: 2, bag: 1, boot: 1 }, "coat is named twice", undefined],
  ] as const)("%j by name do not fit", (asked, message, hint) => {
    const act = () => classWeights({ classWeights: asked }, grey);
    expect(act).toThrow(UsageError);
    expect(act).toThrow(`--class-weights: ${message}`);
    try {
      act();
    } catch (error) {
      if (hint !== undefined) expect((error as UsageError).hint).toContain(hint);
    }
  });

  it.each([
    [[1, 2] as number[], grey, "--class-weights: 2 weights for 3 classes"],
    [
      "balanced" as const,
      set([0, 0, 2], ["coat", "bag", "boot"]),
      "--class-weights balanced: there are no training images of bag",
    ],
  ])("%j that do not fit are refused", (asked, of, message) => {
    const act = () => classWeights({ classWeights: asked }, of);
    expect(act).toThrow(UsageError);
    expect(act).toThrow(message);
  });
});

it("of mixed images is of both labels' shares with weights, beside a teacher who sees the mixture", () => {
  scope(() => {
    const tensor = (values: number[], shape: number[]) =>
      Tensor.from(Float32Array.from(values), shape);
    const logits = tensor([2, -1, 0.5, 0.1, 1, -2], [2, 3]);
    const images = tensor([0.3, -0.2], [2, 1]);
    const weight = tensor([1, 2, 4], [3]);
    const seen: Tensor[] = [];
    const answers = tensor([0, 1, 2, 2, 1, 0], [2, 3]);
    const teacher = {
      logits: (batch: Tensor) => {
        seen.push(batch);
        return answers;
      },
    };
    const asked = { teacher: "large", distillAlpha: 0.3, distillTemperature: 2, smoothing: 0.1 };
    const config = parseConfig({ data: "sample", model: "simple_cnn", ...asked });
    const [own, partner] = [
      [0n, 2n],
      [2n, 0n],
    ].map((labels) => Tensor.from(BigInt64Array.from(labels), [2])) as [Tensor, Tensor];
    const loss = makeLoss(config, weight, teacher);
    const got = loss(logits, { labels: own, images, lambda: 0.8 }).item();
    const of = (labels: Tensor) =>
      crossEntropy(logits, labels, { labelSmoothing: 0.1, weight }).item();
    const labelled = 0.8 * of(own) + 0.2 * of(partner);
    const taught = distillation(logits, answers, 2).item();
    expect(got).toBeCloseTo(0.3 * taught + 0.7 * labelled, 6);
    expect(seen).toEqual([images]);
    // Not the loss of one label alone.
    expect(got).not.toBeCloseTo(0.3 * taught + 0.7 * of(own), 2);
    expect(ops.flip(own, [0]).toArray("int64")).toEqual(partner.toArray("int64"));
  });
});
