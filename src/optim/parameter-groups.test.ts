import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ThawError } from "../errors.ts";
import { liveTensors, ops, type Tensor } from "../tensor/index.ts";
import { adamw, parameterGroups } from "./index.ts";

let before: number;
let named: [string, Tensor][];

beforeEach(() => {
  before = liveTensors();
  const shapes: Record<string, number[]> = {
    "conv.weight": [4, 3, 3, 3],
    "bn.weight": [4],
    "bn.bias": [4],
    "fc.weight": [2, 4],
    "fc.bias": [2],
  };
  named = Object.entries(shapes).map(([name, shape]) => [name, ops.zeros(shape)]);
});

afterEach(() => {
  for (const [, parameter] of named) parameter.dispose();
  expect(liveTensors()).toBe(before);
});

const namesOf = (groups: readonly { parameterNames?: readonly string[] }[]) =>
  groups.map(({ parameterNames }) => parameterNames);

describe("parameterGroups", () => {
  it("is one group with all names unless told otherwise", () => {
    const groups = parameterGroups(named);
    expect(namesOf(groups)).toEqual([named.map(([name]) => name)]);
    expect(groups[0]!.weightDecay).toBeUndefined();
  });

  it("spares norms and biases the weight decay", () => {
    const groups = parameterGroups(named, { spareNormsAndBiases: true });
    expect(namesOf(groups)).toEqual([
      ["conv.weight", "fc.weight"],
      ["bn.weight", "bn.bias", "fc.bias"],
    ]);
    using optimizer = adamw(groups, { lr: 0.1, weightDecay: 0.05 });
    expect(optimizer.groups.map(({ weightDecay }) => weightDecay)).toEqual([0.05, 0]);
  });

  it("scales learning rates by name", () => {
    const lrScale = (name: string) => (name.startsWith("fc.") ? 1 : 0.25);
    const groups = parameterGroups(named, { lrScale, spareNormsAndBiases: true });
    using optimizer = adamw(groups, { lr: 0.4 });
    expect(optimizer.groups.map(({ name, lr, weightDecay }) => [name, lr, weightDecay])).toEqual([
      ["decay, lr × 0.25", 0.1, 0.01],
      ["no decay, lr × 0.25", 0.1, 0],
      ["decay, lr × 1", 0.4, 0.01],
      ["no decay, lr × 1", 0.4, 0],
    ]);
  });

  it("refuses a scale that is not a number, naming the parameter", () => {
    const groups = () => parameterGroups(named, { lrScale: () => Number.NaN });
    expect(groups).toThrow(ThawError);
    expect(groups).toThrow("conv.weight");
  });
});
