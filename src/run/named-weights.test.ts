import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { configDigest } from "./config.ts";
import { loadConfig, parseConfig } from "./config-load.ts";
import { loadMatrix } from "./matrix.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-weights-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const usual = { data: "photos", model: "simple_cnn" };

test("a config file has class weights by name; a flag changes one of them or all", () => {
  const file = join(folder, "a.yaml");
  writeFileSync(file, "data: photos\nmodel: simple_cnn\nclassWeights: {bee: 1, ant: 50}\n");
  expect(loadConfig(file).classWeights).toEqual({ bee: 1, ant: 50 });
  expect(loadConfig(file, { classWeights: { ant: 3 } }).classWeights).toEqual({ bee: 1, ant: 3 });
  expect(loadConfig(file, { classWeights: [1, 2] }).classWeights).toEqual([1, 2]);
  expect(() => parseConfig({ ...usual, classWeights: { bee: -1, ant: 1 } })).toThrow(
    "config: classWeights",
  );
});

test("the order of the names is nothing to a run's identity", () => {
  const digest = (classWeights: Record<string, number>) =>
    configDigest(parseConfig({ ...usual, classWeights }));
  expect(digest({ bee: 1, ant: 50 })).toBe(digest({ ant: 50, bee: 1 }));
  expect(digest({ bee: 1, ant: 50 })).not.toBe(digest({ bee: 50, ant: 1 }));
});

test("a matrix takes them as values, and varies one of them", () => {
  const file = join(folder, "m.yaml");
  const weightsOf = (text: string) => {
    writeFileSync(file, text);
    return loadMatrix(file).members.map(
      ({ config }) => "classWeights" in config && config.classWeights,
    );
  };
  const head = "base: {data: photos, model: simple_cnn, classes: [bee, ant]";
  expect(
    weightsOf(`${head}}\nmatrix:\n  classWeights: [balanced, {bee: 1, ant: 50}, [1, 2]]\n`),
  ).toEqual(["balanced", { bee: 1, ant: 50 }, [1, 2]]);
  expect(
    weightsOf(`${head}, classWeights: {bee: 1, ant: 2}}\nmatrix:\n  classWeights.ant: [5, 50]\n`),
  ).toEqual([
    { bee: 1, ant: 5 },
    { bee: 1, ant: 50 },
  ]);
  expect(
    weightsOf(`${head}, classWeights: balanced}\nmatrix:\n  classWeights: [{bee: 2, ant: 3}]\n`),
  ).toEqual([{ bee: 2, ant: 3 }]);
});
