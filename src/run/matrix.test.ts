import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { writeSampleRun } from "../../test/support/run-records.ts";
import { UsageError } from "../errors.ts";
import { loadMatrix } from "./matrix.ts";
import { placeMembers } from "./member-state.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-matrix-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const load = (text: string, given: Parameters<typeof loadMatrix>[1] = {}) => {
  const file = join(folder, "m.yaml");
  writeFileSync(file, text);
  return loadMatrix(file, given);
};
const names = (text: string, given: Parameters<typeof loadMatrix>[1] = {}) =>
  load(text, given).members.map(({ name }) => name);

it("is every combination, each a whole config; keys that a member has not are left out of it", () => {
  const { members, out } = load(`
base: {data: fashion-mnist, lr: 0.01, momentum: 0.8, C: 0.5, epochs: 4}
matrix:
  model: [simple_cnn, knn, logreg]
  opt: [sgd, adam]
  augment.crop: [0, 4]
`);
  expect(out).toBe(join("runs", "m"));
  expect(members.map(({ name }) => name)).toEqual([
    "fashion-mnist-simple_cnn-scratch-optsgd-augmentcrop0-s42",
    "fashion-mnist-simple_cnn-scratch-optsgd-augmentcrop4-s42",
    "fashion-mnist-simple_cnn-scratch-optadam-augmentcrop0-s42",
    "fashion-mnist-simple_cnn-scratch-optadam-augmentcrop4-s42",
    // Of one config each, whatever the optimizer.
    "fashion-mnist-knn-pixels-s42",
    "fashion-mnist-logreg-pixels-s42",
  ]);
  expect(members[1]!.config).toMatchObject({ momentum: 0.8, augment: { crop: 4 }, epochs: 4 });
  expect(members[3]!.config).not.toHaveProperty("momentum");
  expect(members.at(-1)!.config).toMatchObject({ C: 0.5 });
  expect(members.at(-2)!.config).not.toHaveProperty("C");
});

it("takes mappings of several keys, strategies with and without weights, and --seeds", () => {
  const { members } = load(
    `
base: {data: fashion-mnist, pretrained: true, seed: 7}
matrix:
  way: [{strategy: scratch, lr: 0.002}, {strategy: full, layerDecay: 0.7}]
  model: [resnet18]
`,
    { seeds: 2, out: "elsewhere" },
  );
  expect(members.map(({ config }) => config)).toMatchObject([
    { strategy: "scratch", lr: 0.002, seed: 7, out: "elsewhere" },
    { strategy: "scratch", seed: 8 },
    { strategy: "full", pretrained: true, layerDecay: 0.7, seed: 7 },
    { strategy: "full", seed: 8 },
  ]);
  expect(members[0]!.config).not.toHaveProperty("pretrained");
});

it("tells apart names that lose their difference", () => {
  const [a, b] = names(`
base: {data: fashion-mnist, model: simple_cnn}
matrix: {weightDecay: [0.1, 0.2], classes: [["a b", c], ["a/b", c]]}
`);
  expect(a).not.toBe(b);
});

it.each([
  ["base: [1]", "base: "],
  ["matrix: {lr: 0.1}", "matrix.lr: "],
  ["matrix: {lr: []}", "matrix.lr: "],
  ["base: {data: x, model: simple_cnn}\nmatrix: {lrr: [1]}", "lrr: unknown key; did you mean lr?"],
  ["base: {data: x, model: simple_cnn}\nmatrix: {lr: [-1]}", 'in the member {"lr":-1} of '],
  ["base: {data: x, model: simple_cn}", "did you mean simple_cnn?"],
  ["a: [", "m.yaml: "],
  [
    "base: {data: x, model: simple_cnn, momentum: 0.5, opt: adam}\nmatrix: {lr: [1]}",
    "base.momentum: no member of the matrix has a use for it",
  ],
])("refuses %j", (text, what) => {
  const error = (() => {
    try {
      load(text);
    } catch (thrown) {
      return thrown as UsageError;
    }
    return undefined;
  })();
  expect(error).toBeInstanceOf(UsageError);
  expect(`${error!.message} ${error!.hint}`).toContain(what);
});

it("finds runs by their configs, and takes no name of another's", () => {
  const text = "base: {data: fashion-mnist, model: simple_cnn}\nmatrix: {lr: [0.1, 0.2, 0.3, 0.4]}";
  const { members } = load(text);
  const out = join(folder, "runs");
  const sample = (name: string, i: number, status: "finished" | "failed") =>
    writeSampleRun({
      ...{ out, name, images: 20 },
      environment: { configDigest: members[i]!.digest },
      summary: { status },
    });
  sample("by-hand", 0, "finished");
  sample(members[1]!.name, 1, "failed");
  writeSampleRun({ out, name: members[2]!.name, images: 20 });
  writeFileSync(sample("damaged", 3, "finished").path("summary.json"), "{");
  expect(placeMembers(members, out).map(({ name, state }) => [name, state])).toEqual([
    ["by-hand", "finished"],
    [members[1]!.name, "begun"],
    [`${members[2]!.name}-${members[2]!.digest.slice(0, 6)}`, "new"],
    [members[3]!.name, "new"],
  ]);
});
