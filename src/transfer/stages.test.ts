import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { UsageError } from "../errors.ts";
import { type Classifier, createModel } from "../models/index.ts";
import { crossEntropy } from "../nn/index.ts";
import { adam } from "../optim/index.ts";
import { Generator, ops, scope, Tensor } from "../tensor/index.ts";
import { freezeStages, type Transfer, trainedStages, transferGroups } from "./index.ts";

expectNoLeaks();

const stages = ["stem", "layer1", "layer2", "head"];

describe("stages that train", () => {
  it.each<[Transfer, number, string[]]>([
    [{ kind: "scratch" }, 1, stages],
    [{ kind: "full" }, 1, stages],
    [{ kind: "freeze" }, 9, ["head"]],
    [{ kind: "partial", unfreeze: 2 }, 1, ["layer1", "layer2", "head"]],
    [{ kind: "gradual", every: 2 }, 1, ["head"]],
    [{ kind: "gradual", every: 2 }, 2, ["head"]],
    [{ kind: "gradual", every: 2 }, 3, ["layer2", "head"]],
    [{ kind: "gradual", every: 2 }, 99, stages],
  ])("%j in epoch %d: %j", (transfer, epoch, expected) => {
    expect(trainedStages(transfer, stages, epoch)).toEqual(expected);
  });
});

/** Bytes of parameters and buffers, by name. */
function state(model: Classifier): Record<string, string> {
  return Object.fromEntries(
    [...model.stateDict()].map(([name, t]) => [name, Buffer.from(t.toBytes()).toString("base64")]),
  );
}

function withModel(body: (model: Classifier) => void): void {
  using random = new Generator(1);
  using model = createModel("resnet20_cifar", {
    ...{ classes: 3, inChannels: 3, imageSize: [16, 16] },
    random: { init: random, dropout: random },
  });
  body(model.train());
}

/** One training step; the names of what it changed. */
function changedByStep(model: Classifier, transfer: Transfer, epoch = 1): string[] {
  const before = state(model);
  freezeStages(model, transfer, epoch);
  using optimizer = adam(transferGroups(model, transfer, { lr: 0.01 }), { lr: 0.01 });
  using random = new Generator(2);
  scope(() => {
    const logits = model.forward(ops.randn([4, 3, 16, 16], { generator: random }));
    const labels = Tensor.from(BigInt64Array.from([0n, 1n, 2n, 0n]), [4]);
    crossEntropy(logits, labels).backward();
    optimizer.step();
    optimizer.zeroGrad();
  });
  const after = state(model);
  return Object.keys(before).filter((name) => before[name] !== after[name]);
}

describe("a step changes what trains and nothing else, statistics included", () => {
  it.each<[Transfer, number, RegExp]>([
    [{ kind: "freeze" }, 1, /^linear\./],
    [{ kind: "partial", unfreeze: 1 }, 1, /^(layer3|linear)\./],
    [{ kind: "gradual", every: 1 }, 3, /^(layer2|layer3|linear)\./],
    [{ kind: "full" }, 1, /^/],
  ])("%j", (transfer, epoch, pattern) => {
    withModel((model) => {
      const expected = [...model.stateDict().keys()].filter((name) => pattern.test(name));
      expect(changedByStep(model, transfer, epoch)).toEqual(expected);
    });
  });

  it("in training again after an evaluation", () => {
    withModel((model) => {
      freezeStages(model, { kind: "freeze" }, 1);
      model.eval().train();
      expect(changedByStep(model, { kind: "freeze" })).toEqual(["linear.weight", "linear.bias"]);
    });
  });
});

describe("groups", () => {
  const scalesOf = (model: Classifier, transfer: Transfer, rates: object) =>
    new Map(
      transferGroups(model, transfer, { lr: 0.1, ...rates }).flatMap((group) =>
        group.parameterNames!.map((name) => [name, group]),
      ),
    );

  it("have the head's own rate and a rate for each stage", () => {
    withModel((model) => {
      const groups = scalesOf(model, { kind: "full" }, { headLr: 0.5, layerDecay: 0.5 });
      expect(groups.get("linear.weight")!.lrScale).toBe(5);
      expect(groups.get("layer3.0.conv1.weight")!.lrScale).toBe(0.5);
      expect(groups.get("conv1.weight")!.lrScale).toBe(0.5 ** 4);
      expect(groups.size).toBe(model.parameters().length);
    });
  });

  it("leave norms and biases without weight decay, and out what never trains", () => {
    withModel((model) => {
      const groups = scalesOf(model, { kind: "partial", unfreeze: 1 }, {});
      expect(groups.get("layer3.0.conv1.weight")!.weightDecay).toBeUndefined();
      expect(groups.get("layer3.0.bn1.weight")!.weightDecay).toBe(0);
      expect(groups.get("linear.bias")!.weightDecay).toBe(0);
      expect([...groups.keys()].every((name) => /^(layer3|linear)\./.test(name))).toBe(true);
    });
  });
});

it("more stages than there are", () => {
  withModel((model) => {
    const act = () => freezeStages(model, { kind: "partial", unfreeze: 5 }, 1);
    expect(act).toThrow(UsageError);
    expect(act).toThrow("--unfreeze 5: the model has 4 stages before its head");
  });
});
