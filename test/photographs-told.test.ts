import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeImage, PixelBuffer } from "../src/data/images/decode.ts";
import { reduceTo } from "../src/data/images/picture.ts";
import { normalize } from "../src/data/transforms/normalize.ts";
import { evaluateRun, evaluateTogether } from "../src/evaluate/index.ts";
import { tenCrop } from "../src/evaluate/views.ts";
import { loadBestModel } from "../src/run/load-model.ts";
import { openRun } from "../src/run/read.ts";
import { inference, ops, scope, Tensor } from "../src/tensor/index.ts";
import { checkSanity, findLearningRate, train } from "../src/train/index.ts";
import { expectNoLeaks } from "./support/no-leaks.ts";
import { photographRuns } from "./support/photograph-runs.ts";
import { sampleSplits } from "./support/sample-splits.ts";
import { stopAfter } from "./support/stop-after.ts";

const { folder, out, cache, data, config, compute, trained, outcome } = await photographRuns();
beforeAll(async () => void (await trained()));
afterAll(() => rmSync(folder, { recursive: true }));
expectNoLeaks();

test("all that training may be told works on it, and ends the same where it is interrupted", async () => {
  const weights = join(out, "whole");
  const more = {
    ...{ strategy: "partial", weights, mixup: 0.4, cutmix: 1, classWeights: "balanced" },
    ...{ gradAccumSteps: 2, modelEma: true, modelEmaDecay: 0.5, teacher: "whole" },
  };
  const notes: string[] = [];
  const onNote = (text: string) => notes.push(text);
  await trained({ ...more, name: "told" }, { onNote });
  // Every epoch crops anew: there is nothing that could be computed once.
  expect(notes.join("\n")).not.toContain("features");
  await trained({ ...more, name: "told-twice" }, stopAfter(5));
  await trained({ ...more, name: "told-twice" }, { resume: true });
  expect(outcome("told-twice")).toEqual(outcome("told"));
  const { run, summary } = await trained({ ...more, name: "unmixed", mixup: 0, cutmix: 0 });
  expect(outcome("unmixed").lines).not.toEqual(outcome("told").lines);
  expect(await evaluateRun(run.dir, data, compute(), { cache })).toEqual(summary.test);

  // A probe's features are computed once, and its average is what is judged.
  const probe = { strategy: "freeze", weights, modelEma: true, modelEmaDecay: 0.5 };
  const { summary: cached } = await trained({ ...probe, name: "average" });
  const uncached = await trained({ ...probe, name: "average-un", featureCache: false });
  expect(cached.best!.valLoss).toBeCloseTo(uncached.summary.best!.valLoss, 4);
  const first = { ...probe, name: "no-average", modelEma: false, modelEmaDecay: undefined };
  expect((await trained(first)).summary.best!.valLoss).not.toBe(cached.best!.valLoss);
});

const small = sampleSplits();

test("frozen stages of small images that are resized are computed once, as they would be every epoch", async () => {
  const resized = { data: "sample", imgSize: 24, cropPct: 0.9, batchSize: 20 };
  await train(config({ ...resized, name: "resized", epochs: 1 }), small, { cache });
  const pieces: string[] = [];
  const onFeatures = ({ split }: { split: string }) => pieces.push(split);
  const gentle = { opt: "sgd", lr: 0.001 };
  const partial = { ...resized, ...gentle, strategy: "partial", weights: join(out, "resized") };
  const run = async (more: Record<string, unknown>) => {
    const { dir } = (await train(config({ ...partial, ...more }), small, { cache, onFeatures }))
      .run;
    return openRun(dir).epochs;
  };
  const cached = await run({ name: "tail" });
  expect(pieces).toEqual(["train", "val"]);
  const uncached = await run({ name: "tail-uncached", featureCache: false });
  for (const [i, { trainLoss, valLoss }] of cached.entries()) {
    expect(trainLoss).toBeCloseTo(uncached[i]!.trainLoss, 4);
    expect(valLoss).toBeCloseTo(uncached[i]!.valLoss, 4);
  }
  // A batch that is mixed is another every epoch.
  await run({ name: "tail-mixed", mixup: 0.2 });
  expect(pieces).toHaveLength(2);
});

describe("before training and after it", () => {
  const changes = { mixup: 0.4, gradAccumSteps: 2, aa: "randaugment", reprob: 0.5 };

  test("sanity checks see photographs as judging does, whatever changes them", async () => {
    const asked = { ...changes, lr: 0.003, teacher: "whole", modelEma: true };
    const { ok, checks } = await checkSanity(config(asked), data, { cache });
    expect(checks.filter(({ status }) => status === "failed")).toEqual([]);
    expect(ok).toBe(true);
    expect(checks.at(-1)!.detail).toMatch(/^all 16 images right after \d+ steps/);
  });

  test("the range test takes a run's own steps", async () => {
    const range = { from: 1e-5, to: 1e-2, steps: 6 };
    const { found, dir } = await findLearningRate(config(changes), data, { cache, range });
    expect(found.points).toHaveLength(6);
    expect(found.subject).toMatchObject({ gradAccumSteps: 2, imgSize: 32 });
    rmSync(join(dir, ".."), { recursive: true });
  });

  test("ten crops are of the resized photograph, as torchvision cuts them", async () => {
    const dir = join(out, "whole");
    const member = { dir, data, compute: compute() };
    const { run } = await evaluateTogether([member], { tta: "ten-crop", out, cache });
    const rowsOf = (of: string) => readFileSync(join(of, "predictions.csv"), "utf8").split("\n");
    const [, first = ""] = rowsOf(run.dir);
    const answers = first.split(",").slice(3).map(Number);
    if (data.kind !== "files") throw new Error("in memory");
    const [path] = data.test.files;
    const { model, input } = loadBestModel(dir, compute());
    using _model = model;
    const decoded = await decodeImage(readFileSync(path!), path!);
    // 74×66 with a shorter side of 32 ÷ 0.8.
    const whole = reduceTo(decoded, 40, "bilinear", new PixelBuffer());
    const { height, width } = whole;
    expect([height, width]).toEqual([40, 44]);
    const mean = inference(() =>
      scope(() => {
        const packed = Tensor.from(Uint8Array.from(whole.pixels), [1, height, width, 3]);
        const planes = ops.contiguous(ops.permute(packed, [0, 3, 1, 2]));
        const views = tenCrop([32, 32]).map((view) => view(normalize(planes, input)));
        const each = views.map((view) => ops.softmax(model.forward(view), 1));
        return [...ops.meanDim(ops.cat(each), { dim: 0 }).toArray("float32")];
      }),
    );
    for (const [c, p] of mean.entries()) expect(answers[c]).toBeCloseTo(p, 4);
    const { run: flipped } = await evaluateTogether([member], { tta: "flip", out, cache });
    expect(rowsOf(flipped.dir)).not.toEqual(rowsOf(run.dir));
  });
});
