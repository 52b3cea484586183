import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseConfig } from "../src/run/config-load.ts";
import { openRun } from "../src/run/read.ts";
import { resumedConfig } from "../src/run/resumed-config.ts";
import { train } from "../src/train/index.ts";
import { sampleSplits } from "./support/sample-splits.ts";
import { thawHere } from "./support/thaw-here.ts";
import { makeHome, thaw } from "./support/thaw-process.ts";
import { writeTinyFolder } from "./support/tiny-images.ts";

const data = sampleSplits();
let root: string;
let out: string;
let env: { THAW_HOME: string };
const configOf = (more: object = {}) =>
  parseConfig({
    ...{ data: "sample", model: "simple_cnn", epochs: 2, batchSize: 32, threads: 1, out },
    ...{ name: "a", lr: 0.003, precision: "fp32", sched: "cosine", track: ["none"], ...more },
  });
const linesOf = (name: string) =>
  readFileSync(join(out, name, "metrics.jsonl"), "utf8").split("\n");

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "thaw-flags-"));
  out = join(root, "runs");
  env = await makeHome(join(root, "home"));
  await train(configOf(), data);
});
afterAll(() => rmSync(root, { recursive: true }));

describe("--resume of a finished run", () => {
  test("with more epochs goes on, says where the schedule ends now, and the record keeps what it was", async () => {
    await train(configOf({ name: "longer" }), data);
    const before = linesOf("longer").slice(0, 2);
    const notes: string[] = [];
    const config = resumedConfig(join(out, "longer"), { epochs: 4 });
    const controller = new AbortController();
    const onNote = (text: string): void => {
      notes.push(text);
      controller.abort();
    };
    const { signal } = controller;
    // Left in the first epoch of the new ones, and taken up again without any flag.
    const stopped = await train(config, data, { resume: true, onNote, signal });
    expect(stopped.summary).toMatchObject({ status: "interrupted", test: null });
    const { summary } = await train(resumedConfig(join(out, "longer")), data, { resume: true });
    expect(summary).toMatchObject({ status: "finished", epochs: 4 });
    expect(notes.join("\n")).toMatch(
      /longer continues after epoch 2, to 4 epochs instead of 2; the cosine schedule now ends at epoch 4: the learning rate was \S+ in the last step and is 0.0015 in the next one/,
    );
    expect(linesOf("longer").slice(0, 2)).toEqual(before);
    const { config: written, environment } = openRun("longer", out);
    expect([written["epochs"], environment["earlierEpochs"]]).toEqual([4, [2]]);
  });

  test("that was stopped early is refused more epochs, with the reason", async () => {
    const config = configOf({ name: "early", patience: 1, epochs: 6, lr: 1e-9 });
    await train(config, data);
    const { epochs } = openRun("early", out).summary!;
    expect(epochs).toBeLessThan(6);
    const more = resumedConfig(join(out, "early"), { epochs: 9 });
    await expect(train(more, data, { resume: true })).rejects.toThrow(
      `--epochs 9: early stopped early after epoch ${epochs}`,
    );
    expect(openRun("early", out).summary).toMatchObject({ status: "finished" });
  });

  test("from a program, another config is refused as for one that is not finished", async () => {
    await expect(train(configOf({ lr: 0.5 }), data, { resume: true })).rejects.toThrow(
      "lr is 0.003 there, 0.5 given",
    );
  });

  test("with other flags ends with exit code 2, and names each of them", () => {
    const flags = ["--lr", "0.5", "--opt", "sgd", "--data", "cifar10", "--augment-flip"];
    const { code, stdout, stderr } = thaw(["train", "--resume", "a", "--out", out, ...flags], env);
    for (const line of [
      "--lr: 0.5 was given, but a has 0.003",
      '--opt: "sgd" was given, but a has "adam"',
      '--data: "cifar10" was given, but a has "sample"',
      "--augment-flip: true was given, but a has false",
      "a is finished; --resume can only add --epochs",
    ]) {
      expect(stderr).toContain(line);
    }
    expect([code, stdout]).toEqual([2, ""]);
  });

  test.each([
    [["--epochs", "1"], "--epochs 1: a has 2 epochs, and the number can only be increased"],
    [["--epochs", "4", "--seed", "7"], "--seed: 7 was given, but a has 42"],
    [["--track", "mlflow"], '--track: ["mlflow"] was given, but a has ["none"]'],
    [["--name", "b"], '--name: "b" was given, but a has "a"'],
    [["--overwrite"], "--overwrite cannot be combined with --resume"],
    [["--config", "x.yaml"], "--config cannot be combined with --resume"],
  ])("%j is refused", async (flags, what) => {
    const { code, stderr } = await thawHere(
      ["train", "--resume", "a", "--out", out, ...flags],
      env,
    );
    expect(stderr).toContain(what);
    expect(code).toBe(2);
  });

  test("what the run has already may be given again", () => {
    expect(resumedConfig(join(out, "a"), { lr: 0.003, epochs: 2 }).lr).toBe(0.003);
  });
});

describe("a flag that would do nothing is refused by name", () => {
  const small = () => join(root, "small");
  beforeAll(async () => {
    await writeTinyFolder(join(small(), "train"), { a: 6, b: 6 }, { width: 8, height: 8 });
    await writeTinyFolder(join(small(), "test"), { a: 2, b: 2 }, { width: 8, height: 8, seed: 90 });
    writeFileSync(join(root, "model.onnx"), "x");
  });

  test.each<[string, string]>([
    // Networks and classical models.
    ["train --data DATA --model logreg --lr 0.1", "--lr"],
    ["train --data DATA --model simple_cnn --C 3", "--C is for"],
    ["train --data DATA --model knn --C 3", "--C: only for logreg"],
    ["train --data DATA --model logreg --C 3 --grid C=1,2", "--C: the grid already searches"],
    ["train --data DATA --model logreg --cv 3", "--cv: goes with a grid"],
    ["train --data DATA --model logreg --precision bf16", "--precision: bf16 is for the network"],
    [
      "train --data DATA --model logreg --crop-pct 0.9",
      "--crop-pct: small images are used as they are",
    ],
    ["train --data DATA --model logreg --profile", "--profile"],
    ["lr-find --data DATA --model simple_cnn --scoring f1", "--scoring is for"],
    // Networks.
    ["train --data DATA --model simple_cnn --skip-missing", "--skip-missing requires --resume"],
    ["train --data DATA --model simple_cnn --momentum 0.5", "--momentum: only for opt sgd"],
    [
      "train --data DATA --model simple_cnn --distill-alpha 0.5",
      "--distill-alpha: only with --teacher",
    ],
    [
      "train --data DATA --model resnet18 --no-pretrained --strategy freeze --no-feature-cache --feature-cache-budget 9",
      "--feature-cache-budget: features are computed in every epoch",
    ],
    [
      "train --data DATA --model resnet18 --no-pretrained --strategy freeze --views 3",
      "--views: without augmentation, all views are identical",
    ],
    // The others.
    ["evaluate a --split test", "--split goes with --weights"],
    ["evaluate --weights a --data DATA --skip-missing", "--skip-missing requires a run"],
    ["evaluate a a2 --ensemble soft --data DATA", "--data requires a single run"],
    [
      "evaluate --model resnet18 --pretrained --data DATA --checkpoint best",
      "--checkpoint requires a run",
    ],
    ["evaluate a --name x", "--name and --overwrite go with"],
    ["export a --max-drop 2", "--max-drop requires --int8"],
    ["export a --half --int8", "--half and --int8"],
    [
      "profile --model simple_cnn --data DATA --classes 7",
      "--classes cannot be combined with --data",
    ],
    ["profile --model simple_cnn --mirror somewhere", "--mirror requires --data"],
    ["profile --model simple_cnn --out here --into there", "--out cannot be combined with --into"],
    ["predict ROOT/model.onnx x.png --out here", "--out requires a run's name"],
    ["push ROOT owner/name --out here", "--out requires a run's name"],
    ["data prepare DATA --out ROOT/prepared --seed 3", "--seed: DATA has its own splits"],
    ["data pack DATA --out ROOT/x.zip --test-from train", "--test-from"],
  ])("thaw %s", async (line, what) => {
    const place = (text: string) => text.replace("DATA", small()).replace("ROOT", root);
    const { code, stderr } = await thawHere(line.split(" ").map(place), env, root);
    expect(stderr).toContain(place(what));
    expect(code, stderr).toBe(2);
  });
});
