import { expect, test } from "vitest";
import { formulaInput } from "../../test/formula.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import type { Batch } from "../data/loader.ts";
import { createModel } from "../models/index.ts";
import { crossEntropy } from "../nn/index.ts";
import { sgd } from "../optim/index.ts";
import { Generator, ops, scope, Tensor, unscoped } from "../tensor/index.ts";
import { type StepOptions, trainStep } from "./step.ts";

const SHAPE = [6, 1, 16, 16];
const LABELS = [0, 1, 2, 2, 0, 1];

expectNoLeaks();

const batch = (mix?: Batch["mix"]): Batch =>
  unscoped(() => ({
    images: Tensor.from(formulaInput(SHAPE), SHAPE),
    labels: Tensor.from(BigInt64Array.from(LABELS, BigInt), [6]),
    ...{ size: 6, index: 0, rows: Int32Array.from(LABELS) },
    ...(mix && { mix }),
  }));

test("a mixed batch is learnt by both labels, and counted by the larger share", () => {
  using random = new Generator(1);
  using model = createModel("simple_cnn", {
    ...{ classes: 3, inChannels: 1, imageSize: [16, 16], dropout: 0 },
    random: { init: random, dropout: random },
  });
  // So that nothing changes from step to step but running statistics, which training does not read.
  using optimizer = sgd([{ parameters: [...model.parameters()] }], { lr: 0 });
  model.train();
  const own: number[] = [];
  const hits: number[] = [];
  let said: number[] = [];
  scope(() => {
    using images = Tensor.from(formulaInput(SHAPE), SHAPE);
    const logits = model.forward(images);
    said = Array.from(ops.argmax(logits, { dim: 1 }).toArray("int64"), Number);
    for (const labels of [LABELS, LABELS.toReversed()]) {
      const targets = Tensor.from(BigInt64Array.from(labels, BigInt), [6]);
      own.push(crossEntropy(logits, targets, { labelSmoothing: 0.1 }).item());
      hits.push(labels.filter((label, i) => label === said[i]).length);
    }
  });
  const options: StepOptions = {
    ...{ device: "cpu", autocast: null, memoryFormat: "contiguous" },
    ...{ lr: 0, labelSmoothing: 0.1, clipGrad: undefined },
  };
  for (const lambda of [1, 0.8, 0.5, 0.3, 0]) {
    const { loss, correct } = trainStep(model, optimizer, batch({ lambda }), options);
    expect(loss).toBeCloseTo(lambda * own[0]! + (1 - lambda) * own[1]!, 5);
    expect(correct).toBe(lambda < 0.5 ? hits[1] : hits[0]);
  }
  expect(trainStep(model, optimizer, batch(), options).loss).toBeCloseTo(own[0]!, 6);
});
