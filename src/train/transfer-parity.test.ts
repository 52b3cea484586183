import { describe, expect, it } from "vitest";
import { formulaInput, formulaLabels } from "../../test/formula.ts";
import { formulaState, loadState } from "../../test/support/formula-weights.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { readTimmFixture, type TransferCase } from "../../test/timm-fixtures.ts";
import { type Classifier, chooseCompute, createModel, type ModelName } from "../models/index.ts";
import { crossEntropy, withoutInit } from "../nn/index.ts";
import { parseConfig } from "../run/config-load.ts";
import { Generator, inference, scope, Tensor, unscoped } from "../tensor/index.ts";
import { freezeStages, trainedStages } from "../transfer/index.ts";
import { ModelEma } from "./ema.ts";
import { makeOptimizer, transferOf } from "./plan.ts";
import { type Loss, trainStep } from "./step.ts";

const fixture = readTimmFixture("transfer");
const { classes, count, batch: batchSize } = fixture;
const compute = chooseCompute({ device: "cpu", precision: "fp32" });

expectNoLeaks();

function built(name: ModelName, size: number): Classifier {
  using random = new Generator(0);
  const streams = { init: random, dropout: random };
  const imageSize = [size, size] as const;
  const options = { classes, inChannels: 3, imageSize, random: streams };
  return withoutInit(() => createModel(name, options));
}

const loss: Loss = (logits, { labels }) => crossEntropy(logits, labels);
const averageOf = ({ emaLoss }: TransferCase, name: ModelName, size: number) =>
  emaLoss === undefined ? undefined : new ModelEma(built(name, size), fixture.emaDecay);

const bytesOf = (model: Classifier) =>
  new Map([...model.stateDict()].map(([name, tensor]) => [name, tensor.toBytes()]));

describe.each(Object.entries(fixture.models))("%s", (name, { size, optimizer: opt, cases }) => {
  const weights = scope(() => {
    using model = built(name as ModelName, size);
    return formulaState(model);
  });
  const shape = [count, 3, size, size];
  const pixels = formulaInput(shape);
  const labels = BigInt64Array.from(formulaLabels(count, classes), BigInt);
  const rows = (from: number, to: number) => {
    const one = pixels.length / count;
    return unscoped(() => ({
      images: Tensor.from(pixels.slice(from * one, to * one), [to - from, 3, size, size]),
      labels: Tensor.from(labels.slice(from, to), [to - from]),
    }));
  };
  const evalLoss = (model: Classifier): number =>
    inference(() =>
      scope(() => {
        const { images, labels } = rows(0, count);
        using _images = images;
        using _labels = labels;
        return crossEntropy(model.eval().forward(images), labels).item();
      }),
    );

  it.each(Object.entries(cases))(
    "%s: the losses are PyTorch's, what is frozen stays",
    (_, case_) => {
      using model = built(name as ModelName, size);
      scope(() => loadState(model, weights));
      const config = parseConfig({
        ...{ data: "formula", model: name, sched: "constant", batchSize },
        ...(case_.config.strategy !== "scratch" && { pretrained: true }),
        ...opt,
        ...case_.config,
      });
      using optimizer = makeOptimizer(config, model);
      using ema = averageOf(case_, name as ModelName, size);
      ema?.set(model);
      const before = bytesOf(model);
      let step = 0;
      for (let epoch = 1; epoch <= config.epochs; epoch++) {
        freezeStages(model, transferOf(config), epoch);
        model.train();
        for (let from = 0; from < count; from += batchSize, step++) {
          const batch = { ...rows(from, from + batchSize), size: batchSize };
          const result = trainStep(
            model,
            optimizer,
            { ...batch, index: 0, rows: new Int32Array(batchSize) },
            { ...compute, lr: config.lr, loss, clipGrad: undefined },
          );
          expect(Math.abs(result.loss / case_.losses[step]! - 1), `step ${step}`).toBeLessThan(
            1e-4,
          );
          ema?.update(model);
        }
      }
      expect(step).toBe(case_.losses.length);
      expect(Math.abs(evalLoss(model) / case_.evalLoss - 1)).toBeLessThan(1e-3);
      if (ema) {
        expect(Math.abs(evalLoss(ema.model) / case_.emaLoss! - 1)).toBeLessThan(1e-3);
        const tracked = ema.model.stateDict().get("bn1.num_batches_tracked");
        expect(tracked?.item()).toBe(case_.emaTracked);
      }
      const after = bytesOf(model);
      const names = model.stages.map((stage) => stage.name);
      const trained = new Set(trainedStages(transferOf(config), names, config.epochs));
      for (const stage of model.stages.filter((one) => !trained.has(one.name))) {
        const own = new Set(stage.modules.flatMap((module) => [...module.stateDict().values()]));
        for (const parameter of stage.parameters ?? []) own.add(parameter);
        for (const [key, tensor] of model.stateDict()) {
          if (own.has(tensor))
            expect(Buffer.compare(after.get(key)!, before.get(key)!), key).toBe(0);
        }
      }
    },
  );
});
