import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { abandonedPath } from "../../test/support/abandoned.ts";
import { formatCsv, parseCsv } from "../data/formats/csv.ts";
import { ThawError, UsageError } from "../errors.ts";
import { predictions } from "../metrics/index.ts";
import { describeEnvironment } from "./environment.ts";
import { openRun, readRun } from "./read.ts";
import {
  checkRunName,
  createRun,
  defaultRunName,
  listRuns,
  nameWithoutSeed,
  type RunRecord,
  resumeRun,
} from "./record.ts";
import type { EpochLine, Summary } from "./summary.ts";

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "thaw-run-"));
});
afterEach(() => rmSync(out, { recursive: true }));

const config = { data: "fashion-mnist", model: "simple_cnn", seed: 42 };
const create = (more: { name?: string; overwrite?: boolean } = {}) =>
  createRun({ out, name: "a", config, environment: { thaw: "0.1.0" }, ...more });
const epoch = (n: number): EpochLine => ({
  epoch: n,
  step: n * 10,
  lr: 0.001,
  trainLoss: 1 / n,
  trainAccuracy: 0.5,
  valLoss: 1.5 / n,
  valAccuracy: 0.4,
});
const timing = (n: number) => ({ epoch: n, train: 1.5, validation: 0.5, imagesPerSecond: 900 });
const summary = (status: Summary["status"]): Summary => ({
  model: "simple_cnn",
  strategy: "scratch",
  dataset: "fashion-mnist",
  classes: ["a", "b"],
  seed: 42,
  status,
  epochs: 2,
  parameters: 10,
  trainableParameters: 10,
  best: { epoch: 2, valAccuracy: 0.4, valLoss: 0.7 },
  test: { accuracy: 0.5, accuracy95: [0.2, 0.8], macroF1: 0.4, loss: 0.9, n: 4 },
  seconds: { total: 4, train: 3, perEpoch: 2 },
  imagesPerSecond: 900,
  peakMemoryBytes: 1e8,
  precision: "bf16",
  device: "cpu",
});

function withLines(run: RunRecord, epochs: number): void {
  for (let n = 1; n <= epochs; n++) {
    run.appendEpoch(epoch(n));
    run.appendTiming(timing(n));
    for (let step = n * 10 - 9; step <= n * 10; step++) {
      run.appendStep({ step, epoch: n, loss: 1, lr: 0.1 });
    }
  }
}

describe("a run record", () => {
  it("is read as it was written", () => {
    const run = create();
    withLines(run, 2);
    run.writeSummary(summary("finished"));
    const read = openRun("a", out);
    expect(read).toMatchObject({
      name: "a",
      config,
      environment: { thaw: "0.1.0" },
      epochs: [epoch(1), epoch(2)],
      timings: [timing(1), timing(2)],
      summary: summary("finished"),
      confusion: undefined,
    });
    expect(openRun(run.dir).name).toBe("a");
    expect(listRuns(out)).toEqual(["a"]);
  });

  it("gives the same bytes of metrics for the same numbers", () => {
    withLines(create(), 2);
    withLines(create({ name: "b" }), 2);
    const bytes = (name: string) => readFileSync(join(out, name, "metrics.jsonl"), "utf8");
    expect(bytes("a")).toBe(bytes("b"));
  });

  it("refuses a number that JSON would turn into null", () => {
    expect(() => create().appendEpoch({ ...epoch(1), trainLoss: Number.NaN })).toThrow(
      /epoch 1: trainLoss cannot be recorded/,
    );
  });
});

describe("starting a run whose name is taken", () => {
  it("clears away what a kill in the middle of replacing one has left, and nothing else", () => {
    const left = abandonedPath(join(out, "a"));
    const others = [abandonedPath(join(out, "ab")), join(out, ".a.tmp"), join(out, "b")];
    for (const folder of [left, ...others]) {
      mkdirSync(join(folder, "checkpoints"), { recursive: true });
    }
    create();
    const names = [...others, join(out, "a")].map((path) => basename(path));
    expect(readdirSync(out).sort()).toEqual(names.sort());
  });

  it("refuses a finished one, unless told to overwrite it", () => {
    create().writeSummary(summary("finished"));
    expect(() => create()).toThrow(/the run a is finished/);
    expect(() => create()).toThrow(UsageError);
    expect(readRun(join(out, "a")).summary?.status).toBe("finished");
    create({ overwrite: true });
    expect(readRun(join(out, "a")).summary).toBeUndefined();
    expect(readdirSync(out)).toEqual(["a"]);
  });

  it("refuses one that could be resumed", () => {
    withLines(create(), 1);
    expect(() => create()).toThrow(/was begun and is not finished/);
    const again = create({ overwrite: true });
    writeFileSync(join(again.checkpoints, "step-000000001.safetensors"), "");
    expect(() => create()).toThrow(/was begun/);
  });

  it("takes over one that had not begun, or was killed while it was made", () => {
    create();
    expect(() => create()).not.toThrow();
    rmSync(join(out, "a", "config.json"));
    expect(() => create()).not.toThrow();
  });

  it("never touches a folder that is no run", () => {
    mkdirSync(join(out, "a"));
    writeFileSync(join(out, "a", "thesis.tex"), "years of work");
    expect(() => create({ overwrite: true })).toThrow(/is not a run; nothing in it was touched/);
    expect(existsSync(join(out, "a", "thesis.tex"))).toBe(true);
  });

  it.each(["", ".", "..", "a/b", "a\\b", "-x", "a b"])("refuses the name %j", (name) => {
    expect(() => checkRunName(name)).toThrow(UsageError);
  });
});

describe("going on after a kill", () => {
  it("leaves no line twice, whatever came after the checkpoint", () => {
    const run = create();
    withLines(run, 3);
    appendFileSync(run.path("metrics.jsonl"), '{"epoch":4,"st');
    const kept = resumeRun("a", out).rewind({ epoch: 2, step: 25 });
    expect(kept).toEqual([epoch(1), epoch(2)]);
    const whole = create({ name: "b" });
    withLines(whole, 2);
    const text = (r: RunRecord, file: string) => readFileSync(r.path(file), "utf8");
    for (const file of ["metrics.jsonl", "timings.jsonl"]) {
      expect(text(run, file)).toBe(text(whole, file));
    }
    expect(text(run, "steps.jsonl").trim().split("\n")).toHaveLength(25);
    run.appendEpoch(epoch(3));
    expect(readRun(run.dir).epochs.map((line) => line.epoch)).toEqual([1, 2, 3]);
  });

  it("mends a metrics file cut at any byte", () => {
    const run = create();
    withLines(run, 3);
    const whole = readFileSync(run.path("metrics.jsonl"));
    const lineEnds = [...whole].flatMap((byte, i) => (byte === 10 ? [i + 1] : []));
    for (let cut = 0; cut <= whole.length; cut += 7) {
      writeFileSync(run.path("metrics.jsonl"), whole.subarray(0, cut));
      const epochs = lineEnds.filter((end) => end <= cut).length;
      expect(run.rewind({ epoch: epochs, step: 0 })).toHaveLength(epochs);
      run.appendEpoch(epoch(epochs + 1));
      expect(readRun(run.dir).epochs).toHaveLength(epochs + 1);
    }
  });

  it("says so where epochs before the checkpoint are lost", () => {
    const run = create();
    withLines(run, 1);
    expect(() => run.rewind({ epoch: 2, step: 20 })).toThrow(
      /metrics\.jsonl: 1 good epochs, the checkpoint has 2/,
    );
  });

  it("is a usage error where there is no such run, and names those there are", () => {
    create();
    const failure = catchError(() => resumeRun("b", out)) as UsageError;
    expect(failure).toBeInstanceOf(UsageError);
    expect(failure.hint).toContain("a");
  });
});

describe("a damaged record", () => {
  it.each([
    ["config.json", "{", /config\.json: not JSON/],
    ["config.json", "[1]", /config\.json: not a JSON object/],
    ["summary.json", '{"model":1}', /summary\.json: model: /],
    ["metrics.jsonl", '{"epoch":1}\n', /metrics\.jsonl:1: step: /],
    ["metrics.jsonl", "{}}\n", /metrics\.jsonl:1: not JSON/],
    ["confusion_matrix.csv", "t,a\nb,1\n", /confusion_matrix\.csv: rows and columns/],
    ["confusion_matrix.csv", "t,a\na,x\n", /confusion_matrix\.csv: a count/],
    ["confusion_matrix.csv", "t,a\na\n", /confusion_matrix\.csv: line 2 has 1 fields/],
    ["per_class.csv", "class\n", /per_class\.csv: its columns/],
  ])("%s with %j is named", (file, text, message) => {
    const run = create();
    writeFileSync(run.path(file), text);
    expect(() => readRun(run.dir)).toThrow(message);
    expect(() => readRun(run.dir)).toThrow(ThawError);
  });

  it("names the file that is missing", () => {
    const run = create();
    rmSync(run.path("environment.json"));
    expect(() => readRun(run.dir)).toThrow(/environment\.json is missing/);
  });
});

describe("results of the test set", () => {
  const classes = ["T-shirt/top", 'a,"b"'];
  const given = predictions(
    new Float32Array([0.9, 0.1, 0.4, 0.6, 0.7, 0.3, 0.2, 0.8]),
    [0, 1, 1, 1],
    2,
  );

  it("are written for people and other tools, and read back", () => {
    const run = create();
    const result = run.writeResults({ predictions: given, classes });
    expect(result).toMatchObject({ accuracy: 0.75, n: 4 });
    expect(result.accuracy95[0]).toBeCloseTo(0.3006, 3);
    expect(readFileSync(run.path("predictions.csv"), "utf8")).toBe(
      'index,true,predicted,p(T-shirt/top),"p(a,""b"")"\n' +
        "0,T-shirt/top,T-shirt/top,0.9,0.1\n" +
        '1,"a,""b""","a,""b""",0.4,0.6\n' +
        '2,"a,""b""",T-shirt/top,0.7,0.3\n' +
        '3,"a,""b""","a,""b""",0.2,0.8\n',
    );
    expect(readFileSync(run.path("classification_report.txt"), "utf8")).toMatch(/accuracy .*0\.75/);
    const read = readRun(run.dir);
    expect(read.confusion?.names).toEqual(classes);
    expect([...read.confusion!.counts]).toEqual([1, 0, 1, 2]);
    expect(read.perClass?.[1]).toEqual({
      name: 'a,"b"',
      precision: 1,
      recall: 2 / 3,
      f1: 0.8,
      support: 3,
    });
  });

  it("carry the files where there are any, one for each image", () => {
    const run = create();
    const files = ["x.jpg", "y,1.jpg", "z.jpg", "ä.jpg"];
    run.writeResults({ predictions: given, classes, files });
    const rows = parseCsv(readFileSync(run.path("predictions.csv"), "utf8"), "p");
    expect(rows.map((row) => row[0])).toEqual(["file", ...files]);
    expect(() => run.writeResults({ predictions: given, classes, files: ["x"] })).toThrow(
      /1 files for 4/,
    );
  });

  it("write probabilities that read back as the same float32", () => {
    const run = create();
    const values = new Float32Array(60).map((_, i) => Math.fround(Math.exp(-i * 1.37)));
    run.writeResults({ predictions: predictions(values, new Int32Array(30), 2), classes });
    const rows = parseCsv(readFileSync(run.path("predictions.csv"), "utf8"), "p").slice(1);
    expect(rows.flatMap((row) => row.slice(3).map((v) => Math.fround(Number(v))))).toEqual([
      ...values,
    ]);
  });
});

it("reads any CSV it writes", () => {
  const cell = fc.oneof(fc.string(), fc.constantFrom("", '"', ",", "\r\n", "\n", 'a"b'));
  const table = fc
    .integer({ min: 1, max: 4 })
    .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width })));
  fc.assert(
    // A row of one empty field is an empty line, which no CSV reader tells from the end.
    fc.property(table, (rows) => {
      fc.pre(rows.every((row) => row.length > 1 || row[0] !== ""));
      expect(parseCsv(formatCsv(rows), "t")).toEqual(rows);
    }),
    { seed: 3, numRuns: 500 },
  );
});

it.each([
  ["fashion-mnist", "fashion-mnist-m-scratch-s7"],
  ["/data/My Dogs.zip", "My_Dogs-m-scratch-s7"],
  ["../photos/", "photos-m-scratch-s7"],
])("the default name for %s is %s", (data, name) => {
  const given = defaultRunName({ data, model: "m", strategy: "scratch", seed: 7 });
  expect(given).toBe(name);
  checkRunName(given);
});

it("describes the environment of a run, with the commit of the folder it ran in", () => {
  const choices = {
    threads: 2,
    precision: "bf16",
    device: "cpu",
    dataset: { name: "d", fingerprint: "f" },
    engine: { libtorch: "1.13.1" },
  };
  const described = describeEnvironment(choices, out);
  expect(described).toMatchObject({ ...choices, node: process.version, git: null });
  expect(described.thaw).toMatch(/^\d+\.\d+\.\d+/);
  expect(described.cpu.count).toBeGreaterThan(0);
  expect(described.memoryBytes).toBeGreaterThan(1e8);
});

it("leaves the seed out of a name, and what a matrix puts behind it", () => {
  const names = ["a-s1", "a-s1-1b2c3d", "a-s1-b", "a-s1-s2", "s1", "a-s1-1b2c3d4"];
  expect(names.map(nameWithoutSeed)).toEqual(["a", "a", "a-s1-b", "a-s1", "s1", "a-s1-1b2c3d4"]);
});

function catchError(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
