import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { classWeights } from "./loss.ts";

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
