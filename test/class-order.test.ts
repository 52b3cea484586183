import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { locateData, openDataset } from "../src/data/datasets/index.ts";
import { chooseClasses } from "../src/data/folders/choose-classes.ts";
import { listImageFolder } from "../src/data/folders/image-folder.ts";
import { imagesDigest } from "../src/data/images-digest.ts";
import { chooseSource } from "../src/data/info/choose.ts";
import { packSplits } from "../src/data/pack/pack.ts";
import { prepareImages } from "../src/data/prepare/prepare.ts";
import { evaluateRun } from "../src/evaluate/index.ts";
import { loadNative } from "../src/libtorch/index.ts";
import { chooseCompute } from "../src/models/index.ts";
import { parseConfig } from "../src/run/config-load.ts";
import { openRun } from "../src/run/read.ts";
import { inRecordedOrder } from "../src/run/recorded-order.ts";
import { train } from "../src/train/index.ts";
import { makeHome, thaw } from "./support/thaw-process.ts";
import { writeTinyFolder } from "./support/tiny-images.ts";

let root: string;
let env: { THAW_HOME: string };
let photos: string;
beforeAll(async () => {
  loadNative();
  root = mkdtempSync(join(tmpdir(), "thaw-order-"));
  env = await makeHome(join(root, "home"), 200);
  photos = join(root, "photos");
  // Numbers of which 15 % are no whole number: which class gets the extra image depends on the order.
  await writeTinyFolder(photos, { ant: 17, bee: 17, cat: 17 }, { width: 8, height: 8 });
});
afterAll(() => rmSync(root, { recursive: true }));

const asked = ["cat", "ant", "bee"];
const cache = () => join(root, "home");
const named = (set: { labels: ArrayLike<number>; classes: readonly string[] }) =>
  Array.from(set.labels, (label) => set.classes[label]);

test("the order of --classes is kept, and the same images are drawn whatever it is", async () => {
  const open = (classes?: string[]) =>
    openDataset({ data: photos, seed: 1, classes, cache: cache() });
  const [usual, ordered] = [await open(), await open(asked)];
  for (const split of ["train", "val", "test"] as const) {
    expect(ordered[split].classes).toEqual(asked);
    expect(usual[split].classes).toEqual(["ant", "bee", "cat"]);
    expect(named(ordered[split])).toEqual(named(usual[split]));
    expect(imagesDigest(ordered[split])).toBe(imagesDigest(usual[split]));
  }
  expect(ordered.fingerprint).not.toBe(usual.fingerprint);
});

test("built-in images too, in a run and in a survey", async () => {
  const place = { data: "fashion-mnist", cache: cache() };
  const open = (classes?: string[]) => openDataset({ ...place, seed: 1, classes });
  const ordered = await open(["Dress", "Trouser", "ankle boot"]);
  const usual = await open(["Trouser", "Dress", "Ankle boot"]);
  expect(ordered.train.classes).toEqual(["Dress", "Trouser", "Ankle boot"]);
  for (const split of ["train", "val", "test"] as const) {
    expect(named(ordered[split])).toEqual(named(usual[split]));
    expect(ordered[split].indices).toEqual(usual[split].indices);
  }
  const source = chooseSource(await locateData(place), ["Dress", "Trouser"]);
  expect(source.kind === "memory" && source.test.classes).toEqual(["Dress", "Trouser"]);
  await expect(open(["Dress", "Trousers"])).rejects.toThrow('there is no class "Trousers"');
  await expect(open(["Dress", "dress"])).rejects.toThrow("Dress is named twice");
});

test("prepared folders and packed archives have it too when they are opened", async () => {
  const out = join(root, "prepared");
  const listing = chooseClasses(listImageFolder(photos), asked);
  const options = { out, seed: 1, minSize: 1 };
  const { manifest } = await prepareImages(listing, options);
  expect(manifest.classes).toEqual(asked);
  const prepared = await openDataset({ data: out, seed: 1, cache: cache() });
  expect(prepared.test.classes).toEqual(asked);
  // Another order is another preparation; the images of each split are the same.
  await expect(prepareImages(listImageFolder(photos), options)).rejects.toThrow(
    "classes cat,ant,bee, now ant,bee,cat",
  );
  const sorted = await prepareImages(listImageFolder(photos), { ...options, out: `${out}-sorted` });
  expect(sorted.manifest.files.map(({ file }) => file)).toEqual(
    manifest.files.map(({ file }) => file),
  );

  const archive = join(root, "packed.zip");
  const chosen = await openDataset({ data: photos, seed: 1, classes: asked, cache: cache() });
  await packSplits(chosen, { out: archive, seed: 1, keepOrder: true });
  const packed = await openDataset({ data: archive, seed: 1, cache: cache() });
  expect(packed.train.classes).toEqual(asked);
  expect(named(packed.test).sort()).toEqual(named(chosen.test).sort());
});

const configOf = (more: object) =>
  parseConfig({
    ...{ data: photos, model: "simple_cnn", out: join(root, "runs"), track: ["none"] },
    ...{ epochs: 2, batchSize: 8, precision: "fp32", threads: 1, seed: 1 },
    ...more,
  });

test("a run of a version that sorted the classes goes on and is evaluated by its recorded order", async () => {
  const config = configOf({ name: "old", classes: ["bee", "ant"], classWeights: [1, 50] });
  const place = { data: photos, seed: 1, cache: cache() };
  const sorted = await openDataset({ ...place, classes: ["ant", "bee"] });
  const controller = new AbortController();
  const first = await train(config, sorted, {
    signal: controller.signal,
    onEpoch: () => controller.abort(),
  });
  expect(first.summary).toMatchObject({ status: "interrupted", classes: ["ant", "bee"] });

  const { dir } = first.run;
  expect(inRecordedOrder(config, dir).classes).toEqual(["ant", "bee"]);
  const { classes } = inRecordedOrder(config, dir);
  const again = await openDataset({ ...place, classes: [...classes!] });
  expect(again.fingerprint).toBe(sorted.fingerprint);
  const { summary } = await train(config, again, { resume: true });
  expect(summary).toMatchObject({ status: "finished", classes: ["ant", "bee"] });

  // Judged on data in the config's order, labels are matched by name: nothing changes.
  const inConfigsOrder = await openDataset({ ...place, classes: config.classes });
  const before = openRun(dir).summary!.test!;
  const predictions = () => readFileSync(join(dir, "predictions.csv"), "utf8");
  const said = predictions();
  const result = await evaluateRun(dir, inConfigsOrder, chooseCompute(config));
  expect(result.accuracy).toBe(before.accuracy);
  expect(predictions()).toBe(said);
});

test("thaw train: weights go to the classes that they are given for, in any order", () => {
  const out = join(root, "cli");
  mkdirSync(out);
  const run = (name: string, classes: string, weights: string) =>
    thaw(
      [
        ...["train", "--data", photos, "--model", "simple_cnn", "--out", out, "--name", name],
        ...["--classes", classes, "--class-weights", weights, "--epochs", "4", "--lr", "0.01"],
        ...["--batch-size", "8", "--precision", "fp32", "--threads", "1", "--seed", "1"],
        ...["--track", "none"],
      ],
      env,
    );
  // The images of the classes are alike, so that the weights decide.
  for (const [name, classes, weights, wanted] of [
    ["positions", "bee,ant", "1,500", "ant"],
    ["names", "ant,bee", "bee=500,ant=1", "bee"],
  ] as const) {
    const { code, stderr } = run(name, classes, weights);
    expect(code, stderr).toBe(0);
    const { summary, confusion, config } = openRun(join(out, name));
    expect(config["classes"]).toEqual(classes.split(","));
    expect(summary!.classes).toEqual(classes.split(","));
    expect(confusion!.names).toEqual(classes.split(","));
    const column = confusion!.names.indexOf(wanted);
    const said = [0, 1].map((row) => confusion!.counts[row * 2 + column]!);
    expect(said[0]! + said[1]!, wanted).toBe(summary!.test!.n);
  }
  const { code, stderr } = run("wrong", "bee,ant", "be=1,ant=2");
  expect(code).toBe(2);
  expect(stderr).toContain('--class-weights: there is no class "be"');
  expect(stderr).toContain('did you mean "bee"?');
});

test("thaw train: built-in images, classical models and evaluate keep the order", () => {
  const out = join(root, "classical");
  const { code, stderr } = thaw(
    [
      ...["train", "--data", photos, "--model", "knn", "--out", out, "--name", "knn"],
      ...["--classes", "cat,bee", "--n-neighbors", "1", "--track", "none"],
    ],
    env,
  );
  expect(code, stderr).toBe(0);
  const dir = join(out, "knn");
  const { test: before, classes } = openRun(dir).summary!;
  expect(classes).toEqual(["cat", "bee"]);
  const judged = thaw(["evaluate", dir, "--json"], env);
  expect(judged.code, judged.stderr).toBe(0);
  expect(judged.stderr).not.toContain("fingerprint differs");
  expect(JSON.parse(judged.stdout).accuracy).toBe(before!.accuracy);
  expect(openRun(dir).confusion!.names).toEqual(["cat", "bee"]);
});
