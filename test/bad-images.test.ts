// Images that cannot be used, and how commands and runs deal with them.
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openDataset } from "../src/data/datasets/index.ts";
import { type ThawError, UsageError } from "../src/errors.ts";
import { exportRun } from "../src/export/export-run.ts";
import { readMetadata } from "../src/export/metadata.ts";
import { PictureReader } from "../src/export/predict/pictures.ts";
import { newestVerified } from "../src/run/checkpoint.ts";
import { parseClassicalConfig } from "../src/run/classical-config.ts";
import { parseConfig } from "../src/run/config-load.ts";
import { openRun } from "../src/run/read.ts";
import { openWeights } from "../src/run/weights.ts";
import { train } from "../src/train/index.ts";
import { expectNoLeaks } from "./support/no-leaks.ts";
import { photographRuns } from "./support/photograph-runs.ts";
import { makeHome, thaw } from "./support/thaw-process.ts";

const { folder, photos, out, cache, config, trained } = await photographRuns();
afterAll(() => rmSync(folder, { recursive: true }));
expectNoLeaks();

const env = { ...(await makeHome(join(folder, "home"))), OMP_NUM_THREADS: "1" };
const cut = (path: string) => truncateSync(path, Math.floor(statSync(path).size / 2));

describe("a photograph that is cut in half", () => {
  const spoiled = join(folder, "spoiled");
  cpSync(photos, spoiled, { recursive: true });
  cut(join(spoiled, "boot/7.jpg"));
  const common = ["--data", spoiled, "--out", join(folder, "cli"), "--train-size", "16"];
  const network = [...common, "--model", "resnet20_cifar", "--img-size", "32", "--batch-size", "4"];
  const named =
    "1 of 24 images cannot be used:\n  boot/7.jpg: cannot be decoded: the file is cut short";
  const all = ["--val-size", "4", "--test-size", "4"];

  test.each([
    ["train", ["train", ...network, ...all, "--epochs", "1"]],
    ["a classical model", ["train", ...common, "--test-size", "8", "--model", "knn"]],
    ["lr-find", ["lr-find", ...network, ...all]],
  ])("ends %s before anything is trained, by name", (_, args) => {
    const { code, stderr } = thaw(args, env);
    expect(stderr).toContain(named);
    expect(stderr).toContain("--on-bad-image skip");
    expect(code).toBe(1);
    expect(existsSync(join(folder, "cli"))).toBe(false);
  });

  test("is left out where that is asked for: said, recorded, and the same in evaluation", () => {
    const args = ["train", ...network, ...all, "--epochs", "1", "--name", "without"];
    const { code, stderr } = thaw([...args, "--on-bad-image", "skip"], env);
    expect([code, stderr]).toEqual([0, expect.stringContaining("is left out (1 ")]);
    expect(stderr).toContain("left out: 1 image that could not be used");
    const dir = join(folder, "cli/without");
    const run = openRun(dir);
    expect(run.config["onBadImage"]).toBe("skip");
    expect(run.summary).toMatchObject({ status: "finished", unusable: 1 });
    expect(run.environment["dataset"]).toMatchObject({
      unusable: [{ file: "boot/7.jpg", reason: "cannot be decoded: the file is cut short" }],
    });
    const evaluated = thaw(["evaluate", dir, "--json"], env);
    expect(evaluated.code).toBe(0);
    expect(evaluated.stderr).toBe("");
    expect(JSON.parse(evaluated.stdout).accuracy).toBe(run.summary!.test!.accuracy);
    const everywhere = ["evaluate", "--weights", dir, "--data", spoiled, "--json"];
    expect(thaw(everywhere, env).code).toBe(1);
    const skipping = thaw([...everywhere, "--on-bad-image", "skip"], env);
    expect(JSON.parse(skipping.stdout)).toMatchObject({ n: 23, unusable: 1 });
  });

  test("ends a comparison before its first member is trained", () => {
    const file = join(folder, "two.yaml");
    const place = join(folder, "compared");
    const base = `{data: ${spoiled}, model: resnet20_cifar, imgSize: 32, epochs: 1, trainSize: 16, valSize: 4, testSize: 4}`;
    writeFileSync(file, `out: ${place}\nbase: ${base}\nmatrix: {lr: [0.1, 0.01]}\n`);
    const { code, stderr } = thaw(["compare", file], env);
    expect(stderr).toContain("boot/7.jpg: cannot be decoded: the file is cut short");
    expect(code).toBe(1);
    const trained = readdirSync(place, { recursive: true }).filter((name) =>
      String(name).endsWith("steps.jsonl"),
    );
    expect(trained).toEqual([]);
  });
});

describe("a photograph that is cut while training goes on", () => {
  test("ends it by name, with a checkpoint of the steps before, from which it goes on", async () => {
    const own = join(folder, "changing");
    cpSync(photos, own, { recursive: true });
    const changing = await openDataset({ data: own, seed: 42, cache });
    const settings = config({ name: "changing", data: own, batchSize: 1, epochs: 1 });
    const onStep = ({ step }: { step: number }) => {
      if (step !== 1) return;
      for (const name of ["boot", "coat"]) {
        for (const file of readdirSync(join(own, name))) cut(join(own, name, file));
      }
    };
    const error: ThawError = await train(settings, changing, { cache, onStep }).catch((e) => e);
    expect(error.message).toMatch(/^batch \d+ of epoch 1: .*\.jpg: has \d+ bytes, had \d+ when/);
    const run = openRun(join(out, "changing"));
    expect(run.summary).toMatchObject({ status: "failed", reason: error.message });
    const { checkpoint } = newestVerified(join(run.dir, "checkpoints"));
    expect(checkpoint!.step).toBeGreaterThan(0);
    expect(error.hint).toContain(`checkpoint of step ${checkpoint!.step} was saved`);

    rmSync(own, { recursive: true });
    cpSync(photos, own, { recursive: true, preserveTimestamps: true });
    const again = await openDataset({ data: own, seed: 42, cache });
    const resumed = await train(settings, again, { cache, resume: true });
    expect(resumed.summary.status).toBe("finished");
    await trained({ name: "undisturbed", batchSize: 1, epochs: 1 });
    const steps = (name: string) => readFileSync(join(out, name, "steps.jsonl"), "utf8");
    expect(steps("changing")).toBe(steps("undisturbed"));
  });
});

describe("a range of pixel values", () => {
  const deep = resolve(import.meta.dirname, "fixtures/images/formats/twelve-of-16.tif");

  test("is in the config, the model file and what predicts with it", async () => {
    const own = join(folder, "deep");
    cpSync(photos, own, { recursive: true });
    for (const name of ["boot", "coat"]) {
      for (const i of [0, 1, 2]) copyFileSync(deep, join(own, name, `${i}.jpg`));
    }
    const pixelRange = [0, 4095] as const;
    const ranged = await openDataset({ data: own, seed: 42, cache, pixelRange });
    const settings = config({ name: "deep", data: own, epochs: 1, pixelRange });
    const { run } = await train(settings, ranged, { cache });
    expect(openRun(run.dir).config["pixelRange"]).toEqual([0, 4095]);
    expect((await openWeights(run.dir, { out })).input?.pixelRange).toEqual([0, 4095]);
    const { folder: exported } = await exportRun(run.dir, ranged, { cache });
    const { input } = readMetadata(join(exported, "model.onnx"));
    expect(input.pixelRange).toEqual([0, 4095]);
    const brightest = async (of: typeof input) => {
      const { pixels } = await new PictureReader(of).read(deep);
      return Math.max(...pixels);
    };
    expect(await brightest(input)).toBeGreaterThan(200);
    expect(await brightest({ ...input, pixelRange: undefined })).toBeLessThan(16);
    const evaluated = thaw(
      ["evaluate", "--weights", run.dir, "--data", own, "--split", "test", "--json"],
      env,
    );
    expect(JSON.parse(evaluated.stdout).accuracy).toBe(openRun(run.dir).summary!.test!.accuracy);
  });

  test("that is none is refused by every way of giving it", () => {
    const args = ["--data", photos, "--model", "resnet20_cifar", "--img-size", "32"];
    const outcome = thaw(["train", ...args, "--pixel-range", "0,4095"], env);
    expect(outcome).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--pixel-range: no image has more than 8 bits per sample"),
    });
    for (const parse of [parseConfig, parseClassicalConfig]) {
      const of = (pixelRange: unknown) => () =>
        parse({ data: photos, model: parse === parseConfig ? "resnet18" : "knn", pixelRange });
      expect(of([4095, 0])).toThrow("4095 to 0 is not a range");
      expect(of([12])).toThrow(UsageError);
      expect(of([-1024, 3071])).not.toThrow();
    }
  });
});

describe("training images that show nothing", () => {
  test("are named as such before the first step, and nothing is written", () => {
    const own = join(folder, "black");
    for (const name of ["a", "b"]) {
      mkdirSync(join(own, name), { recursive: true });
      for (let i = 0; i < 8; i++) {
        writeFileSync(join(own, name, `${i}.pgm`), `P2 8 8 255\n${"0 ".repeat(64)}`);
      }
    }
    const place = ["--out", join(folder, "black-runs")];
    const args = ["train", "--data", own, "--model", "resnet20_cifar", ...place];
    const { code, stderr } = thaw(args, env);
    expect(stderr).toContain("are a single colour (RGB 0, 0, 0): nothing can be learned");
    expect(stderr).not.toContain("--lr");
    expect(code).toBe(1);
    expect(existsSync(join(folder, "black-runs"))).toBe(false);
  });
});

describe("a colour that is 0 in every image", () => {
  test("trains, in memory and in files, and is said where it would have been divided by", async () => {
    for (const [size, kind] of [
      [16, "memory"],
      [80, "files"],
    ] as const) {
      const own = join(folder, `no-red-${size}`);
      for (const [label, name] of ["a", "b"].entries()) {
        mkdirSync(join(own, name), { recursive: true });
        for (let i = 0; i < 10; i++) {
          const pixels = Uint8Array.from({ length: size * size * 3 }, (_, at) =>
            at % 3 === 0 ? 0 : (at * (label + 2) + 31 * i) % 256,
          );
          const header = Buffer.from(`P6 ${size} ${size} 255\n`);
          writeFileSync(join(own, name, `${i}.ppm`), Buffer.concat([header, pixels]));
        }
      }
      const data = await openDataset({ data: own, seed: 42, cache });
      expect(data.kind).toBe(kind);
      const said = data.notes.some((note) => note.startsWith("warning: red is 0 at every pixel"));
      expect([said, data.std[0]]).toEqual(kind === "memory" ? [true, 1] : [false, 0.229]);
      const small = kind === "memory" ? { imgSize: undefined, cropPct: undefined } : {};
      const settings = config({ ...small, name: `no-red-${size}`, data: own, epochs: 1 });
      const { run, summary } = await train(settings, data, { cache });
      expect(summary.status).toBe("finished");
      for (const { trainLoss } of openRun(run.dir).epochs) expect(trainLoss).toBeLessThan(5);
    }
  });
});
