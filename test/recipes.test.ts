import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packageRoot } from "../src/libtorch/home.ts";
import { readComparison } from "../src/run/comparison.ts";
import { loadMatrix } from "../src/run/matrix.ts";
import { readProfile } from "../src/run/profile.ts";
import { openRun } from "../src/run/read.ts";
import { mirrorWith } from "./support/mirror.ts";
import { makeHome, thaw } from "./support/thaw-process.ts";

const recipes = join(packageRoot(), "recipes");
const files = readdirSync(recipes).filter((name) => name.endsWith(".yaml"));

/** Data and weights that a recipe's short form needs, and no server. */
const weights = mirrorWith("weights-deit-tiny-safetensors.tar.gz");
const cifar = mirrorWith("cifar-10-binary.tar.xz");
const dogs = mirrorWith("stanford-dogs-5.tar.gz");
const lite0 = mirrorWith("weights-efficientnet-lite0-pytorch.tar.gz");
const fashionFile = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz";
const hasFashion = existsSync(fashionFile);
if (!hasFashion)
  console.log(`skipped: recipes of Fashion-MNIST, because ${fashionFile} is missing`);

/** The short forms of C, D and E take minutes: `npm run campaign` runs them. */
const isCampaign = process.env["THAW_CAMPAIGN"] === "1";
const short = "takes minutes: npm run campaign";

let folder: string;
let env: Record<string, string>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-recipes-"));
  const { THAW_HOME } = await makeHome(join(folder, "home"));
  // A hub's cache of this machine would let other weights be found.
  env = { THAW_HOME, HF_HOME: join(folder, "hub"), HF_HUB_CACHE: "", THAW_MIRROR: weights ?? "" };
});
afterAll(() => rmSync(folder, { recursive: true }));

const MINUTES = 60_000;

/** Runs a recipe's short form twice: the second call must find all done. */
function quick(name: string) {
  const out = join(folder, "runs", `${name}-quick`);
  const args = ["compare", join(recipes, `${name}.yaml`), "--quick", "--offline", "--json"];
  const first = thaw(args, env, folder);
  expect(first.stderr).not.toContain("failed:");
  expect(first.code).toBe(0);
  const outcome = JSON.parse(first.stdout) as { finished: string[]; findings: string[] };
  const runs = outcome.finished.map((path) => path.split("/").at(-1)!);
  const markdown = readFileSync(join(out, "report.md"), "utf8");
  const page = readFileSync(join(out, "report.html"), "utf8");
  const stamps = () => runs.map((run) => statSync(join(out, run, "summary.json")).mtimeMs);
  const before = stamps();
  const again = thaw(args, env, folder);
  expect(again.code).toBe(0);
  expect(JSON.parse(again.stdout)).toMatchObject({ skipped: runs.length, failed: [] });
  expect(again.stderr).not.toMatch(/epoch 1 |: sanity|profiling|looking for|judging/);
  expect(stamps()).toEqual(before);
  for (const run of runs) {
    for (const file of ["predictions.csv", "per_class.csv", "confusion_matrix.png"]) {
      expect(existsSync(join(out, run, file)), `${run}/${file}`).toBe(true);
    }
  }
  return { out, runs, markdown, page, accuracyOf: (run: string) => accuracyOf(out, run) };
}

function accuracyOf(out: string, run: string): number {
  return openRun(run, out).summary!.test!.accuracy;
}

/** The report's first sentence, in both forms, says who stands in for whom. */
function expectStandIn(
  { markdown, page }: ReturnType<typeof quick>,
  wanted: string,
  other: string,
) {
  const [, , first] = markdown.replaceAll("\\", "").split("\n");
  expect(first).toContain(`- ${wanted}: its weights `);
  expect(first).toContain("could not be had (");
  expect(first).toContain(other);
  expect(page).toContain(`<ul class="findings"><li>${wanted}: its weights `);
}

test.each(files)(
  "%s is whole, in its long and its short form, and names no place of a machine",
  (name) => {
    const file = join(recipes, name);
    const long = loadMatrix(file);
    const short = loadMatrix(file, { quick: true });
    expect(short.out).toBe(`${long.out}-quick`);
    expect(short.title).toContain("quick form");
    for (const { members } of [long, short]) expect(members.length).toBeGreaterThan(0);
    // Two members of one name would have got a piece of their digest.
    for (const { members } of [long, short]) {
      for (const member of members) expect(member.name).not.toMatch(/-[0-9a-f]{6}$/);
      const firsts = members.flatMap(({ standIns }) => standIns.slice(0, 1));
      expect(new Set(firsts.map((standIn) => standIn.name)).size).toBe(firsts.length);
    }
    expect(readFileSync(file, "utf8")).not.toMatch(/:\s*["']?[/~]|\/(home|tmp|work|root)\//);
    if (!name.includes("-fair")) return;
    // A fair one: the rate is found for each network, several seeds, sanity.
    expect(long.sanity).toBe(true);
    const networks = long.members.filter(({ kind }) => kind === "network");
    expect(networks.every(({ findsRate }) => findsRate)).toBe(true);
    expect(new Set(long.members.map(({ config }) => config.seed)).size).toBeGreaterThanOrEqual(3);
    expect(new Set(networks.map(({ config }) => "epochs" in config && config.epochs)).size).toBe(1);
  },
);

const epochs3 = { opt: "adam", batchSize: 128, epochs: 3 };
const improved = { lr: 5e-4, sched: "plateau", patienceEpochs: 2, decayRate: 0.5 };
const turned = { augment: { flip: true, rotation: 10 } };
const freeze = { strategy: "freeze", lr: 1e-3, epochs: 15 };
const partial = { strategy: "partial", unfreeze: 2, lr: 1e-4, epochs: 15 };
const full = { strategy: "full", lr: 1e-5, epochs: 20 };
/** What the write-ups state: of all members of a recipe, and of each. */
const stated: Readonly<Record<string, readonly [shared: object, own: Record<string, object>]>> = {
  "a-vit-small-fashion": [
    { opt: "adamw", lr: 2e-4, sched: "linear", batchSize: 32, epochs: 5, strategy: "freeze" },
    { "vit-small-head": { trainSize: 5400, valSize: 600, testSize: 1000, imgSize: 224 } },
  ],
  "b-cnn-vit-fashion-png": [
    { opt: "adam", sched: "constant", seed: 42, hflip: 0.5, logHistograms: 1 },
    {
      "cnn-1-epoch": { model: "simple_cnn", epochs: 1 },
      "cnn-10-epochs": { model: "simple_cnn", epochs: 10 },
      "vit-tiny-head-1-epoch": { strategy: "freeze", epochs: 1 },
      "vit-tiny-head-10-epochs": { strategy: "freeze", epochs: 10 },
    },
  ],
  "c-dogs": [
    { opt: "adam", sched: "cosine", batchSize: 32, pretrained: true, checkpointEvery: 5 },
    Object.fromEntries(
      ["resnet50", "efficientnet-b0"].flatMap((model) => [
        [`${model}-freeze`, freeze],
        [`${model}-partial`, partial],
        [`${model}-full`, full],
      ]),
    ),
  ],
  "d-deep-classical": [
    { data: "fashion-mnist", seed: 42 },
    {
      "vit-base": { ...epochs3, lr: 1e-4, trainSize: 5000, mean: [0.5], std: [0.5] },
      resnet18: { ...epochs3, lr: 1e-4, strategy: "scratch" },
      "vit-base-improved": { ...epochs3, ...improved, ...turned, trainSize: 5000 },
      "resnet34-improved": { ...epochs3, ...improved, ...turned, pretrained: true },
      logreg: { trainSize: 5000, maxIter: 1000, C: 1 },
      "linear-svc": { trainSize: 5000, maxIter: 2000, C: 1 },
      "logreg-improved": { scale: "standard", grid: ["C=0.1,1,3"], cv: 3 },
      "linear-svc-improved": { scale: "standard", trainSize: 5000, grid: ["C=1"], cv: 2 },
    },
  ],
  "e-cifar5": [
    { weightDecay: 1e-4, testSize: 5000, seed: 42, logHistograms: 5 },
    {
      "simple-cnn": {
        ...{ opt: "adam", lr: 1e-3, sched: "plateau", decayRate: 0.5, patienceEpochs: 5 },
        ...{ batchSize: 128, epochs: 100, patience: 15, dropout: 0.5 },
      },
      "vit-tiny-head": {
        ...{ opt: "sgd", lr: 0.01, momentum: 0.9, sched: "cosine", strategy: "freeze" },
        ...{ batchSize: 64, epochs: 50, patience: 10, imgSize: 224 },
      },
    },
  ],
};

test.each(Object.entries(stated))("%s has the settings of its write-up", (name, [shared, own]) => {
  const { members } = loadMatrix(join(recipes, `${name}.yaml`));
  const found = Object.fromEntries(members.map(({ name: run, config }) => [run, config]));
  const wanted = Object.entries(own).map(([run, keys]) => [`${run}-s42`, { ...shared, ...keys }]);
  expect(found).toMatchObject(Object.fromEntries(wanted));
});

test.skipIf(!hasFashion || weights === undefined)(
  "A: a frozen encoder",
  () => {
    const a = quick("a-vit-small-fashion");
    expectStandIn(a, "vit_small_patch16_224", "deit_tiny_patch16_224");
    expect(a.runs).toEqual(["deit-tiny-head-s42"]);
    expect(a.accuracyOf("deit-tiny-head-s42")).toBeGreaterThan(0.6);
    const { config, summary } = openRun("deit-tiny-head-s42", a.out);
    expect(config).toMatchObject({ opt: "adamw", sched: "linear", batchSize: 32, imgSize: 224 });
    expect(summary).toMatchObject({ trainableParameters: 192 * 10 + 10 });
  },
  2 * MINUTES,
);

test.skipIf(!hasFashion || weights === undefined)(
  "B: PNG files in a zip, sanity, histograms, profiles",
  () => {
    const b = quick("b-cnn-vit-fashion-png");
    expectStandIn(b, "vit_tiny_patch16_224", "deit_tiny_patch16_224");
    expect(b.runs).toEqual(["cnn-s42", "deit-tiny-head-s42"]);
    for (const run of b.runs) expect(b.accuracyOf(run)).toBeGreaterThan(0.4);
    expect(existsSync(join(folder, "runs/data/fashion-6-quick.zip"))).toBe(true);
    // RandomResizedCrop and RandomHorizontalFlip.
    expect(openRun("cnn-s42", b.out).config).toMatchObject({
      ...{ scale: [0.5, 1], ratio: [3 / 4, 4 / 3], hflip: 0.5, imgSize: 28, logHistograms: 1 },
    });
    for (const member of ["cnn", "deit-tiny-head"]) {
      const kept = JSON.parse(readFileSync(join(b.out, "sanity", `${member}.json`), "utf8"));
      expect(kept).toMatchObject({ ok: true });
    }
    const modes = ["profile", "profile-infer"].map((name) => readProfile(join(b.out, name)));
    expect(modes).toMatchObject([
      { mode: "train", status: "finished" },
      { mode: "infer", status: "finished" },
    ]);
    expect(modes[0]!.models.map(({ model, input }) => [model, input])).toEqual([
      ["simple_cnn", [1, 28, 28]],
      ["deit_tiny_patch16_224", [1, 64, 64]],
    ]);
    expect(readdirSync(join(b.out, "profile"))).toEqual(
      expect.arrayContaining(["simple_cnn.pt.trace.json", "profile.md", "profile-step.png"]),
    );
  },
  3 * MINUTES,
);

test.skipIf(dogs === undefined || weights === undefined || lite0 === undefined)(
  "C: prepared photographs, three strategies, exports",
  ({ skip }) => {
    skip(!isCampaign, short);
    const c = quick("c-dogs");
    expectStandIn(c, "resnet50", "it starts from random weights instead");
    const [, , , second] = c.markdown.replaceAll("\\", "").split("\n");
    expect(second).toMatch(
      /efficientnet_b0: its weights .* tf_efficientnet_lite0 with timm\/tf_efficientnet_lite0.in1k stands in\./,
    );
    const ways = ["freeze", "partial", "full"];
    expect(c.runs).toEqual([
      ...ways.map((way) => `resnet50-${way}-random-s42`),
      ...ways.map((way) => `efficientnet-lite0-${way}-s42`),
      ...ways.map((way) => `deit-tiny-${way}-s42`),
    ]);
    // Two epochs of a few images teach a network from random weights nothing; pretrained ones know dogs.
    for (const way of ways) expect(c.accuracyOf(`deit-tiny-${way}-s42`)).toBeGreaterThan(0.6);
    const prepared = JSON.parse(
      readFileSync(join(folder, "runs/data/dogs-5/manifest.json"), "utf8"),
    ) as { files: unknown[] };
    expect(prepared.files).toHaveLength(807);
    const record = readComparison(c.out);
    expect(record?.exports.map(({ run, opset }) => [run, opset])).toEqual(
      c.runs.map((run) => [run, 14]),
    );
    // What the write-up's file of 245 KB had left out.
    const resnet = join(c.out, "exports", c.runs[0]!, "model.onnx");
    expect(statSync(resnet).size).toBeGreaterThan(90e6);
    const trained = openRun("resnet50-freeze-random-s42", c.out).summary?.trainableParameters;
    expect(trained).toBe(10_245);
  },
  4 * MINUTES,
);

test.skipIf(!hasFashion)(
  "D: networks and classical models",
  ({ skip }) => {
    skip(!isCampaign, short);
    const d = quick("d-deep-classical");
    expect(d.runs).toEqual(["resnet18-s42", "cnn-s42", "logreg-s42", "linear-svc-s42", "knn-s42"]);
    for (const run of d.runs) expect(d.accuracyOf(run)).toBeGreaterThan(0.75);
    expect(d.page).toContain("tested on 10,000 images");
  },
  4 * MINUTES,
);

test.skipIf(cifar === undefined || weights === undefined)(
  "E: five classes of CIFAR-10, tested on held-out training images",
  ({ skip }) => {
    skip(!isCampaign, short);
    const e = quick("e-cifar5");
    expectStandIn(e, "vit_tiny_patch16_224", "deit_tiny_patch16_224");
    expect(e.runs).toEqual(["simple-cnn-s42", "deit-tiny-head-s42"]);
    for (const run of e.runs) expect(e.accuracyOf(run)).toBeGreaterThan(0.4);
    const [cnn, head] = e.runs.map((run) => openRun(run, e.out).summary!);
    expect(cnn).toMatchObject({ parameters: 2_471_941 });
    expect(head).toMatchObject({ trainableParameters: 965 });
    expect(readProfile(join(e.out, "profile"))?.models).toHaveLength(2);
    // The last epoch's weights, with the mirrored images, are a row of their own.
    expect(openRun("simple-cnn-s42-last-flip", e.out).summary?.members).toEqual(["simple-cnn-s42"]);
    expect(e.markdown).toContain("simple-cnn-s42-last-flip");
  },
  4 * MINUTES,
);
