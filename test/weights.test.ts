import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDataset } from "../src/data/datasets/index.ts";
import { evaluateRun, evaluateWeights } from "../src/evaluate/index.ts";
import { chooseCompute } from "../src/models/index.ts";
import type { LoadReport } from "../src/models/weights/index.ts";
import { parseConfig } from "../src/run/config-load.ts";
import { loadBestModel } from "../src/run/load-model.ts";
import { openRun } from "../src/run/read.ts";
import { openWeights } from "../src/run/weights.ts";
import { liveTensors } from "../src/tensor/index.ts";
import { train } from "../src/train/index.ts";
import { mirrorWith } from "./support/mirror.ts";
import { sampleSplits } from "./support/sample-splits.ts";
import { stopAfter } from "./support/stop-after.ts";
import { makeHome, thaw } from "./support/thaw-process.ts";

const data = sampleSplits();
const compute = chooseCompute({ device: "cpu", precision: "fp32" });
let out: string;
let before: number;

const config = (more: Record<string, unknown>) =>
  parseConfig({
    ...{ data: "sample", model: "simple_cnn", epochs: 2, batchSize: 16, threads: 1, out },
    ...{ lr: 0.003, precision: "fp32", ...more },
  });

beforeAll(async () => {
  before = liveTensors();
  out = mkdtempSync(join(tmpdir(), "thaw-weights-"));
  await train(config({ name: "first", epochs: 4 }), data);
});
afterAll(() => {
  rmSync(out, { recursive: true });
  expect(liveTensors()).toBe(before);
});

describe("a run's best model as weights", () => {
  test("is judged as the run was, without a record", async () => {
    const weights = await openWeights("first", { out });
    const { result, model, load, normalization } = await evaluateWeights(
      data,
      { weights },
      compute,
    );
    expect(result).toEqual(openRun("first", out).summary!.test);
    expect(model).toBe("simple_cnn");
    expect(load.reinitialized).toEqual([]);
    expect(normalization).toEqual({ mean: [0.4], std: [0.3], from: "of the weights' file" });
  });

  test("begins a run of strategy full, which is normalised as it was", async () => {
    const reports: LoadReport[] = [];
    const options = { onWeights: (report: LoadReport) => void reports.push(report) };
    const elsewhere = { ...data, mean: [0.1], std: [0.9] };
    const { run, summary } = await train(
      config({ name: "second", weights: join(out, "first"), lr: 1e-9, epochs: 1 }),
      elsewhere,
      options,
    );
    expect(summary.strategy).toBe("full");
    expect(reports).toHaveLength(1);
    expect(reports[0]!.loaded).toContain("fc2.weight");
    // With such a learning rate it is the model that it was.
    expect(summary.test!.accuracy).toBe(openRun("first", out).summary!.test!.accuracy);
    const { config: kept, environment } = openRun("second", out);
    expect(kept).toMatchObject({ mean: [0.4], std: [0.3], strategy: "full" });
    expect(environment["weights"]).toMatchObject({
      format: "safetensors",
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const { model, input } = loadBestModel(run.dir, compute);
    model[Symbol.dispose]();
    expect(input).toMatchObject({ mean: [0.4], std: [0.3] });
    expect((await evaluateRun(run.dir, data, compute)).n).toBe(24);
  });

  test("that is resumed needs them no more", async () => {
    const weights = join(out, "copy.safetensors");
    writeFileSync(weights, readFileSync(join(out, "first", "checkpoints", "best.safetensors")));
    const { run } = await train(config({ name: "third", weights }), data, stopAfter(6));
    rmSync(weights);
    const own = JSON.parse(readFileSync(run.path("config.json"), "utf8")) as Record<
      string,
      unknown
    >;
    const { summary } = await train(parseConfig(own), data, { resume: true });
    expect(summary.status).toBe("finished");
  });

  test("for other classes keeps all but the head", async () => {
    const names = ["red", "green", "blue"];
    const renamed = (set: typeof data.train) => ({ ...set, classes: names });
    const other = {
      ...data,
      train: renamed(data.train),
      val: renamed(data.val),
      test: renamed(data.test),
    };
    let report: LoadReport | undefined;
    const onWeights = (told: LoadReport) => {
      report = told;
    };
    await train(config({ name: "fourth", weights: join(out, "first"), epochs: 1 }), other, {
      onWeights,
    });
    expect(report!.reinitialized).toEqual(["fc2.weight", "fc2.bias"]);
    const weights = await openWeights("first", { out });
    await expect(evaluateWeights(other, { weights }, compute)).rejects.toThrow(
      "sample has classes that the model does not know: red, green, blue",
    );
  });

  test("that was changed since is refused", async () => {
    const bytes = readFileSync(join(out, "first", "checkpoints", "best.safetensors"));
    bytes[bytes.length - 1]! ^= 1;
    const path = join(out, "changed.safetensors");
    writeFileSync(path, bytes);
    await expect(openWeights(path)).rejects.toThrow(
      `${path}: its content does not match its checksum`,
    );
  });
});

describe("wrong usage of weights", () => {
  test.each([
    [{ strategy: "full" }, "full starts from weights; give --pretrained or --weights"],
    [{ strategy: "scratch", pretrained: true }, "random weights, not from --pretrained"],
    [{ weights: "w.pth", pretrained: true }, "pretrained: --weights gives other weights"],
    [{ strategy: "scratch", weights: "w.pth" }, "scratch starts from random weights"],
    [{ mean: [0.5] }, "mean and std go together"],
    [{ mean: [0.5], std: [0] }, "allowed: a list of at least 1, each a number above 0"],
  ])("%j", (more, message) => {
    expect(() => config(more)).toThrow(message);
  });

  test("a name that is nothing: the runs there are", async () => {
    await expect(openWeights("frist", { out })).rejects.toMatchObject({
      message: "--weights frist: neither a file, a folder, a run nor a repository's owner/name",
      hint: expect.stringContaining(`runs in ${out}: first, fourth, second`),
      exitCode: 2,
    });
  });

  test("a model that the run was not of, before anything is written", async () => {
    const asked = config({ name: "fifth", model: "resnet20_cifar", weights: join(out, "first") });
    await expect(train(asked, data)).rejects.toThrow("it looks like simple_cnn");
    expect(existsSync(join(out, "fifth"))).toBe(false);
  });

  test.each([
    [["a", "--weights", "b"], "a run (a) and --weights: one of them is judged"],
    [[], "nothing to judge: name a run, or give --weights or --pretrained"],
    [["--weights", "a", "--pretrained"], "--weights and --pretrained: one of them is judged"],
    [["--pretrained", "--data", "cifar10"], "--pretrained: --model is missing"],
    [
      ["--pretrained", "--data", "cifar10", "--model", "simple_cnn"],
      "simple_cnn has no published weights",
    ],
    [["a", "--limit", "5"], "--limit goes with --weights"],
    [["--weights", "w.pth"], "--weights: --data is missing"],
    [
      ["--weights", "w.pth", "--data", "cifar10"],
      "--weights w.pth: there is no such file or folder",
    ],
    [["--weights", "w", "--data", "cifar10", "--split", "half"], '--split: "half" given'],
    [["--weights", "w", "--data", "cifar10", "--limit", "0"], '--limit: "0" given'],
    [["--weights", "w", "--data", "cifar10", "--model", "resnet19"], "did you mean resnet1"],
  ])("thaw evaluate %j", async (flags, message) => {
    const { code, stderr } = thaw(["evaluate", ...flags, "--out", out], {});
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});

test("thaw evaluate --weights prints the report, and exits with 3 below --fail-under", async () => {
  const env = await makeHome(join(out, "home"), 200);
  const run = ["train", "--data", "fashion-mnist", "--model", "simple_cnn", "--epochs", "1"];
  const sizes = ["--train-size", "64", "--val-size", "20", "--test-size", "20", "--out", out];
  const trained = thaw([...run, ...sizes, "--batch-size", "32", "--name", "cli"], env);
  expect([trained.code, trained.stderr]).toEqual([0, expect.stringContaining("test accuracy")]);
  const judged = ["evaluate", "--weights", join(out, "cli"), "--data", "fashion-mnist"];
  const { code, stdout, stderr } = thaw(
    [...judged, "--limit", "30", "--json", "--fail-under", "1"],
    env,
  );
  expect(stderr).toMatch(/loaded +\d+ tensors of/);
  expect(stderr).toContain("(of the weights' file)");
  expect(JSON.parse(stdout)).toMatchObject({ model: "simple_cnn", split: "test", n: 30 });
  expect(code).toBe(3);
  expect(thaw(judged, env).stdout).toContain("macro avg");
});

describe("published ResNets for CIFAR-10, of the first 1,000 test images", () => {
  const packed = "weights-cifar10-resnets-pytorch.tar.gz";
  const mirror = mirrorWith(packed);
  /** Right answers as counted by code of others (reference-outputs.json of the mirror). */
  const counted = [
    ["resnet20_cifar", "resnet20-12fca82f.th", 915],
    ["resnet32_cifar", "resnet32-d509ac18.th", 928],
    ["resnet44_cifar", "resnet44-014dd654.th", 933],
    ["resnet56_cifar", "resnet56-4bfd9763.th", 926],
  ] as const;

  test.for(counted)("%s, %s: %d right", async ([model, file, right], context) => {
    if (mirror === undefined) return context.skip(`no mirror has ${packed}`);
    spawnSync("tar", ["-xzf", join(mirror, packed), "-C", out, "--strip-components=1"]);
    const cifar = await openDataset({ data: "cifar10", seed: 42, mirror });
    const weights = await openWeights(join(out, file));
    const { result } = await evaluateWeights(cifar, { weights, model, limit: 1000 }, compute);
    expect(Math.abs(Math.round(result.accuracy * 1000) - right)).toBeLessThanOrEqual(1);
  });
});
