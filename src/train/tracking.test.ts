import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  doublesOf,
  messagesOf,
  numberOf,
  readEvents,
  scalars,
} from "../../test/support/event-reader.ts";
import { FakeMlflow } from "../../test/support/fake-mlflow.ts";
import { serve } from "../../test/support/file-server.ts";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { stopAfter } from "../../test/support/stop-after.ts";
import { Linear } from "../nn/index.ts";
import { parseConfig } from "../run/config-load.ts";
import { readRun, readSteps } from "../run/read.ts";
import { Generator, noGrad, ops, scope, Tensor } from "../tensor/index.ts";
import { histogram, parameterHistograms } from "./histograms.ts";
import { train } from "./index.ts";

expectNoLeaks();

const data = sampleSplits();
let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "thaw-tracking-"));
});
afterEach(() => {
  rmSync(out, { recursive: true });
  for (const key of ["MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"]) delete process.env[key];
});

const configOf = (more: Record<string, unknown> = {}) =>
  parseConfig({
    ...{ data: "sample", model: "simple_cnn", epochs: 2, batchSize: 16, threads: 1 },
    ...{ precision: "fp32", out, name: "a", clipGrad: 1, ...more },
  });
const dir = () => join(out, "a");
const eventFiles = () =>
  readdirSync(dir())
    .filter((file) => file.startsWith("events."))
    .sort()
    .map((file) => new Uint8Array(readFileSync(join(dir(), file))));

describe("a training for TensorBoard", () => {
  it("says what the record says, and what it ends with", async () => {
    const { summary } = await train(configOf(), data);
    const files = eventFiles();
    const steps = readSteps(dir());
    expect(steps).toHaveLength(8);
    const rounded = (of: (line: (typeof steps)[number]) => number) =>
      steps.map((line) => [line.step, Math.fround(of(line))]);
    expect(scalars(files, "Loss/step")).toEqual(rounded(({ loss }) => loss));
    expect(scalars(files, "LearningRate")).toEqual(rounded(({ lr }) => lr));
    expect(scalars(files, "GradientNorm")).toEqual(rounded(({ gradNorm }) => gradNorm!));
    const epochs = readRun(dir()).epochs.map((e) => [e.step, Math.fround(e.valAccuracy)]);
    expect(scalars(files, "Accuracy/val")).toEqual(epochs);
    expect(scalars(files, "Accuracy/test")).toEqual([[8, Math.fround(summary.test!.accuracy)]]);
    const tags = files.flatMap(readEvents).flatMap(({ values }) => values.map(({ tag }) => tag));
    expect(tags.filter((tag) => tag.includes("/conv1"))).toEqual([]);
  });

  it("tells the gradient's norm of every tenth step of an epoch where nothing clips it", async () => {
    const { clipGrad: _, ...unclipped } = configOf();
    const { summary } = await train({ ...unclipped, batchSize: 2 }, data, { overwrite: true });
    const steps = readSteps(dir());
    const perEpoch = steps.length / summary.epochs;
    expect(perEpoch).toBeGreaterThan(10);
    const looked = steps.filter(({ gradNorm }) => gradNorm !== undefined);
    expect(looked.every(({ gradNorm }) => gradNorm! > 0)).toBe(true);
    expect(looked.map(({ step }) => ((step - 1) % perEpoch) % 10)).toEqual(looked.map(() => 0));
    expect(scalars(eventFiles(), "GradientNorm")).toHaveLength(
      summary.epochs * Math.ceil(perEpoch / 10),
    );
  });

  it("that is interrupted and resumed says every step once", async () => {
    await train(configOf(), data, stopAfter(3));
    await train(configOf(), data, { resume: true });
    expect(eventFiles()).toHaveLength(2);
    const loss = scalars(eventFiles(), "Loss/step");
    expect(loss).toEqual(readSteps(dir()).map((line) => [line.step, Math.fround(line.loss)]));
    expect(loss.map(([step]) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("has histograms of weights and gradients at the epochs that are asked for", async () => {
    await train(configOf({ logHistograms: 2 }), data);
    const found = eventFiles()
      .flatMap(readEvents)
      .flatMap(({ step, values }) => values.map((value) => ({ step, ...value })))
      .filter(({ tag }) => /^(Weights|Gradients)\//.test(tag));
    expect(new Set(found.map(({ step }) => step))).toEqual(new Set([8]));
    const tags = found.map(({ tag }) => tag);
    expect(tags).toEqual(expect.arrayContaining(["Weights/fc2.weight", "Gradients/fc2.weight"]));
    const weights = found.find(({ tag }) => tag === "Gradients/fc2.bias")!;
    const [histo] = messagesOf(weights.fields, 5);
    const buckets = doublesOf(histo!, 7).reduce((sum, value) => sum + value, 0);
    expect([numberOf(histo!, 3), buckets]).toEqual([3, 3]);
  });

  it("is told nothing where nobody is to be told", async () => {
    await train(configOf({ track: ["none"] }), data);
    expect(eventFiles()).toEqual([]);
  });

  it("is not another training: the numbers are the same", async () => {
    await train(configOf({ track: ["none"] }), data);
    const plain = readFileSync(join(dir(), "steps.jsonl"), "utf8");
    await train(configOf({ logHistograms: 1 }), data, { overwrite: true });
    expect(readFileSync(join(dir(), "steps.jsonl"), "utf8")).toBe(plain);
  });
});

describe("a training for MLflow", () => {
  it("is there with its pictures", async () => {
    const mlflow = new FakeMlflow();
    const server = await serve(mlflow.listener);
    process.env["MLFLOW_TRACKING_URI"] = server.url;
    const told: string[] = [];
    await train(configOf({ track: ["mlflow"] }), data, {
      onNote: (text) => told.push(text),
      pictures: async ({ run }) => run.writeJson("drawn.json", {}),
    });
    await server.close();
    const [run] = [...mlflow.runs.values()];
    expect(run).toMatchObject({ name: "a", status: "FINISHED" });
    expect(mlflow.history(run!, "loss/step")).toHaveLength(8);
    expect(run!.params.get("clipGrad")).toBe("1");
    const files = [...mlflow.artifacts.keys()].map((path) => path.replace(/^.*artifacts\//, ""));
    expect(files).toEqual(
      expect.arrayContaining(["drawn.json", "config.json", "checkpoints/best.safetensors"]),
    );
    expect(told.filter((text) => text.includes("MLflow"))).toEqual([]);
  });

  it("ends as ever where the server is down", async () => {
    process.env["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9";
    const told: string[] = [];
    const { summary } = await train(configOf({ track: ["mlflow", "tensorboard"] }), data, {
      onNote: (text) => told.push(text),
    });
    expect(summary.status).toBe("finished");
    expect(told.filter((text) => text.includes("MLflow"))).toHaveLength(1);
  });

  it("is refused before anything is made where no server is named", async () => {
    await expect(train(configOf({ track: ["mlflow"] }), data)).rejects.toThrow(
      "MLFLOW_TRACKING_URI is not set",
    );
    expect(readdirSync(out)).toEqual([]);
  });
});

describe("a histogram", () => {
  it("counts every value between the smallest and the largest", () => {
    using tensor = Tensor.from(Float32Array.of(-1, 0, 0, 3), [4]);
    const { limits, buckets, ...rest } = histogram(tensor)!;
    expect(rest).toEqual({ min: -1, max: 3, count: 4, sum: 2, sumOfSquares: 10 });
    expect([limits.length, limits[0], limits[63]]).toEqual([64, -1 + 4 / 64, 3]);
    expect([buckets[0], buckets[16], buckets[63]]).toEqual([1, 2, 1]);
  });

  it("takes one value, and leaves out what is not finite", () => {
    using random = new Generator(1);
    using layer = new Linear(2, 1, { random });
    noGrad(() => scope(() => ops.fill_Scalar(layer.weight, 0.5)));
    noGrad(() => scope(() => ops.fill_Scalar(layer.bias!, Number.NaN)));
    const found = [...parameterHistograms(layer)];
    expect(found.map(([tag]) => tag)).toEqual(["Weights/weight"]);
    expect(found[0]![1]).toMatchObject({ limits: [0.5], buckets: [2] });
  });
});
