import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { predictions } from "../metrics/index.ts";
import { macroF1Text } from "../run/macro-f1.ts";
import { readRun } from "../run/read.ts";
import { createRun } from "../run/record.ts";
import type { Summary } from "../run/summary.ts";
import { columnsOf } from "./table.ts";

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "thaw-macro-"));
});
afterEach(() => rmSync(out, { recursive: true }));

/** A finished run of the classes a, b and c whose test images are said to be `predicted`. */
function finished(name: string, labels: number[], predicted: number[]) {
  const probabilities = new Float32Array(labels.length * 3);
  predicted.forEach((c, i) => {
    probabilities[i * 3 + c] = 1;
  });
  const classes = ["a", "b", "c"];
  const environment = { thaw: "0.1.0" };
  const run = createRun({ out, name, config: { model: "m", seed: 1 }, environment });
  const test = run.writeResults({ predictions: predictions(probabilities, labels, 3), classes });
  const summary: Summary = {
    ...{ model: "m", strategy: "scratch", dataset: "d", classes, seed: 1, status: "finished" },
    ...{ epochs: 1, parameters: 1, trainableParameters: 1, best: null, test },
    ...{ seconds: { total: 1, train: 1, perEpoch: null }, imagesPerSecond: null },
    ...{ peakMemoryBytes: null, precision: "fp32", device: "cpu" },
  };
  run.writeSummary(summary);
  return run;
}

test("a record has both averages where they differ, and one where they do not", () => {
  const partial = readRun(finished("partial", [0, 0, 1, 1], [0, 1, 1, 1]).dir);
  const [f1a, f1b] = [2 / 3, 4 / 5];
  expect(partial.summary!.test).toMatchObject({ presentClasses: 2 });
  expect(partial.summary!.test!.macroF1).toBeCloseTo((f1a + f1b) / 2, 12);
  expect(partial.summary!.test!.macroF1AllClasses).toBeCloseTo((f1a + f1b) / 3, 12);
  expect(macroF1Text(partial.summary!.test!)).toBe(
    "0.7333 over the 2 classes present, 0.4889 over all classes",
  );
  const whole = readRun(finished("whole", [0, 1, 2], [0, 1, 1]).dir);
  expect(whole.summary!.test).not.toHaveProperty("macroF1AllClasses");
  expect(macroF1Text(whole.summary!.test!)).toBe("0.5556");

  const cells = (title: string) =>
    [partial, whole].map((run) =>
      columnsOf([partial, whole])
        .find((column) => column.title === title)
        ?.text(run),
    );
  expect(cells("Macro-F1")).toEqual(["0.7333 (2 of 3 classes)", "0.5556"]);
  expect(cells("Macro-F1, all classes")).toEqual(["0.4889", undefined]);
  expect(columnsOf([whole]).map(({ title }) => title)).not.toContain("Macro-F1, all classes");
});

test("a record of an older version, with one average over all classes, is read as one of today", () => {
  const run = finished("old", [0, 0, 1, 1], [0, 1, 1, 1]);
  const today = readRun(run.dir).summary!.test!;
  const file = join(run.dir, "summary.json");
  const document = JSON.parse(readFileSync(file, "utf8"));
  const { macroF1AllClasses, presentClasses: _, ...rest } = document.test;
  const old = { ...rest, macroF1: macroF1AllClasses, macroF195: [0.1, 0.5] };
  writeFileSync(file, JSON.stringify({ ...document, test: old }));
  expect(readRun(run.dir).summary!.test).toEqual(today);
});
