import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { scope, Tensor } from "../tensor/index.ts";
import { GradScaler, unscaleGradients } from "./grad-scaler.ts";

expectNoLeaks();

/** The scale in force before each step. */
function scales(scaler: GradScaler, overflows: readonly boolean[]): number[] {
  return overflows.map((overflowed) => {
    const { scale } = scaler;
    scaler.update(overflowed);
    return scale;
  });
}

describe("the loss scale", () => {
  it("is torch's by default", () => {
    expect(new GradScaler().state()).toEqual({ scale: 65536, growthTracker: 0 });
    const scaler = new GradScaler();
    for (let i = 0; i < 1999; i++) scaler.update(false);
    expect(scaler.scale).toBe(65536);
    scaler.update(false);
    expect(scaler.scale).toBe(131072);
  });

  it("halves at an overflow and doubles after an unbroken row of steps", () => {
    const scaler = new GradScaler({ scale: 8, growthInterval: 3 });
    const script = [false, false, true, false, false, false, true, true, false];
    expect(scales(scaler, script)).toEqual([8, 8, 8, 4, 4, 4, 8, 4, 2]);
    expect(scaler.state()).toEqual({ scale: 2, growthTracker: 1 });
  });

  it("stays below infinity in float32", () => {
    const scaler = new GradScaler({ scale: 2 ** 127, growthInterval: 1 });
    scaler.update(false);
    expect(scaler.state()).toEqual({ scale: 2 ** 127, growthTracker: 0 });
  });

  it("goes on where its state was taken", () => {
    const [whole, second] = [{ growthInterval: 3 }, { growthInterval: 3 }].map(
      (options) => new GradScaler(options),
    ) as [GradScaler, GradScaler];
    scales(whole, [true, false, false]);
    second.load(whole.state());
    expect(scales(second, [false, false])).toEqual(scales(whole, [false, false]));
  });

  it.each([
    [{ scale: 0 }, "the loss scale is 0"],
    [{ growthFactor: 1 }, "the growth factor is 1"],
    [{ backoffFactor: 1 }, "the backoff factor is 1"],
    [{ growthInterval: 0 }, "the growth interval is 0"],
  ])("cannot have %j", (options, message) => {
    expect(() => new GradScaler(options)).toThrow(message);
  });
});

describe("unscaling", () => {
  const withGradients = (values: readonly number[], body: (tensors: Tensor[]) => void) =>
    scope(() => {
      const tensors = values.map((value) => {
        const tensor = Tensor.from(Float32Array.of(0, 0), [2]);
        tensor.requiresGrad = true;
        tensor.grad = Tensor.from(Float32Array.of(value, 1), [2]);
        return tensor;
      });
      // One without a gradient does not count.
      body([...tensors, Tensor.from(Float32Array.of(0), [1])]);
    });

  it("divides by the scale", () => {
    withGradients([6, -4], (tensors) => {
      expect(unscaleGradients(tensors, 4)).toBe(false);
      expect(tensors.map((one) => one.grad?.toArray("float32")[0])).toEqual([1.5, -1, undefined]);
    });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("finds %d", (value) => {
    withGradients([1, value], (tensors) => expect(unscaleGradients(tensors, 2)).toBe(true));
  });

  it("takes large finite gradients as finite", () => {
    withGradients([3e38, 3e38], (tensors) => expect(unscaleGradients(tensors, 2)).toBe(false));
  });
});
