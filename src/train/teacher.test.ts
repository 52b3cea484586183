import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { stopAfter } from "../../test/support/stop-after.ts";
import type { MemorySplits } from "../data/imageset.ts";
import { UsageError } from "../errors.ts";
import { chooseCompute } from "../models/index.ts";
import { crossEntropy, distillation } from "../nn/index.ts";
import { loadModel, saveModel } from "../run/checkpoint.ts";
import { parseConfig } from "../run/config-load.ts";
import { loadBestModel } from "../run/load-model.ts";
import { Generator, inference, ops, scope, Tensor } from "../tensor/index.ts";
import { train } from "./index.ts";
import { trainingInput } from "./input.ts";
import { makeLoss } from "./loss.ts";
import { openTeacher } from "./teacher.ts";

const data = sampleSplits();
const out = mkdtempSync(join(tmpdir(), "thaw-teacher-"));
const config = (more: Record<string, unknown>) =>
  parseConfig({
    ...{ data: "sample", model: "resnet20_cifar", epochs: 2, batchSize: 16, threads: 1, out },
    ...{ precision: "fp32", lr: 0.01, augment: { flip: true, crop: 2 }, teacher: "large", ...more },
  });
const compute = chooseCompute({ device: "cpu", precision: "fp32" });

beforeAll(async () => {
  await train(config({ name: "large", teacher: undefined, epochs: 1 }), data);
});
afterAll(() => rmSync(out, { recursive: true }));
expectNoLeaks();

const opened = (splits: MemorySplits) =>
  openTeacher(config({}), splits, trainingInput(config({}), splits), compute)!;

/** The same images under labels of another order. */
const reordered = (classes: readonly string[], more: Partial<MemorySplits> = {}): MemorySplits => {
  const split = (name: "train" | "val" | "test") => {
    const set = data[name];
    const labels = Uint8Array.from(set.labels, (label) => classes.indexOf(set.classes[label]!));
    return { ...set, labels, classes };
  };
  return { ...data, train: split("train"), val: split("val"), test: split("test"), ...more };
};

describe("a teacher's answers", () => {
  test("are its model's, in the student's order and for the student's normalisation", () => {
    const order = ["boot", "coat", "bag"];
    const other = reordered(order, { mean: [0.1], std: [0.6] });
    using teacher = opened(other);
    const { model, classes } = loadBestModel(join(out, "large"), compute);
    using _model = model;
    using random = new Generator(4);
    scope(() => {
      const pixels = ops.rand([5, 1, 16, 16], { generator: random });
      const normalised = (mean: number, std: number) =>
        ops.divScalar(ops.subScalar(pixels, mean), std);
      const expected = inference(() =>
        model.forward(normalised(data.mean[0]!, data.std[0]!)).toArray("float32"),
      );
      const got = teacher.logits(normalised(0.1, 0.6)).toArray("float32");
      for (const [i, value] of got.entries()) {
        const column = classes.indexOf(order[i % 3]!);
        expect(value).toBeCloseTo(expected[i - (i % 3) + column]!, 3);
      }
    });
  });

  test.each([
    ["bilinear", 32],
    ["bicubic", 24],
    ["bilinear", 12],
  ])("of another size are those of images resized for it: %s, %i pixels", async (how, imgSize) => {
    const name = `sized-${how}-${imgSize}`;
    const own = { name, imgSize, cropPct: 1, interpolation: how, teacher: undefined };
    await train(config({ ...own, epochs: 1, augment: undefined }), data);
    const asked = config({ teacher: name });
    using teacher = openTeacher(asked, data, trainingInput(asked, data), compute)!;
    const { images, count, height, width } = data.test;
    const rows = readFileSync(join(out, name, "predictions.csv"), "utf8")
      .trim()
      .split("\n");
    scope(() => {
      const pixels = Tensor.from(Float32Array.from(images), [count, 1, height, width]);
      const shares = ops.divScalar(pixels, 255);
      const seen = ops.divScalar(ops.subScalar(shares, data.mean[0]!), data.std[0]!);
      const answers = ops.softmax(teacher.logits(seen), 1).toArray("float32");
      const columns = data.test.classes.map((c) => rows[0]!.split(",").indexOf(`p(${c})`));
      const read = rows.slice(1).flatMap((row) => columns.map((at) => Number(row.split(",")[at])));
      expect(read).toHaveLength(count * 3);
      // The run rounded what it resized to whole numbers.
      for (const [i, value] of answers.entries()) expect(value).toBeCloseTo(read[i]!, 2);
    });
  });

  test("weigh α beside the labels' 1 − α, and teach through the student's logits alone", () => {
    using random = new Generator(4);
    scope(() => {
      const images = ops.randn([4, 1, 16, 16], { generator: random });
      const logits = ops.randn([4, 3], { generator: random });
      logits.requiresGrad = true;
      const labels = Tensor.from(BigInt64Array.of(0n, 1n, 2n, 1n), [4]);
      using teacher = opened(data);
      const options = config({ distillAlpha: 0.3, distillTemperature: 2, smoothing: 0.1 });
      const loss = makeLoss(options, undefined, teacher)(logits, { labels, images });
      const taught = distillation(logits, teacher.logits(images), 2).item();
      const labelled = crossEntropy(logits, labels, { labelSmoothing: 0.1 }).item();
      expect(loss.item()).toBeCloseTo(0.3 * taught + 0.7 * labelled, 6);
      loss.backward();
      expect(logits.grad?.shape).toEqual([4, 3]);
    });
  });
});

const outcome = (name: string): string[] =>
  ["metrics.jsonl", "steps.jsonl", "predictions.csv"].map((file) =>
    readFileSync(join(out, name, file), "utf8"),
  );

test("a student that is interrupted ends as the uninterrupted one, and not as without a teacher", async () => {
  await train(config({ name: "whole" }), data);
  await train(config({ name: "parts" }), data, stopAfter(6));
  await train(config({ name: "parts" }), data, { resume: true });
  await train(config({ name: "alone", teacher: undefined }), data);
  expect(outcome("parts")).toEqual(outcome("whole"));
  expect(outcome("alone")).not.toEqual(outcome("whole"));
});

test("a teacher that was trained anew in between is told, and refused by --exact", async () => {
  const own = { name: "own-teacher", teacher: undefined, epochs: 1 };
  await train(config(own), data);
  await train(config({ name: "of-two", teacher: "own-teacher" }), data, stopAfter(6));
  await train(config({ ...own, seed: 9 }), data, { overwrite: true });
  const resumed = config({ name: "of-two", teacher: "own-teacher" });
  const exact = train({ ...resumed, exact: true }, data, { resume: true });
  await expect(exact).rejects.toThrow("--exact: ");
  const notes: string[] = [];
  await train(resumed, data, { resume: true, onNote: (text) => void notes.push(text) });
  expect(notes).toEqual([expect.stringContaining("bit: the teacher was trained anew")]);
});

describe("refused before anything is written", () => {
  const wide = { ...data.train, height: 8, width: 32 };
  test.each<[string, MemorySplits, string]>([
    [
      "other classes",
      reordered(["coat", "bag", "boot", "hat"]),
      "--teacher large: its classes are not those of sample: it does not know hat",
    ],
    [
      "classes less",
      reordered(["coat", "boot"]),
      "--teacher large: its classes are not those of sample: it knows bag besides",
    ],
    [
      "images of other proportions",
      { ...data, train: wide },
      "--teacher large: it takes images of 1×16×16, and these are 1×8×32",
    ],
    [
      "pixels read in another way",
      { ...data, train: { ...data.train, pixelRange: [0, 4095] as const } },
      "--teacher large: it was trained without --pixel-range, and these images are read with --pixel-range 0,4095",
    ],
  ])("%s", async (_name, other, message) => {
    const training = train(config({ name: "none" }), other);
    await expect(training).rejects.toThrow(UsageError);
    await expect(training).rejects.toThrow(message);
  });

  test("a model whose head is not of its own classes", async () => {
    const { tensors, metadata } = loadModel(join(out, "large", "checkpoints", "best.safetensors"));
    const { sha256: _, ...rest } = metadata;
    const broken = join(out, "broken");
    cpSync(join(out, "large"), broken, { recursive: true });
    const classes = JSON.stringify(["coat", "bag", "boot", "hat"]);
    saveModel(join(broken, "checkpoints", "best.safetensors"), tensors, { ...rest, classes });
    const training = train(config({ name: "none", teacher: broken }), data);
    await expect(training).rejects.toThrow(
      "linear.weight: the values have [3, 64], the model wants [4, 64]",
    );
  });

  test("a run that is not there", async () => {
    const training = train(config({ name: "none", teacher: "larg" }), data);
    await expect(training).rejects.toThrow("larg: no run of this name");
  });
});
