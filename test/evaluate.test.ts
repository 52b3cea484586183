import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { DatasetSplits } from "../src/data/imageset.ts";
import { evaluateRun } from "../src/evaluate/index.ts";
import { chooseCompute } from "../src/models/index.ts";
import { parseConfig } from "../src/run/config-load.ts";
import { openRun } from "../src/run/read.ts";
import type { TestResult } from "../src/run/results.ts";
import { liveTensors } from "../src/tensor/index.ts";
import { train } from "../src/train/index.ts";
import { sampleSplits } from "./support/sample-splits.ts";

const data = sampleSplits();
let out: string;
let trained: TestResult;
let before: number;

beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), "thaw-evaluate-"));
  const config = { data: "sample", model: "simple_cnn", epochs: 4, batchSize: 16, threads: 1, out };
  const { summary } = await train(
    parseConfig({ ...config, name: "a", lr: 0.003, precision: "fp32" }),
    data,
  );
  trained = summary.test!;
});
afterAll(() => rmSync(out, { recursive: true }));
beforeEach(() => {
  before = liveTensors();
});
afterEach(() => expect(liveTensors()).toBe(before));

const evaluate = (splits: DatasetSplits): Promise<TestResult> =>
  evaluateRun(join(out, "a"), splits, chooseCompute({ device: "cpu", precision: "fp32" }));

test("gives the numbers and the files that the end of training gave", async () => {
  const files = ["predictions.csv", "confusion_matrix.csv", "per_class.csv"];
  const read = () => files.map((file) => readFileSync(join(out, "a", file), "utf8"));
  const written = read();
  expect(trained.accuracy).toBeGreaterThan(0.4);
  expect(await evaluate(data)).toEqual(trained);
  expect(openRun("a", out).summary!.test).toEqual(trained);
  expect(read()).toEqual(written);
});

test("what it finds is in the summary, as in the files", async () => {
  const path = join(out, "a", "summary.json");
  type Document = Record<string, unknown>;
  const { latencyMs, ...written } = JSON.parse(readFileSync(path, "utf8")) as Document;
  expect(latencyMs).toBeGreaterThan(0);
  writeFileSync(path, JSON.stringify({ ...written, test: null, latencyOn: "elsewhere" }));
  await evaluate(data);
  const { latencyMs: again, ...rest } = JSON.parse(readFileSync(path, "utf8")) as Document;
  expect(rest).toEqual(written);
  expect(again).toBeGreaterThan(0);
  expect(rest["latencyOn"]).toMatch(/, \d+ threads, fp32$/);
});

test("classes are matched by name: another order changes nothing", async () => {
  const { classes, labels } = data.test;
  const turned = classes.map((_, i) => classes[(i + 1) % classes.length]!);
  const test = {
    ...data.test,
    classes: turned,
    labels: labels.map((label) => turned.indexOf(classes[label]!)),
  };
  expect(await evaluate({ ...data, test })).toEqual(trained);
});

test("by position the same labels would be wrong", async () => {
  const { classes } = data.test;
  const turned = classes.map((_, i) => classes[(i + 1) % classes.length]!);
  const result = await evaluate({ ...data, test: { ...data.test, classes: turned } });
  expect(result.accuracy).toBeLessThan(trained.accuracy);
});

test("data with a class less is judged on what it has", async () => {
  const test = { ...data.test, classes: data.test.classes.slice(0, 2) };
  const rows = [...test.labels.keys()].filter((row) => test.labels[row]! < 2);
  const size = test.height * test.width;
  const part = {
    ...test,
    count: rows.length,
    labels: Uint8Array.from(rows, (row) => test.labels[row]!),
    images: Uint8Array.from(
      rows.flatMap((row) => [...test.images.subarray(row * size, (row + 1) * size)]),
    ),
  };
  expect((await evaluate({ ...data, test: part })).n).toBe(rows.length);
});

test("a class that the model does not know is named", async () => {
  const test = { ...data.test, classes: ["coat", "bag", "shoe"] };
  await expect(evaluate({ ...data, test })).rejects.toThrow(
    "sample has classes that the model does not know: shoe",
  );
});
