import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ExitCode, UsageError } from "../errors.ts";
import { canonicalJson, configDigest, type TrainConfigInput } from "./config.ts";
import { configFields } from "./config-fields.ts";
import { configFlags, overridesFromFlags } from "./config-flags.ts";
import { loadConfig, parseConfig } from "./config-load.ts";

const folder = mkdtempSync(join(tmpdir(), "thaw-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const minimal = { data: "fashion-mnist", model: "resnet18" };
const parse = (more: Record<string, unknown>) => parseConfig({ ...minimal, ...more });

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).exitCode).toBe(ExitCode.usage);
    return (error as UsageError).message;
  }
  throw new Error("nothing was refused");
}

describe("a resolved config", () => {
  it("has every default", () => {
    expect(parse({})).toEqual({
      ...minimal,
      strategy: "scratch",
      epochs: 10,
      batchSize: 128,
      opt: "adam",
      lr: 0.001,
      weightDecay: 1e-4,
      betas: [0.9, 0.999],
      sched: "cosine",
      warmupEpochs: 0,
      minLr: 0,
      smoothing: 0,
      augment: { crop: 0, flip: false, rotation: 0 },
      precision: "auto",
      device: "auto",
      seed: 42,
      checkpointEvery: 1,
      out: "runs",
      track: ["tensorboard"],
      exact: false,
    });
  });

  it("tells TensorBoard, or whom it is told to", () => {
    expect(parse({ track: ["mlflow", "tensorboard"] }).track).toEqual(["mlflow", "tensorboard"]);
    expect(() => parse({ track: ["none", "mlflow"] })).toThrow("none stands beside others");
    expect(() => parse({ track: ["mlflow"], logHistograms: 1 })).toThrow("only TensorBoard shows");
    expect(() => parse({ track: ["wandb"] })).toThrow("track");
  });

  it.each([
    [{ opt: "sgd" }, { lr: 0.05, momentum: 0.9, nesterov: false }],
    [{ opt: "adamw" }, { lr: 0.001, betas: [0.9, 0.999] }],
    [{ sched: "step" }, { decayRate: 0.1, decayEpochs: 30, warmupEpochs: 0 }],
    [{ sched: "plateau" }, { decayRate: 0.1, patienceEpochs: 5, minLr: 0 }],
  ])("%j brings its own options", (given, filled) => {
    expect(parse(given)).toMatchObject(filled);
  });

  it("has only the options its optimizer and schedule use", () => {
    const config = parse({ opt: "sgd", sched: "onecycle" });
    for (const key of ["betas", "minLr", "warmupEpochs", "decayRate"]) {
      expect(config).not.toHaveProperty(key);
    }
  });

  it.each<Partial<TrainConfigInput>>([
    { opt: "sgd", nesterov: true, sched: "step" },
    { sched: "plateau", classes: ["cat", "dog"], patience: 3 },
    { sched: "onecycle", clipGrad: 1, dropout: 0, name: "run-1.a" },
  ])("can be run again: %j", (given) => {
    const config = parse(given);
    const path = file("config.json", JSON.stringify(config));
    expect(loadConfig(path)).toEqual(config);
    expect(JSON.stringify(loadConfig(path))).toBe(JSON.stringify(config));
  });
});

describe("keys that mean something beside another only", () => {
  it("are filled in there", () => {
    expect(parse({ modelEma: true }).modelEmaDecay).toBe(0.9998);
    expect(parse({ modelEma: false })).not.toHaveProperty("modelEmaDecay");
    const taught = { distillAlpha: 0.5, distillTemperature: 4 };
    expect(parse({ teacher: "runs/big" })).toMatchObject(taught);
  });

  it.each([
    [{ modelEmaDecay: 0.9 }, "modelEmaDecay: only with --model-ema"],
    [{ distillAlpha: 0.5 }, "distillAlpha: only with --teacher"],
    [{ distillTemperature: 2 }, "distillTemperature: only with --teacher"],
    [{ teacher: "a", distillAlpha: 1.5 }, "distillAlpha: 1.5 given; allowed: a number at least 0"],
    [{ gradAccumSteps: 0 }, "gradAccumSteps: 0 given; allowed: a whole number at least 1"],
    [{ dropPath: 1 }, "dropPath: 1 given; allowed: a number at least 0 and below 1"],
    [{ strategy: "freeze", pretrained: true, dropPath: 0.1 }, "dropPath: only for strategy"],
    [{ featureCacheBudget: 9 }, "featureCacheBudget: only for strategy freeze, partial"],
    [{ classWeights: "even" }, 'classWeights: "even" given; allowed: balanced, or a list of at'],
    [{ classWeights: [1, -1] }, "classWeights.1: -1 given; allowed: balanced, or a list of at"],
  ])("%j is refused without it, or where it cannot be", (given, message) => {
    expect(refusal(() => parse(given))).toContain(message);
  });
});

describe("a config file", () => {
  it("may be YAML or JSON, and flags stand over it", () => {
    const yaml = file(
      "run.yaml",
      "# a run\ndata: cifar10\nmodel: resnet18\nlr: 1e-2\naugment: {crop: 4, flip: true}\n",
    );
    const json = file(
      "run.json",
      '{"data":"cifar10","model":"resnet18","lr":0.01,"augment":{"crop":4,"flip":true}}',
    );
    expect(loadConfig(yaml)).toEqual(loadConfig(json));
    const over = loadConfig(yaml, { epochs: 2, augment: { flip: false } });
    expect(over).toMatchObject({ epochs: 2, lr: 0.01, augment: { crop: 4, flip: false } });
  });

  it("lets an option of its optimizer go where a flag chooses another", () => {
    const path = file("sgd.yaml", "data: cifar10\nmodel: m\nopt: sgd\nmomentum: 0.8\n");
    expect(loadConfig(path).momentum).toBe(0.8);
    expect(loadConfig(path, { opt: "adam" })).not.toHaveProperty("momentum");
  });

  it.each([
    ["none.yaml", undefined, /none\.yaml: cannot be read/],
    ["bad.json", '{"data":', /bad\.json: /],
    ["bad.yaml", "data: [1\n", /bad\.yaml: /],
    ["twice.yaml", "data: a\ndata: b\n", /twice\.yaml: .*unique/i],
    ["list.yaml", "- data\n", /a list of `key: value` was expected/],
  ])("%s that cannot be read is refused", (name, text, message) => {
    const path = text === undefined ? join(folder, name) : file(name, text);
    expect(refusal(() => loadConfig(path))).toMatch(message);
  });

  it("is named in every refusal, flags by their own name", () => {
    const path = file("wrong.yaml", "data: cifar10\nmodel: m\nepochs: -3\n");
    expect(refusal(() => loadConfig(path, { batchSize: 0 })).split("\n")).toEqual([
      `${path}: epochs: -3 given; allowed: a whole number at least 1`,
      "--batch-size: 0 given; allowed: a whole number at least 1",
    ]);
  });
});

describe("a model's own recipe", () => {
  const own = { epochs: 3, opt: "adam", lr: 1e-2, sched: "onecycle", dropout: 0.1 };

  it.each<[Record<string, unknown>, Record<string, unknown>]>([
    [{}, own],
    [
      { epochs: 30, dropout: 0.5 },
      { ...own, epochs: 30, dropout: 0.5 },
    ],
    // Its rate is for its optimizer.
    [{ opt: "sgd" }, { ...own, opt: "sgd", lr: 0.05 }],
    [
      { opt: "sgd", lr: 0.2 },
      { ...own, opt: "sgd", lr: 0.2 },
    ],
    // What fits another choice only brings that choice's default.
    [{ warmupEpochs: 1 }, { ...own, sched: "cosine", warmupEpochs: 1 }],
    [{ sched: "step" }, { ...own, sched: "step" }],
  ])("%j", (given, expected) => {
    expect(parse({ model: "simple_cnn", ...given })).toMatchObject(expected);
  });

  it("gives way to a file as to flags", () => {
    const path = file("recipe.yaml", "data: fashion-mnist\nmodel: simple_cnn\nlr: 0.001\n");
    expect(loadConfig(path, { epochs: 2 })).toMatchObject({ ...own, lr: 0.001, epochs: 2 });
  });
});

describe("refusals", () => {
  it.each([
    [{ epoch: 3 }, "config: epoch: unknown key; did you mean epochs?"],
    [{ batchsize: 3 }, "config: batchsize: unknown key; did you mean batchSize?"],
    [{ augment: { crp: 3 } }, "config: augment.crp: unknown key; did you mean crop?"],
    [
      { augment: { qqqqqq: 3 } },
      "config: augment.qqqqqq: unknown key; known: crop, flip, rotation",
    ],
    [{ batchSize: 0 }, "config: batchSize: 0 given; allowed: a whole number at least 1"],
    [{ epochs: 1.5 }, "config: epochs: 1.5 given; allowed: a whole number at least 1"],
    [{ epochs: "3" }, 'config: epochs: "3" given; allowed: a whole number at least 1'],
    [{ lr: "abc" }, 'config: lr: "abc" given; allowed: a number above 0'],
    [{ lr: Number.NaN }, 'config: lr: "NaN" given; allowed: a number above 0'],
    [{ lr: Number.POSITIVE_INFINITY }, 'config: lr: "Infinity" given; allowed: a number above 0'],
    [{ lr: 0 }, "config: lr: 0 given; allowed: a number above 0"],
    [{ smoothing: 1 }, "config: smoothing: 1 given; allowed: a number at least 0 and below 1"],
    [
      { seed: -1 },
      "config: seed: -1 given; allowed: a whole number at least 0 and at most 4294967295",
    ],
    [
      { opt: "adamx" },
      'config: opt: "adamx" given; allowed: one of sgd, adam, adamw; did you mean adam?',
    ],
    [{ augment: 4 }, "config: augment: 4 given; allowed: a group of keys"],
    [{ augment: { flip: 1 } }, "config: augment.flip: 1 given; allowed: true or false"],
    [
      { betas: [0.9] },
      "config: betas: [0.9] given; allowed: a list of 2, each a number at least 0 and below 1",
    ],
    [
      { betas: [0.9, 1] },
      "config: betas.1: 1 given; allowed: a list of 2, each a number at least 0 and below 1",
    ],
    [{ classes: ["a"] }, 'config: classes: ["a"] given; allowed: a list of at least 2 texts'],
    [{ classes: ["a", "a"] }, "config: classes: a class stands twice"],
    [
      { name: "../x" },
      'config: name: "../x" given; allowed: letters, digits, dots, dashes and underscores',
    ],
    [{ momentum: 0.9 }, "config: momentum: only for opt sgd, and opt is adam"],
    [
      { sched: "onecycle", minLr: 0 },
      "config: minLr: only for sched linear, cosine, plateau, and sched is onecycle",
    ],
    [{ warmupEpochs: 10 }, "config: warmupEpochs: 10 of 10 epochs leave none to train in"],
    [
      { imgSize: 0 },
      "config: imgSize: 0 given; allowed: a whole number at least 1 and at most 4096",
    ],
    [{ cropPct: 1.2 }, "config: cropPct: 1.2 given; allowed: a number above 0 and at most 1"],
    [{ scale: [0.5, 0.2] }, "config: scale: 0.5 to 0.2 is no range"],
    [
      { scale: [0.5] },
      "config: scale: [0.5] given; allowed: a list of 2, each a number above 0 and at most 1",
    ],
    [{ ratio: [0, 1] }, "config: ratio.0: 0 given; allowed: a list of 2, each a number above 0"],
    [
      { interpolation: "nearest" },
      'config: interpolation: "nearest" given; allowed: one of bilinear, bicubic',
    ],
    [
      { testFrom: "train" },
      "config: testFrom: train holds test images out of the training images; give --test-size, how many",
    ],
    [
      { testFrom: "val", testSize: 5 },
      'config: testFrom: "val" given; allowed: one of test, train',
    ],
    [{ minLr: 1 }, "config: minLr: 1 is above the learning rate 0.001"],
    [{ opt: "sgd", momentum: 0, nesterov: true }, "config: nesterov: needs a momentum above 0"],
    [{ model: undefined }, "model is missing; give --model, or model in a config file"],
  ])("%j", (given, message) => {
    expect(refusal(() => parse(given))).toBe(message);
  });

  it("does not blame the options of a misspelt optimizer", () => {
    expect(refusal(() => parse({ opt: "sdg", momentum: 0.9 }))).toBe(
      'config: opt: "sdg" given; allowed: one of sgd, adam, adamw; did you mean sgd?',
    );
  });

  it("refuses a key that would reach Object.prototype", () => {
    const path = file("proto.json", '{"data":"d","model":"m","__proto__":{"epochs":3}}');
    expect(refusal(() => loadConfig(path))).toMatch(/__proto__: unknown key/);
  });
});

describe("a file that is nested without end", () => {
  const deep = (n: number) => `${"[".repeat(n)}${"]".repeat(n)}`;
  const deepObject = (n: number) => `${'{"a":'.repeat(n)}1${"}".repeat(n)}`;

  it.each(["deep.json", "deep.yaml"])("%s is refused by its depth, before it is parsed", (name) => {
    for (const value of [deep(100_000), deepObject(50_000), "[".repeat(500)]) {
      const path = file(name, `{"data": "x", "lr": ${value}}`);
      expect(refusal(() => loadConfig(path))).toBe(`${path}: nested more than 100 levels deep`);
    }
  });

  it("one of two megabytes by its size", () => {
    const path = file("large.yaml", `data: ${"x".repeat(2_000_000)}`);
    expect(refusal(() => loadConfig(path))).toContain("may have at most 1048576 bytes");
  });

  it.each(["strategy", "opt", "sched", "model", "lr", "augment", "weights", "classes"])(
    "a value of %s as deep as may be is told in a short line, and so in memory",
    (key) => {
      const path = file("value.json", `{"data":"x","model":"resnet18","${key}":${deep(90)}}`);
      expect(refusal(() => loadConfig(path)).length).toBeLessThan(path.length + 900);
      const value: unknown = JSON.parse(deep(100_000));
      expect(refusal(() => parse({ [key]: value })).length).toBeLessThan(900);
    },
  );
});

describe("flags", () => {
  const flags = configFlags();
  const named = (flag: string) => flags.find((f) => f.flag === flag)!;

  it("has timm's names", () => {
    const timm =
      "--model --batch-size --epochs --lr --opt --sched --weight-decay --momentum --smoothing --clip-grad --warmup-epochs --decay-rate --decay-epochs --patience-epochs --min-lr --seed";
    expect(flags.map((f) => f.flag)).toEqual(expect.arrayContaining(timm.split(" ")));
  });

  it("covers every value with a name of its own and a description", () => {
    expect(flags).toHaveLength(configFields().length);
    expect(new Set(flags.map((f) => f.attribute)).size).toBe(flags.length);
    for (const flag of flags) {
      expect(flag.description).not.toBe("");
      expect(flag.usage).toMatch(/^--[a-z][a-z-]+( <[a-z,]+>)?$/);
      expect(flag.negation === undefined).toBe(flag.type !== "boolean");
    }
  });

  it("reads what a person types", () => {
    expect(named("--epochs").parse("3")).toBe(3);
    expect(named("--lr").parse("1e-3")).toBe(0.001);
    expect(named("--betas").parse("0.9,0.99")).toEqual([0.9, 0.99]);
    expect(named("--classes").parse("T-shirt/top, dog")).toEqual(["T-shirt/top", "dog"]);
    expect(named("--class-weights").parse("balanced")).toBe("balanced");
    expect(named("--class-weights").parse("1,2.5")).toEqual([1, 2.5]);
    expect(named("--class-weights").parse("bee=1, a, b=c=50")).toEqual({ bee: 1, "a, b=c": 50 });
    expect(named("--opt").help).toBe("optimizer (sgd|adam|adamw; default adam)");
    expect(named("--momentum").help).toBe("momentum of sgd (with opt sgd; default 0.9)");
  });

  it.each([
    ["--lr", "abc", '--lr: "abc" given; allowed: a number above 0'],
    ["--lr", "nan", '--lr: "nan" given; allowed: a number above 0'],
    [
      "--class-weights",
      "even",
      '--class-weights: "even" given; allowed: balanced, or a list of at least 2, each a number above 0, or by name, each a number above 0',
    ],
    ["--class-weights", "a=1,a=2", "--class-weights: a is named twice"],
    ["--class-weights", "a=1,b", '--class-weights: "b" has no value'],
    ["--epochs", "", '--epochs: "" given; allowed: a whole number at least 1'],
    ["--batch-size", "0x10", '--batch-size: "0x10" given; allowed: a whole number at least 1'],
    [
      "--sched",
      "cosin",
      '--sched: "cosin" given; allowed: one of constant, step, linear, cosine, onecycle, plateau',
    ],
  ])("%s %j is refused", (flag, text, message) => {
    expect(refusal(() => named(flag).parse(text))).toBe(message);
  });

  it("become a document, groups and all", () => {
    const document = overridesFromFlags({
      batchSize: 8,
      augmentCrop: 4,
      augmentFlip: true,
      json: 1,
    });
    expect(document).toEqual({ batchSize: 8, augment: { crop: 4, flip: true } });
  });
});

describe("digest", () => {
  it("is of what decides the numbers: not of name, place or order", () => {
    const config = parse({});
    const { data, ...rest } = config;
    const digest = configDigest(config);
    expect(configDigest({ ...rest, data, name: "x", out: "/tmp" })).toBe(digest);
    expect(configDigest({ ...config, track: ["mlflow"], logHistograms: 2 })).toBe(digest);
    expect(configDigest({ ...config, lr: 0.002 })).not.toBe(digest);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it("canonical JSON sorts keys at every depth", () => {
    expect(canonicalJson({ b: [{ d: 1, c: null }], a: undefined, A: "ä" })).toBe(
      '{"A":"ä","b":[{"c":null,"d":1}]}',
    );
  });
});
