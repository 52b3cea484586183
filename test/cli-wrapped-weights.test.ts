import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UsageError } from "../src/errors.ts";
import { createModel } from "../src/models/index.ts";
import type { TensorData } from "../src/models/weights/index.ts";
import { toTensorData } from "../src/models/weights/tensors.ts";
import { saveModel } from "../src/run/checkpoint.ts";
import { loadConfig, parseConfig } from "../src/run/config-load.ts";
import { openRun } from "../src/run/read.ts";
import { openWeights } from "../src/run/weights.ts";
import { Generator } from "../src/tensor/index.ts";
import { makeHome, thaw } from "./support/thaw-process.ts";
import { type Picklable, writeTorchZip } from "./support/torch-checkpoint.ts";

let folder: string;
let env: Record<string, string>;
const network = resnet20();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-wrapped-"));
  env = { ...(await makeHome(join(folder, "home"), 200)), OMP_NUM_THREADS: "1" };
});
afterAll(() => rmSync(folder, { recursive: true }));

function resnet20(): Map<string, TensorData> {
  using random = new Generator(7);
  using model = createModel("resnet20_cifar", {
    ...{ classes: 10, inChannels: 1, imageSize: [28, 28] },
    random: { init: random, dropout: random },
  });
  return new Map([...model.stateDict()].map(([key, tensor]) => [key, toTensorData(tensor)]));
}

const under = (prefix: string) =>
  [...network].map(([key, tensor]) => [prefix + key, tensor] as const);
const beside: TensorData = { dtype: "F32", shape: [3], bytes: new Uint8Array(12) };

function saved(name: string, stateDict: Iterable<readonly [string, Picklable]>): string {
  const path = join(folder, name);
  const root = new Map<string, Picklable>([
    ["epoch", 3],
    ["state_dict", new Map(stateDict)],
  ]);
  writeFileSync(path, writeTorchZip(root));
  return path;
}

/** A folder as a run's, with the best model's file alone. */
function run(name: string, model: string): string {
  const path = join(folder, name, "checkpoints", "best.safetensors");
  mkdirSync(join(path, ".."), { recursive: true });
  saveModel(path, network, { run: name, model });
  return join(folder, name);
}

test("thaw train --weights lit.ckpt: under its prefix, with what was left out; then the run alone says the model", () => {
  const extra = ["criterion.weight", "mean", "std"].map((name) => [name, beside] as const);
  const file = saved("lit.ckpt", [...under("model."), ...extra]);
  const sizes = ["--train-size", "32", "--val-size", "20", "--test-size", "20", "--epochs", "1"];
  const common = ["--data", "fashion-mnist", "--strategy", "freeze", "--precision", "fp32"];
  const train = (name: string, weights: string, ...more: string[]) =>
    thaw(
      [
        "train",
        ...common,
        ...sizes,
        "--weights",
        weights,
        "--out",
        folder,
        "--name",
        name,
        ...more,
      ],
      env,
    );
  const first = train("first", file, "--model", "resnet20_cifar");
  expect(first.stderr).toMatch(/loaded +\d+ tensors of .*lit\.ckpt, under model\./);
  expect(first.stderr).toMatch(/left out +criterion\.weight, mean, std/);
  expect(first.code).toBe(0);
  const second = train("second", "first");
  expect(second.stderr).not.toContain("left out");
  expect(second.code).toBe(0);
  expect(openRun("second", folder).config).toMatchObject({
    ...{ model: "resnet20_cifar", weights: "first" },
  });
});

test("thaw evaluate: two networks in a file, and a file of lists without end, are an error in a line each", () => {
  const twice = saved("twice.ckpt", [...under("student."), ...under("teacher.")]);
  const magic = readFileSync(join(import.meta.dirname, "fixtures/checkpoints/dtypes.th")).subarray(
    0,
    137,
  );
  const lists = `\x80\x02](N${"eq\x01](h\x01h\x01".repeat(60)}eq\x01`;
  const hostile = join(folder, "hostile.pth");
  writeFileSync(
    hostile,
    Buffer.concat([magic, Buffer.from(`${lists}}h\x01Ns.\x80\x02].`, "latin1")]),
  );
  const evaluate = (weights: string) =>
    thaw(
      ["evaluate", "--data", "fashion-mnist", "--model", "resnet20_cifar", "--weights", weights],
      env,
    );
  const both = evaluate(twice);
  expect(both.stderr).toContain("contains the network 2 times, under student. and teacher.");
  const bad = evaluate(hostile);
  expect(bad.stderr).toContain(`${hostile}: no state dict in it; it has the keys a list`);
  for (const { code, stderr } of [both, bad]) {
    expect(code).toBe(1);
    expect(stderr).not.toMatch(/RangeError|\n +at /);
  }
});

test("thaw profile --weights RUN measures the run's model", () => {
  const weights = run("profiled", "simple_cnn");
  const what = ["profile", "--input", "1x28x28", "--mode", "infer", "--batch-size", "1"];
  const short = ["--steps", "3", "--warmup", "0", "--seconds", "1", "--trace", "0"];
  const { code, stdout } = thaw(
    [...what, ...short, "--weights", weights, "--out", folder, "--json"],
    env,
  );
  expect(JSON.parse(stdout)).toMatchObject({ models: [{ model: "simple_cnn" }] });
  expect(code).toBe(0);
});

test("weights say the model where they know it: a run by folder or name, its file, published ones, a config file", () => {
  const dir = run("net", "resnet20_cifar");
  const model = (document: Record<string, unknown>) =>
    parseConfig({ data: "x", out: folder, ...document }).model;
  expect(model({ weights: dir })).toBe("resnet20_cifar");
  expect(model({ weights: "net" })).toBe("resnet20_cifar");
  expect(model({ weights: join(dir, "checkpoints/best.safetensors") })).toBe("resnet20_cifar");
  expect(model({ weights: "tf_efficientnet_b1" })).toBe("tf_efficientnet_b1");
  expect(model({ weights: "timm/resnet50.a1_in1k@v1" })).toBe("resnet50");
  expect(model({ weights: dir, model: "resnet32_cifar" })).toBe("resnet32_cifar");
  const config = join(folder, "config.yaml");
  writeFileSync(config, `data: x\nout: ${folder}\nweights: net\n`);
  expect(loadConfig(config, { epochs: 2 })).toMatchObject({ model: "resnet20_cifar", epochs: 2 });
  const other = saved("other.ckpt", under("net."));
  expect(() => model({ weights: other })).toThrow(/model is missing/);
  expect(() => model({ weights: run("logreg-run", "logreg") })).toThrow(
    /--weights .*: its model logreg is not a network/,
  );
  expect(() => model({ weights: "nothing" })).toThrow(UsageError);
});

test("a run's network and published weights say whose layers they are for", async () => {
  const tensorflow = await openWeights(run("tf", "tf_mobilenetv3_small_100"));
  const pytorch = await openWeights(run("pt", "mobilenetv3_small_100"));
  expect([tensorflow.framework, pytorch.framework]).toEqual(["tensorflow", "pytorch"]);
  const file = await openWeights(saved("unknown.ckpt", under("")));
  expect(file.framework).toBeUndefined();
});
