import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeSampleRun } from "../../test/support/run-records.ts";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import type { DatasetSplits } from "../data/imageset.ts";
import { type ComparisonRecord, readComparison, writeComparison } from "../run/comparison.ts";
import { type LrFind, lrFindFolder, lrFindSubject } from "../run/lr-find.ts";
import { loadMatrix } from "../run/matrix.ts";
import type { MatrixMember, NetworkMember } from "../run/matrix-member.ts";
import type { Profile } from "../run/profile.ts";
import { openRun } from "../run/read.ts";
import { trainMatrix } from "../train/index.ts";
import { checkMembers } from "./check-members.ts";
import { asBegun } from "./choose-weights.ts";
import { evaluateRuns } from "./evaluate-runs.ts";
import { exportRuns } from "./export-runs.ts";
import { findRates } from "./find-rates.ts";
import { profileMembers } from "./profile-members.ts";
import { runRecipe } from "./run-recipe.ts";

let folder: string;
let out: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-recipe-"));
  out = join(folder, "runs");
});
afterEach(() => rmSync(folder, { recursive: true }));

const load = (text: string, given: Parameters<typeof loadMatrix>[1] = {}) => {
  const file = join(folder, "m.yaml");
  writeFileSync(file, text);
  return loadMatrix(file, { out, ...given });
};
/** What C++ and libtorch throw is no error of Thaw's own. */
const openNothing = async (): Promise<DatasetSplits> => {
  throw new Error("std::bad_alloc");
};
const two = "base: {data: d}\nmatrix: {m: [{name: a, model: simple_cnn}, {name: b, model: knn}]}";
const finish = (name: string, digest: string, valAccuracy = 0.5, seed = 1) =>
  writeSampleRun({
    ...{ out, name, images: 20 },
    environment: { configDigest: digest },
    summary: { seed, best: { epoch: 1, valAccuracy, valLoss: 1 } },
  });

describe("what a part fails in", () => {
  it("is one member's: the range test's, where it advises a note", async () => {
    const find = load(`lrFind: true\n${two.replace("{data: d}", "{data: d, lr: find}")}`);
    const failed: string[] = [];
    const notes: string[] = [];
    const heard = {
      openData: openNothing,
      onFailed: (name: string) => failed.push(name),
      onNote: (text: string) => notes.push(text),
    };
    const rates = await findRates(find.members, { ...heard, forAll: true });
    expect(rates.members.map(({ name }) => name)).toEqual(["b-s42"]);
    expect(rates.failed).toMatchObject([
      { name: "a-s42", error: { message: "no learning rate was found: std::bad_alloc" } },
    ]);
    const advised = await findRates(load(two).members, { ...heard, forAll: true });
    expect(advised).toMatchObject({ failed: [], members: [{ name: "a-s42" }, { name: "b-s42" }] });
    expect([failed, notes]).toEqual([
      ["a-s42"],
      ["warning: a-s42: no learning rate was found: std::bad_alloc"],
    ]);
  });

  it("is one member's: the sanity check's", async () => {
    const checked = await checkMembers(load(two).members, out, { openData: openNothing });
    expect(checked).toMatchObject({
      members: [{ name: "b-s42" }],
      failed: [{ name: "a-s42", error: { message: "std::bad_alloc" } }],
    });
    // Each of two that are called the same has a file of its own.
    const alike = load(
      'base: {data: d, model: simple_cnn}\nmatrix: {classes: [["a b", c], ["a/b", c]]}',
    );
    const files: string[] = [];
    const onCheck = (name: string) => files.push(name);
    await checkMembers(alike.members, out, { openData: openNothing, onCheck });
    expect(new Set(files).size).toBe(2);
  });

  it("takes no report from runs that are finished, and is recorded", async () => {
    const matrix = load(`sanity: true\nprofile: {}\n${two}`);
    finish("done", matrix.members[0]!.digest);
    const notes: string[] = [];
    const asked: unknown[] = [];
    const outcome = await runRecipe(matrix, {
      async openData(config) {
        asked.push([config.model, config.valSize]);
        return openNothing();
      },
      onNote: (text) => notes.push(text),
    });
    expect(outcome.failed).toMatchObject([{ name: "b-s42", error: { message: "std::bad_alloc" } }]);
    expect(existsSync(outcome.report!.html)).toBe(true);
    expect(notes).toEqual(["warning: simple_cnn could not be profiled: std::bad_alloc"]);
    // Whoever opens the data: of a classical model's none are held out.
    expect(asked).toEqual([
      ["knn", 0],
      ["simple_cnn", undefined],
    ]);
    expect(readComparison(out)?.failed).toEqual([{ run: "b-s42", reason: "std::bad_alloc" }]);
  });
});

describe("comparison.json", () => {
  const earlier: ComparisonRecord = {
    version: 1,
    standIns: [
      {
        run: "other-s42",
        wanted: { model: "resnet18", strategy: "full", weights: "timm/x" },
        reason: "offline",
        standIn: { model: "resnet34", strategy: "full", weights: null },
      },
    ],
    rates: [
      { model: "simple_cnn", strategy: "scratch", opt: "adam", lr: 1, runs: ["a-s42", "c-s42"] },
    ],
    failed: [
      { run: "a-s42", reason: "before" },
      { run: "c-s42", reason: "before" },
    ],
    exports: [{ run: "c-s42", precision: "fp32", opset: 17, bytes: 1, agreement: 1 }],
    notExported: [],
  };

  it("keeps what a call did not come to", async () => {
    writeComparison(out, earlier);
    const { record } = await runRecipe(load(two, { only: ["a"] }), { openData: openNothing });
    expect(record).toEqual({
      ...earlier,
      rates: [{ ...earlier.rates[0], runs: ["c-s42"] }],
      failed: [earlier.failed[1], { run: "a-s42", reason: "std::bad_alloc" }],
    });
    expect(readComparison(out)).toEqual(record);
    // All of the matrix: what is no member of it any more has failed in nothing.
    const whole = await runRecipe(load(two), { openData: openNothing });
    expect(whole.record.failed.map(({ run }) => run)).toEqual(["a-s42", "b-s42"]);
  });

  it("stays as it is where a call is stopped before it has begun, and is not written empty", async () => {
    const stopped = { openData: openNothing, signal: AbortSignal.abort() };
    const matrix = load(`sanity: true\nprepare: [{pack: d, out: d.zip}]\n${two}`);
    expect(await runRecipe(matrix, stopped)).toMatchObject({ stopped: "interrupted", failed: [] });
    expect(existsSync(out)).toBe(false);
    writeComparison(out, earlier);
    await runRecipe(matrix, stopped);
    expect(readComparison(out)).toEqual(earlier);
  });
});

it("stops in the middle of a check, and keeps no verdict of it", async () => {
  let steps = 0;
  const controller = new AbortController();
  const { members } = load(
    "base: {data: d, batchSize: 16}\nmatrix: {m: [{name: a, model: simple_cnn}]}",
  );
  const checked = await checkMembers(members, out, {
    openData: async () => sampleSplits(),
    signal: controller.signal,
    onStep: () => {
      if (++steps === 2) controller.abort();
    },
  });
  expect(steps).toBe(2);
  expect(checked.failed).toEqual([]);
  expect(existsSync(join(out, "sanity"))).toBe(false);
});

it("checks a member before its teacher, another member, is trained", async () => {
  const matrix = load(`
sanity: true
base: {data: sample, model: resnet20_cifar, epochs: 1, batchSize: 20}
matrix: {m: [{name: large, imgSize: 32}, {name: small, teacher: large-s42}]}
`);
  const outcome = await runRecipe(matrix, { openData: async () => sampleSplits() });
  expect(outcome.failed).toEqual([]);
  expect(outcome.finished.map((dir) => basename(dir))).toEqual(["large-s42", "small-s42"]);
  expect(existsSync(join(out, "sanity", "small.json"))).toBe(true);
});

it("judges runs together, once for the models that they have", async () => {
  const matrixText = `
base: {data: sample, batchSize: 20, epochs: 1, threads: 1, precision: fp32}
matrix: {m: [{name: a, model: simple_cnn}, {name: b, model: simple_cnn, data: other}]}
evaluate:
  - {runs: [a-s42, b-s42], ensemble: soft, tta: flip}
  - {runs: [a-s42], tta: ten-crop, name: views}
`;
  const matrix = load(matrixText);
  let judged: string[] = [];
  const run = (openOther: () => Promise<DatasetSplits> = async () => sampleSplits()) => {
    judged = [];
    return runRecipe(matrix, {
      openData: async ({ data }) => (data === "other" ? openOther() : sampleSplits()),
      events: { onEvaluate: (name) => judged.push(name) },
    });
  };
  const [together, views] = ["ensemble-soft-a-s42-b-s42-flip", "views"] as const;

  const without = await run(openNothing);
  expect(without.failed).toMatchObject([
    { name: "b-s42", error: { message: "std::bad_alloc" } },
    { name: together, error: { message: "b-s42 has no finished run" } },
  ]);
  expect(without.evaluated.map((dir) => basename(dir))).toEqual([views]);
  expect(without.record.failed.map(({ run: name }) => name)).toEqual(["b-s42", together]);

  const whole = await run();
  expect([whole.failed, whole.record.failed, judged]).toEqual([[], [], [together]]);
  expect(whole.evaluated.map((dir) => basename(dir))).toEqual([together, views]);
  expect(whole.report!.runs.map(({ name }) => name).toSorted()).toEqual(
    ["a-s42", "b-s42", together, views].toSorted(),
  );
  expect(openRun(together, out).config["evaluation"]).toEqual({
    members: [join(out, "a-s42"), join(out, "b-s42")],
    vote: "soft",
    tta: "flip",
  });
  await run();
  expect(judged).toEqual([]);

  // What was said of another model says nothing of this one.
  const best = (name: string) => join(out, name, "checkpoints", "best.safetensors");
  copyFileSync(best("a-s42"), best("b-s42"));
  await run();
  expect(judged).toEqual([together]);

  // A call that is stopped still has what is there; another plan takes the name.
  const other = load(matrixText.replace("ten-crop", "flip"));
  const more = { openData: async () => sampleSplits() };
  const controller = new AbortController();
  const stopped = await runRecipe(other, {
    ...more,
    onMember: () => controller.abort(),
    signal: controller.signal,
  });
  expect([stopped.evaluated.map((dir) => basename(dir)), stopped.failed]).toEqual([[together], []]);
  expect((await runRecipe(other, more)).failed).toEqual([]);
  expect(openRun(views, out).summary?.strategy).toBe("flip");
});

it("judges who stands in for a member, and no run twice", async () => {
  const { members, evaluate } = load(`
base: {data: sample, batchSize: 20, epochs: 1, threads: 1, precision: fp32}
matrix:
  m:
    - {name: a, model: resnet20_cifar, pretrained: true, standIn: {name: c, model: simple_cnn, pretrained: false}}
    - {name: b, model: simple_cnn, pretrained: false}
    - {name: d, model: simple_cnn, seed: 7}
evaluate:
  - {runs: [a-s42], tta: flip}
  - {runs: [c-s42, b-s42], ensemble: soft}
  - {runs: [d-s7, b-s42], ensemble: soft}
`);
  const [a, b, d] = members as [MatrixMember, MatrixMember, MatrixMember];
  // The stand-in is what b is anyway; of the two one was trained, and d failed.
  const c = a.standIns[0]!;
  expect(c.digest).toBe(b.digest);
  await trainMatrix([c], out, { openData: async () => sampleSplits() });
  const judged = await evaluateRuns(evaluate, members, [c], out, {
    openData: async () => sampleSplits(),
  });
  expect(judged.finished.map((dir) => basename(dir))).toEqual(["c-s42-flip"]);
  expect(judged.failed.map(({ error }) => error.message)).toEqual([
    "c-s42 and b-s42 are one run, c-s42",
    "d-s7 has no finished run",
  ]);
  expect(d.name).toBe("d-s7");
});

it("says of a dry run what an earlier call has taken in a member's place", () => {
  const { members } = load(`
base: {data: d}
matrix:
  model:
    - {name: a, model: resnet18, pretrained: true, standIn: [{model: resnet34}, {pretrained: false}]}
    - {name: b, model: simple_cnn, lr: find, minLr: 1.0e-4, sched: cosine}
`);
  const [, random] = members[0]!.standIns;
  finish("earlier", random!.digest);
  const { config } = members[1] as NetworkMember;
  const rate = { lr: 1e-5, by: "valley" } as const;
  const found: LrFind = {
    ...{ subject: lrFindSubject(config), seed: 1, range: { from: 1e-7, to: 1, steps: 1 } },
    ...{ points: [], suggestion: rate, valley: rate.lr, steepest: rate.lr },
  };
  mkdirSync(lrFindFolder(config), { recursive: true });
  writeFileSync(join(lrFindFolder(config), "lr-find.json"), JSON.stringify(found));
  // The rate that was found is below its minLr: a later call says so, a dry run lists it.
  expect(asBegun(members, out).map(({ name }) => name)).toEqual(["a-random-s42", "b-s42"]);
});

it("exports the run that was best on validation images, of all seeds", async () => {
  const { members } = load(
    "base: {data: d, model: simple_cnn}\nmatrix: {lr: [0.1, 0.2], seed: [1, 2]}",
  );
  // All have the same test accuracy.
  for (const [i, { name, digest }] of members.entries()) {
    finish(name, digest, [0.5, 0.6, 0.4, 0.9][i]);
  }
  const settings = { places: {}, openData: openNothing };
  const best = await exportRuns(members, out, { which: "best", precisions: ["fp32"] }, settings);
  expect(best.notExported.map(({ run }) => run)).toEqual([members[3]!.name]);
  const all = await exportRuns(members, out, { which: "all", precisions: ["fp32"] }, settings);
  expect(all.notExported.map(({ run }) => run)).toEqual([members[0]!.name, members[2]!.name]);
});

it("measures anew what was measured in other batches, or for fewer steps", async () => {
  const { members } = load(
    "base: {data: d, batchSize: 8}\nmatrix: {model: [simple_cnn, resnet18]}",
  );
  const batch = {
    ...{ kind: "measured" as const, batchSize: 8, steps: 5, warmup: 1 },
    ...{ latency: { p50: 2, p95: 2, p99: 2 }, spread: 0, noisy: false, imagesPerSecond: 1 },
    phases: { data: 0, forward: 1, backward: 1, optimizer: 0, other: 0 },
    ...{ peakTensorBytes: 1, peakProcessBytes: 1, gflops: null, ofGemm: null },
  };
  const model = {
    ...{ model: "simple_cnn", input: [1, 28, 28] as [number, number, number], classes: 10 },
    ...{ parameters: 1, multiplyAdds: 1, batches: [batch], shares: null },
  };
  const profile: Profile = {
    ...{ version: 1, status: "finished", mode: "train", data: "drawn", precision: "fp32" },
    ...{ device: "cpu", threads: 1, cpu: "a CPU", libtorch: "1.13.0", gemm: null, notes: [] },
    models: [model, { ...model, model: "resnet18", batches: [{ ...batch, batchSize: 4 }] }],
  };
  mkdirSync(join(out, "profile"), { recursive: true });
  writeFileSync(join(out, "profile", "profile.json"), JSON.stringify(profile));
  const plan = { modes: ["train" as const], steps: 5, warmup: 1, seconds: 9, trace: 0 };
  const measured = async (more: Partial<Parameters<typeof profileMembers>[2]>) => {
    const asked: string[] = [];
    const onProfile = (_mode: string, models: readonly string[]) => asked.push(...models);
    await profileMembers(members, out, { ...plan, ...more }, { openData: openNothing, onProfile });
    return asked;
  };
  expect(await measured({ steps: 6 })).toEqual(["simple_cnn", "resnet18"]);
  expect(await measured({ batchSizes: [4] })).toEqual(["simple_cnn"]);
  expect(await measured({})).toEqual(["resnet18"]);
  // Five steps of 2 ms are what ten milliseconds had room for.
  expect(await measured({ steps: 30, seconds: 0.01 })).toEqual(["resnet18"]);
});
