import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDataset } from "../src/data/datasets/index.ts";
import { ThawError, UsageError } from "../src/errors.ts";
import { evaluateClassicalRun, evaluateRun, evaluateWeights } from "../src/evaluate/index.ts";
import { chooseCompute } from "../src/models/index.ts";
import { parseClassicalConfig } from "../src/run/classical-config.ts";
import { parseConfig } from "../src/run/config-load.ts";
import { openRun } from "../src/run/read.ts";
import { openWeights } from "../src/run/weights.ts";
import { train, trainClassical } from "../src/train/index.ts";
import { dogBreeds, everyFifthDog } from "./support/dog-photographs.ts";
import { mirrorWith } from "./support/mirror.ts";
import { expectNoLeaks } from "./support/no-leaks.ts";
import { photographRuns } from "./support/photograph-runs.ts";
import { sampleSplits } from "./support/sample-splits.ts";
import { stopAfter } from "./support/stop-after.ts";
import { makeHome, thaw } from "./support/thaw-process.ts";

const { folder, photos, out, cache, data, config, compute, trained, outcome } =
  await photographRuns();
afterAll(() => rmSync(folder, { recursive: true }));
expectNoLeaks();

describe("a folder of photographs", () => {
  test("is trained on, resumed to the bit, and judged the same again", async () => {
    const { run, summary } = await trained();
    expect(summary).toMatchObject({ status: "finished", test: { n: data.test.count } });
    expect(run.name).toBe("whole");
    expect(openRun(run.dir).config).toMatchObject({
      ...{ imgSize: 32, cropPct: 0.8, interpolation: "bilinear" },
      ...{ scale: [0.08, 1], ratio: [3 / 4, 4 / 3], hflip: 0.5 },
    });
    const stopped = await trained({ name: "stopped" }, stopAfter(6));
    expect(stopped.summary.status).toBe("interrupted");
    const resumed = parseConfig(openRun(join(out, "stopped")).config);
    await train(resumed, data, { cache, resume: true });
    expect(outcome("stopped")).toEqual(outcome("whole"));

    expect(await evaluateRun(run.dir, data, compute(), { cache })).toEqual(summary.test);
    const weights = await openWeights(run.dir, { out });
    const { result, input } = await evaluateWeights(data, { weights }, compute(), { cache });
    expect(result).toEqual(summary.test);
    expect(input).toMatchObject({ height: 32, width: 32, cropPct: 0.8, channels: 3 });
  });

  test("its crops are others in every epoch, and none with a probe", async () => {
    await trained({ name: "one", epochs: 1, scale: [0.5, 1] });
    expect(outcome("one").lines[1]).not.toBe(outcome("whole").lines[1]);
    const weights = join(out, "whole");
    const unsaid = { imgSize: undefined, cropPct: undefined };
    const probe = { strategy: "freeze", weights, epochs: 1, opt: "adam", lr: 0.01, ...unsaid };
    const { run } = await trained({ ...probe, name: "probe" });
    const { config: kept } = openRun(run.dir);
    // As the run that it starts from saw them.
    expect(kept).toMatchObject({ imgSize: 32, cropPct: 0.8, interpolation: "bilinear" });
    expect(kept).not.toHaveProperty("scale");
    const features = () => readdirSync(join(cache, "features"), { recursive: true }).map(String);
    expect(features().filter((file) => file.endsWith("safetensors"))).toHaveLength(2);

    // Two views are two crops of each; without the cache it is the same training.
    await trained({ ...probe, name: "views", views: 2, epochs: 2 });
    expect(features().filter((file) => /view-2-/.test(file))).toHaveLength(1);
    await trained({ ...probe, name: "uncached", featureCache: false });
    const loss = (name: string) => openRun(join(out, name)).epochs[0]!.trainLoss;
    expect(loss("uncached")).toBeCloseTo(loss("probe"), 4);
    expect(loss("views")).not.toBeCloseTo(loss("probe"), 4);
  });

  test("pixels that were decoded for an evaluation are kept: a later run decodes no file for it", async () => {
    const kept = join(folder, "kept");
    cpSync(photos, kept, { recursive: true });
    const own = await openDataset({ data: kept, seed: 42, cache });
    if (own.kind !== "files") throw new Error("in memory");
    const weights = join(out, "whole");
    const probe = { strategy: "freeze", weights, epochs: 1, data: kept };
    const { summary } = await train(config({ ...probe, name: "kept" }), own, { cache });
    // Files are still read for their digests, which a run keeps; none of these could be decoded.
    for (const file of [...own.train.files, ...own.val.files, ...own.test.files]) {
      writeFileSync(file, "not an image");
    }
    const again = await train(config({ ...probe, name: "again" }), own, { cache });
    expect(again.summary.test).toEqual(summary.test);
  });

  test.each([
    ["resnet20_cifar's embeddings", { features: "whole" }, 64],
    ["pixels", { features: "pixels", scale: "standard", maxIter: 5 }, 32 * 32 * 3],
    ["small pixels", { features: "pixels", imgSize: 8, cropPct: 0.5 }, 8 * 8 * 3],
  ])("is given to a classical model as %s", async (name, asked, width) => {
    const common = { data: photos, out, threads: 1, precision: "fp32", model: "logreg", name };
    const notes: string[] = [];
    const asking = parseClassicalConfig({ ...common, name: name.replaceAll(/\W/g, "-"), ...asked });
    const { run, summary } = await trainClassical(asking, data, {
      cache,
      onNote: (text) => notes.push(text),
    });
    expect(summary.parameters).toBe(width + 1);
    expect(notes.join("\n")).toMatch(/images are resized to (32×32|8×8) pixels/);
    const judged = await evaluateClassicalRun(run.dir, data, compute(), { out }, { cache });
    expect(judged).toEqual(summary.test);
  });
});

const small = sampleSplits();

describe("refused before anything is written", () => {
  test.each([
    [{ augment: { flip: true } }, false, "--augment-flip: for small images in memory, and photos"],
    [{ model: "vit_tiny_patch16_224", imgSize: 200 }, false, "do not fill 200×200"],
    [{ model: "simple_cnn", imgSize: 4 }, false, "4×4 is too small"],
    [{ keepSide: 20 }, true, "--keep-side: for photographs in files, and sample is"],
    [
      { hflip: 0.5, imgSize: undefined, cropPct: undefined },
      true,
      "--hflip: sample is of small images in memory, which stay as they are",
    ],
    [{ imgSize: undefined }, true, "--crop-pct: small images are used as they are"],
  ])("%j", async (more, isSmall, message) => {
    const asked = config({ name: "refused", ...more });
    const training = train(asked, isSmall ? small : data, { cache });
    await expect(training).rejects.toThrow(UsageError);
    await expect(training).rejects.toThrow(message);
    expect(readdirSync(out)).not.toContain("refused");
  });

  test("a run that saw images as they are does not judge photographs", async () => {
    const asked = { data: "sample", name: "small", imgSize: undefined, cropPct: undefined };
    const { run } = await train(config({ ...asked, epochs: 1, batchSize: 60 }), small, { cache });
    await expect(evaluateRun(run.dir, data, compute(), { cache })).rejects.toThrow(
      "the model takes images of 1x16x16, and these are photographs of 3 channels",
    );
  });
});

describe("a file that is not what it was when the data were opened", () => {
  test.each([
    [
      // Before the run is made, which keeps a digest of each image.
      ...(["gone", undefined] as const),
      (path: string) => rmSync(path),
      /: cannot be read: it no longer exists/,
      /have changed since/,
    ],
    [
      ...(["changed", "failed"] as const),
      (path: string) => truncateSync(path, 300),
      /has 300 bytes, had \d+ when it was listed/,
      /data prepare/,
    ],
  ] as const)(
    "%s: named, and what to do; the run is %s",
    async (name, status, spoil, message, hint) => {
      const copy = join(folder, name);
      cpSync(photos, copy, { recursive: true });
      const opened = await openDataset({ data: copy, seed: 42, cache });
      if (opened.kind !== "files") throw new Error("in memory");
      const [path] = opened.train.files;
      spoil(path!);
      const error = await train(config({ data: copy, name }), opened, { cache }).catch((e) => e);
      expect(error).toBeInstanceOf(ThawError);
      expect(error.message).toContain(path);
      expect(error.message).toMatch(message);
      expect(error.hint).toMatch(hint);
      const isThere = readdirSync(out).includes(name);
      expect(isThere ? openRun(join(out, name)).summary?.status : undefined).toBe(status);
    },
  );

  test("never an image: named, and what to do", async () => {
    const copy = join(folder, "broken");
    cpSync(photos, copy, { recursive: true });
    const broken = join(copy, "boot", "3.jpg");
    writeFileSync(broken, readFileSync(broken).subarray(0, 250));
    const data = { data: copy, seed: 42, cache };
    // Looked at when the data are opened; and where nobody looked, when it is read.
    const found = await openDataset(data).catch((e) => e);
    const opened = await openDataset({ ...data, reads: [] });
    const read = await train(config({ data: copy, name: "b" }), opened, { cache }).catch((e) => e);
    for (const error of [found, read]) {
      expect(error.message).toMatch(/boot\/3\.jpg: cannot be decoded: /);
      expect(error.hint).toContain("`thaw data prepare` sets such files aside");
    }
  });
});

describe("thaw train", () => {
  let env: { THAW_HOME: string };
  beforeAll(async () => {
    env = await makeHome(join(folder, "home"), 40);
  });
  const run = (...flags: string[]) => {
    const model = ["--model", "resnet20_cifar", "--precision", "fp32", "--threads", "1"];
    const args = ["--epochs", "1", "--batch-size", "8", "--out", join(folder, "cli")];
    return thaw(["train", "--data", photos, ...model, ...args, ...flags], env);
  };

  test.each([
    [["--img-size", "0"], "--img-size: 0 given; allowed: a whole number at least 1"],
    [["--crop-pct", "1.01"], "--crop-pct: 1.01 given; allowed: a number above 0 and at most 1"],
    [["--scale", "standard"], "--scale is for logreg, linear_svc, knn"],
    [["--model", "logreg", "--scale", "0.1,1"], "--scale: [0.1,1] given; allowed: one of none"],
  ])("%j is wrong usage", (flags, message) => {
    const { code, stderr } = run(...flags);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("    at ");
    expect(code).toBe(2);
  });

  test("a class only in validation is an error, one missing there a warning", async () => {
    const split = (name: string, tree: Record<string, string>) => {
      for (const [to, from] of Object.entries(tree)) {
        mkdirSync(join(folder, name, to, ".."), { recursive: true });
        symlinkSync(join(photos, from), join(folder, name, to));
      }
      return join(folder, name);
    };
    const both = { "train/boot": "boot", "train/coat": "coat", "test/boot": "boot" };
    const only = split("only", { ...both, "val/hat": "coat" });
    const { code, stderr } = run("--data", only, "--img-size", "32");
    expect(stderr).toContain("no training image, but validation or test images, of: hat");
    expect(code).toBe(1);

    const missing = split("missing", { ...both, "val/boot": "boot" });
    const outcomeOf = run("--data", missing, "--img-size", "32");
    expect(outcomeOf.stderr).toContain("warning: no validation image of: coat");
    expect(outcomeOf.stderr).toMatch(
      /images 32×32, bilinear, crop 1; in training a random crop of 8 to 100 % of the area/,
    );
    expect(outcomeOf.code).toBe(0);
  });

  test("small images in memory are resized where a size is given", async () => {
    const sizes = ["--train-size", "16", "--val-size", "8", "--test-size", "8"];
    const small = ["--data", "fashion-mnist", ...sizes, "--name", "small"];
    const { code, stderr } = run(...small, "--img-size", "40", "--augment-flip");
    expect(stderr).toContain("images 40×40, bilinear, crop 1");
    expect(code).toBe(0);
    const { best } = openRun(join(folder, "cli", "small")).summary!;
    expect(best?.epoch).toBe(1);
    const judged = thaw(["evaluate", "small", "--out", join(folder, "cli"), "--json"], env);
    expect(JSON.parse(judged.stdout)).toMatchObject({ n: 8 });
  });
});

const weightsFile = "weights-deit-tiny-safetensors.tar.gz";
const mirror = mirrorWith("stanford-dogs-5.tar.gz") && mirrorWith(weightsFile);

test.skipIf(mirror === undefined)("DeiT-Tiny's published weights know the dogs", async () => {
  const dogs = join(folder, "dogs");
  const deit = join(folder, "deit");
  for (const [archive, to] of [
    ["stanford-dogs-5.tar.gz", join(dogs, "train")],
    [weightsFile, deit],
  ] as const) {
    mkdirSync(to, { recursive: true });
    const from = join(mirror!, archive);
    execFileSync("tar", ["-xf", from, "-C", to, "--strip-components=1"]);
  }
  for (const { name } of everyFifthDog(join(dogs, "train"))) {
    mkdirSync(join(dogs, "test", name, ".."), { recursive: true });
    symlinkSync(join(dogs, "train", name), join(dogs, "test", name));
  }
  // ImageNet's classes as the folders are called; the other 995 are nobody's here.
  const labels = Array.from({ length: 1000 }, (_, i) => `class ${i}`);
  for (const [breed, label] of Object.entries(dogBreeds)) labels[label] = breed;
  cpSync(join(deit, "deit_tiny_patch16_224.safetensors"), join(deit, "model.safetensors"));
  const description = { num_classes: 1000, label_names: labels };
  writeFileSync(join(deit, "config.json"), JSON.stringify(description));
  const opened = await openDataset({ data: dogs, seed: 42, cache });
  const weights = await openWeights(deit);
  const question = { weights, model: "deit_tiny_patch16_224" };
  const bf16 = chooseCompute({ device: "cpu", precision: "bf16" });
  const { result, input } = await evaluateWeights(opened, question, bf16, { cache });
  expect(input).toMatchObject({ height: 224, interpolation: "bicubic", cropPct: 0.9 });
  expect(result.n).toBe(163);
  // timm 1.0.15 in fp32 on Pillow's pixels, resized to 248 and cropped: 125 right.
  expect(Math.abs(result.accuracy * 163 - 125)).toBeLessThan(2.5);
});
