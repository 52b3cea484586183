import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formulaUniform } from "../../test/formula.ts";
import { readTorchFixture } from "../../test/torch-fixtures.ts";
import { ThawError } from "../errors.ts";
import { liveTensors, scope, Tensor } from "../tensor/index.ts";
import { clipGradNorm } from "./clip.ts";

const { clipGradNorm: cases } = readTorchFixture("functional");

let before: number;
let parameters: Tensor[];

beforeEach(() => {
  before = liveTensors();
  parameters = [[3, 4], [5]].map((shape) =>
    Tensor.from(new Float32Array(shape.reduce((a, b) => a * b)), shape),
  );
});

afterEach(() => {
  for (const parameter of parameters) parameter.dispose();
  expect(liveTensors()).toBe(before);
});

function setGradients(gradients: readonly Float32Array[]): void {
  scope(() => {
    for (const [i, parameter] of parameters.entries()) {
      parameter.grad = Tensor.from(gradients[i]!, parameter.shape);
    }
  });
}

const gradients = () => scope(() => parameters.map(({ grad }) => [...grad!.toArray("float32")]));

describe("clipGradNorm", () => {
  it.each(["above", "below"])("equals PyTorch's with a norm %s the largest", (name) => {
    const { maxNorm, totalNorm, clipped } = cases[name]!;
    setGradients([formulaUniform(30, 12), formulaUniform(31, 5)]);
    expect(Math.abs(clipGradNorm(parameters, maxNorm) / totalNorm - 1)).toBeLessThan(1e-6);
    for (const [i, gradient] of gradients().entries()) {
      for (const [j, value] of gradient.entries()) {
        const wanted = clipped[i]![j]!;
        expect(Math.abs(value - wanted)).toBeLessThanOrEqual(1e-6 * Math.abs(wanted));
      }
    }
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("reports %d and leaves the gradients", (bad) => {
    const arrays = [formulaUniform(30, 12), formulaUniform(31, 5)];
    arrays[1]![2] = bad;
    setGradients(arrays);
    expect(clipGradNorm(parameters, 0.5)).toBe(bad);
    expect(gradients()).toEqual(arrays.map((array) => [...array]));
  });

  it("counts parameters without a gradient as nothing", () => {
    expect(clipGradNorm(parameters, 1)).toBe(0);
    scope(() => {
      parameters[1]!.grad = Tensor.from(new Float32Array([3, 0, 0, 4, 0]), [5]);
    });
    expect(clipGradNorm(parameters, 10)).toBe(5);
  });

  it.each([0, -1, Number.NaN])("refuses a largest norm of %d", (maxNorm) => {
    expect(() => clipGradNorm(parameters, maxNorm)).toThrow(ThawError);
  });
});
