import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeSampleRun } from "../../test/support/run-records.ts";
import { UsageError } from "../errors.ts";
import { loadMatrix } from "./matrix.ts";
import { type NetworkMember, withRate } from "./matrix-member.ts";
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
  const text = `
base: {data: fashion-mnist, model: simple_cnn}
matrix: {weightDecay: [0.1, 0.2], classes: [["a b", c], ["a/b", c]]}
`;
  const [a, b] = names(text);
  expect(a).not.toBe(b);
  // Without its seed it has no piece of a digest either.
  const only = "fashion-mnist-simple_cnn-scratch-weightDecay0.1-classesa_b_c";
  expect(names(text, { only: [only] })).toEqual([a, b]);
});

it("only takes the members that are named, with all of their seeds", () => {
  const text = `
base: {data: fashion-mnist}
matrix: {model: [{name: small, model: simple_cnn}, {name: flat, model: logreg}]}
`;
  const { members } = load(text, { only: ["small"], seeds: 2 });
  expect(members.map(({ name }) => name)).toEqual(["small-s42", "small-s43"]);
  expect(() => load(text, { only: ["small", "smal"] })).toThrow(
    expect.objectContaining({
      message: expect.stringContaining('no member "smal"'),
      hint: "it has small, flat",
    }),
  );
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

describe("a recipe", () => {
  const base = "base: {data: fashion-mnist, model: simple_cnn}\n";
  const refusal = (text: string, given: Parameters<typeof loadMatrix>[1] = {}) => {
    try {
      load(text, given);
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      const { message, hint } = error as UsageError;
      return `${message} → ${hint}`;
    }
    throw new Error("it was taken");
  };

  it("has its surroundings with defaults, and none that are not asked for", () => {
    expect(load(base)).toMatchObject({
      ...{ prepare: [], sanity: false, lrFind: false, profile: false, export: false },
      evaluate: [],
    });
    const {
      prepare,
      profile,
      export: exported,
    } = load(`${base}
prepare:
  - {prepare: stanford-dogs, classes: [beagle, boxer], split: [70, 15, 15], out: a}
  - {pack: fashion-mnist, trainSize: 100, out: b.zip}
profile: {modes: [infer]}
export: {opset: 14}
`);
    expect(prepare).toMatchObject([
      { prepare: "stanford-dogs", seed: 42, minSize: 8, split: [70, 15, 15] },
      { pack: "fashion-mnist", trainSize: 100, seed: 42 },
    ]);
    expect(profile).toMatchObject({ modes: ["infer"], steps: 30 });
    expect(exported).toMatchObject({ which: "all", opset: 14, precisions: ["fp32"] });
  });

  it.each([
    ["prepare: [{out: a}]", "prepare.0: either prepare: or pack: with the source"],
    ["prepare: [{prepare: x, pack: y, out: a}]", "prepare.0: either prepare: or pack:"],
    ["prepare: [{prepare: x}]", "prepare.0.out: "],
    ["prepare: [{prepare: x, out: a, split: [70, 15, 10]}]", "prepare.0.split: three shares"],
    [
      "prepare: [{pack: x, out: a.zip, split: [70, 15, 15]}]",
      'prepare.0: Unrecognized key: "split"',
    ],
    ["profile: {mode: train}", 'profile: Unrecognized key: "mode"'],
    ["profile: {batchSizes: [0]}", "profile.batchSizes.0: "],
    ["prepare: [{pack: x, out: a.tar}]", "prepare.0.out: an archive whose name ends in .zip"],
    ["export: {opset: 13}", "export.opset: "],
    ["export: true", "export: false or a group of keys"],
    ["quick: {epochs: 1}", 'quick: Unrecognized key: "epochs"'],
    ["sanity: 3", "sanity: "],
    ["evaluate: [{runs: [a-s1, b-s1]}]", "evaluate.0: 2 runs need ensemble: soft or hard"],
    ["evaluate: [{runs: [a-s1], tta: flip, ensemble: soft}]", "evaluate.0: one run is no ensemble"],
    [
      "evaluate: [{runs: [a-s1]}]",
      "evaluate.0: one run needs tta: flip or ten-crop, or checkpoint: last",
    ],
    ["evaluate: [{runs: [a-s1, a-s1], ensemble: soft}]", "evaluate.0: a run is named twice"],
    ["evaluate: [{runs: [a-s1], tta: five-crop}]", "evaluate.0.tta: "],
    ["evaluate: [{runs: [a-s1], tta: flip, name: a/b}]", "evaluate.0.name: "],
  ])("%s is told by its place", (more, what) => {
    const said = refusal(base + more);
    expect(said).toContain(`m.yaml: ${what}`);
    expect(said).toContain("docs/recipes.md");
  });

  it("judges runs of its members or of their stand-ins, by names of their own", () => {
    const members = `
base: {data: fashion-mnist}
matrix:
  model:
    - {name: a, model: resnet18, pretrained: true, standIn: {name: other, pretrained: false}}
    - {name: b, model: simple_cnn}
    - {name: c, model: knn}
`;
    const evaluate = `evaluate:
  - {runs: [b-s42], tta: flip}
  - {runs: [other-s42, b-s42], ensemble: soft, name: both}
`;
    const { evaluate: all } = load(members + evaluate);
    expect(all).toEqual([
      { runs: ["b-s42"], tta: "flip" },
      { runs: ["other-s42", "b-s42"], ensemble: "soft", name: "both" },
    ]);
    expect(load(members + evaluate, { only: ["b"] }).evaluate).toEqual([all[0]]);
    expect(load(members + evaluate, { only: ["a"] }).evaluate).toEqual([]);
    expect(refusal(`${members}evaluate: [{runs: [b], tta: flip}]`)).toMatch(
      /evaluate\.0: there is no member "b" → their runs are a-s42, b-s42, c-s42$/,
    );
    expect(refusal(`${members}evaluate: [{runs: [c-s42], tta: flip}]`)).toContain(
      "evaluate.0: c-s42 is a classical model",
    );
    for (const name of ["both", "b-s42", "exports"]) {
      const taken = `${evaluate}  - {runs: [a-s42], tta: flip, name: ${name}}`;
      expect(refusal(members + taken)).toContain(`evaluate.2: the name ${name} is taken`);
    }
  });

  it("finds a rate for every seed and model, and is another run once it has it", () => {
    const { members } = load(
      "base: {data: fashion-mnist, lr: find, C: 2}\nmatrix: {model: [simple_cnn, logreg], seed: [1, 2]}",
    );
    expect(members.map(({ findsRate }) => findsRate)).toEqual([true, true, false, false]);
    const [first] = members as [NetworkMember];
    const found = withRate(first, 0.012345);
    expect(found).toMatchObject({ findsRate: false, config: { lr: 0.012 } });
    const [written] = load(
      "base: {data: fashion-mnist, lr: 0.012, seed: 1}\nmatrix: {model: [simple_cnn]}",
    ).members;
    expect(found.digest).toBe(written!.digest);
    expect(first.digest).not.toBe(written!.digest);
    expect(() => withRate({ ...first, config: { ...first.config, minLr: 0.1 } }, 0.01)).toThrow(
      "minLr 0.1 is above the rate that was found, 0.01",
    );
  });

  it.each([
    ["base: {data: x, lr: find}\nmatrix: {model: [logreg]}", "no member of the matrix has a rate"],
    ["base: {data: x}\nmatrix: {m: [{model: knn, lr: find}]}", "knn has no learning rate"],
    ["base: {data: x, model: simple_cnn, lr: fnd}", 'lr: "fnd" given; allowed: a number'],
  ])("refuses %j", (text, what) => expect(refusal(text)).toContain(what));

  it("is chosen by a stand-in's name too, and has one choice of seeds", () => {
    const text = `
base: {data: fashion-mnist}
matrix:
  m:
    - {name: wanted, model: resnet18, pretrained: true, standIn: {name: cnn, model: simple_cnn, strategy: scratch}}
    - {name: flat, model: logreg}
quick: {base: {seed: 42}}
`;
    expect(names(text, { only: ["cnn"] })).toEqual(["wanted-s42"]);
    expect(refusal(text, { only: ["cn"] })).toContain("it has wanted, cnn, flat");
    expect(names(text, { seeds: 2 })).toHaveLength(4);
    expect(refusal(text, { seeds: 2, quick: true })).toContain("has quick.base.seed; one of them");
  });

  it("joins a stand-in's name with those of the other lists, as its member's", () => {
    const { members } = load(`
base: {data: fashion-mnist, pretrained: true}
matrix:
  way: [{name: short, epochs: 1}]
  model: [{name: large, model: resnet34, standIn: {name: small, model: resnet18}}]
  opt: [{name: plain, opt: sgd}, {name: adaptive, opt: adam}]
`);
    expect(members.map(({ name, standIns }) => [name, standIns[0]!.name])).toEqual([
      ["short-large-plain-s42", "short-small-plain-s42"],
      ["short-large-adaptive-s42", "short-small-adaptive-s42"],
    ]);
  });

  it("has stand-ins in the order of preference, each a whole member", () => {
    const { members } = load(`
base: {data: fashion-mnist, pretrained: true, strategy: freeze}
matrix:
  model:
    - name: large
      model: vit_small_patch16_224
      standIn: [{model: deit_tiny_patch16_224}, {pretrained: false}, {name: cnn, model: simple_cnn, strategy: scratch}]
    - {name: other, model: resnet18}
  seed: [1, 2]
`);
    expect(members.map(({ name, standIns }) => [name, standIns.map((s) => s.name)])).toEqual([
      ["large-s1", ["large-deit_tiny_patch16_224-s1", "large-random-s1", "cnn-s1"]],
      ["large-s2", ["large-deit_tiny_patch16_224-s2", "large-random-s2", "cnn-s2"]],
      ["other-s1", []],
      ["other-s2", []],
    ]);
    expect(members[1]!.standIns.map(({ config }) => config)).toMatchObject([
      { model: "deit_tiny_patch16_224", pretrained: true, strategy: "freeze", seed: 2 },
      { model: "vit_small_patch16_224", pretrained: false, strategy: "freeze" },
      { model: "simple_cnn", strategy: "scratch" },
    ]);
    expect(members[1]!.standIns[2]!.config).not.toHaveProperty("pretrained");
  });

  it.each([
    [`${base}matrix: {m: [{standIn: {model: resnet18}}]}`, "starts from no published weights"],
    ["base: {data: x}\nmatrix: {m: [{model: resnet18, pretrained: true, standIn: 3}]}", "3 given"],
    [
      "base: {data: x, model: simple_cnn, standIn: {model: resnet18}}",
      "base.standIn: no member starts from published weights",
    ],
    ["base: {data: x, model: resnet18, pretrained: true, standIn: resnet34}", '"resnet34" given'],
    [
      "base: {data: x, model: resnet18, pretrained: true, standIn: {modl: resnet34}}",
      "modl: unknown key; did you mean model?",
    ],
  ])("a stand-in that has no use, or is none: %j", (text, what) =>
    expect(refusal(text)).toContain(what),
  );

  it("has a short form, laid over every member's own keys where they have them", () => {
    const text = `
title: Long
base: {data: fashion-mnist, epochs: 20, opt: adam}
matrix:
  model: [{name: a, model: simple_cnn, epochs: 1}, {name: b, model: simple_cnn, epochs: 9}, logreg]
  seed: [1, 2, 3]
export: {opset: 14}
quick:
  base: {epochs: 2, trainSize: 50, seed: 4}
  export: false
`;
    const { members, out, title, export: exported } = load(text, { quick: true });
    expect([out, title, exported]).toEqual([
      join("runs", "m-quick"),
      "Long (quick form: fewer images and epochs)",
      false,
    ]);
    expect(members.map(({ name }) => name)).toEqual(["a-s4", "fashion-mnist-logreg-pixels-s4"]);
    expect(members[0]!.config).toMatchObject({ epochs: 2, trainSize: 50, seed: 4 });
    expect(load(text).members).toHaveLength(9);
    expect(load(text, { quick: true, out: "elsewhere" }).out).toBe("elsewhere");
    expect(refusal(base, { quick: true })).toContain("has no quick:");
  });
});
