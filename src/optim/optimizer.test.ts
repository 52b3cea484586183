import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ThawError } from "../errors.ts";
import { liveTensors, Tensor } from "../tensor/index.ts";
import { adam, adamw, type Optimizer, setLearningRate, sgd } from "./index.ts";

let before: number;
let weight: Tensor;
let bias: Tensor;

beforeEach(() => {
  before = liveTensors();
  weight = Tensor.from(new Float32Array(6), [2, 3]);
  bias = Tensor.from(new Float32Array(2), [2]);
});

afterEach(() => {
  weight.dispose();
  bias.dispose();
  expect(liveTensors()).toBe(before);
});

describe("setLearningRate", () => {
  it("gives each group its share", () => {
    const groups = [{ parameters: [weight], lrScale: 0.5 }, { parameters: [bias] }];
    using optimizer = sgd(groups, { lr: 0.1 });
    expect(optimizer.groups.map(({ lr }) => lr)).toEqual([0.05, 0.1]);
    setLearningRate(optimizer, 0.2);
    expect(optimizer.groups.map(({ lr }) => lr)).toEqual([0.1, 0.2]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -0.1])("refuses %d", (rate) => {
    using optimizer = sgd([{ parameters: [weight] }], { lr: 0.1 });
    expect(() => setLearningRate(optimizer, rate)).toThrow(ThawError);
    expect(optimizer.groups[0]!.lr).toBe(0.1);
  });
});

describe("groups that cannot be", () => {
  it("a parameter twice, in one group or in two", () => {
    const twice = "given a parameter twice: 0 and 1";
    expect(() => sgd([{ parameters: [weight, weight] }], { lr: 0.1 })).toThrow(twice);
    const two = [{ parameters: [weight] }, { parameters: [weight] }];
    expect(() => adam(two, { lr: 0.1 })).toThrow(twice);
  });

  it("two parameters of one name", () => {
    const group = { parameters: [weight, bias], parameterNames: ["fc.weight", "fc.weight"] };
    expect(() => sgd([group], { lr: 0.1 })).toThrow("the name fc.weight");
  });

  it("names for other than all parameters", () => {
    const group = { name: "head", parameters: [weight, bias], parameterNames: ["fc.weight"] };
    expect(() => sgd([group], { lr: 0.1 })).toThrow("head: 1 names for 2 parameters");
  });

  it("no parameters at all", () => {
    expect(() => sgd([{ parameters: [] }], { lr: 0.1 })).toThrow("no parameters");
  });
});

describe("options that cannot be", () => {
  it.each<[string, () => Optimizer, string]>([
    ["lr", () => adamw([{ parameters: [weight] }], { lr: Number.NaN }), "learning rate is NaN"],
    ["lr", () => sgd([{ parameters: [weight] }], { lr: -1 }), "learning rate is -1"],
    ["decay", () => sgd([{ parameters: [weight] }], { lr: 1, weightDecay: -1 }), "decay is -1"],
    ["scale", () => sgd([{ parameters: [weight], lrScale: -1 }], { lr: 1 }), "scale is -1"],
    ["momentum", () => sgd([{ parameters: [weight] }], { lr: 1, momentum: -1 }), "momentum is -1"],
    ["nesterov", () => sgd([{ parameters: [weight] }], { lr: 1, nesterov: true }), "Nesterov"],
    ["betas", () => adam([{ parameters: [weight] }], { lr: 1, betas: [1, 0.9] }), "beta is 1"],
    [
      "eps",
      () => adam([{ parameters: [weight] }], { lr: 1, eps: Number.NaN }),
      "adam's eps is NaN",
    ],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(ThawError);
    expect(make).toThrow(message);
  });
});
