import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { ExitCode, ThawError, UsageError } from "../errors.ts";
import { parseClassicalConfig } from "../run/classical-config.ts";
import { parseConfig } from "../run/config-load.ts";
import { liveTensors } from "../tensor/index.ts";
import { train, trainClassical } from "../train/index.ts";
import { exportRun } from "./export-run.ts";
import { readMetadata } from "./metadata.ts";
import { OnnxSession } from "./session.ts";

const data = sampleSplits({ train: 120, val: 48, test: 60 });
let out: string;
let before: number;

beforeAll(async () => {
  before = liveTensors();
  out = mkdtempSync(join(tmpdir(), "thaw-export-"));
  const own = { data: "sample", out, precision: "fp32", threads: 1 } as const;
  const network = { ...own, epochs: 2, batchSize: 16 };
  for (const model of ["simple_cnn", "resnet20_cifar"]) {
    await train(parseConfig({ ...network, model, name: model }), data);
  }
  for (const [name, more] of Object.entries({
    logreg: { model: "logreg", scale: "standard" },
    linear_svc: { model: "linear_svc", scale: "minmax" },
    knn: { model: "knn", nNeighbors: 7 },
    knn_weighed: { model: "knn", metric: "cosine", vote: "distance", scale: "standard" },
    on_features: { model: "logreg", features: join(out, "simple_cnn") },
  })) {
    await trainClassical(parseClassicalConfig({ ...own, ...more, name }), data);
  }
}, 120_000);

afterAll(() => {
  rmSync(out, { recursive: true });
  expect(liveTensors()).toBe(before);
});

const at = (name: string) => join(out, name);

describe("exportRun", () => {
  it.each([
    "simple_cnn",
    "resnet20_cifar",
    "logreg",
    "linear_svc",
    "knn",
    "knn_weighed",
    "on_features",
  ])("writes %s as a file that says the same, with its metadata and its card", async (name) => {
    const { folder, report } = await exportRun(at(name), data);
    expect(folder).toBe(at(`${name}/export`));
    expect(readdirSync(folder).sort()).toEqual(["README.md", "export.json", "model.onnx"]);
    expect(report.parity).toMatchObject({
      images: 48,
      split: "validation",
      agreement: 1,
      passed: true,
    });
    expect(report.parity.maxDifference).toBeLessThan(1e-3);
    expect(JSON.parse(readFileSync(join(folder, "export.json"), "utf8"))).toEqual(report);
    const metadata = readMetadata(join(folder, "model.onnx"));
    expect(metadata).toMatchObject({
      classes: ["coat", "bag", "boot"],
      run: name,
      data: "sample",
      input: { channels: 1, height: 16, width: 16 },
    });
    const card = readFileSync(join(folder, "README.md"), "utf8");
    expect(card).toMatch(/^---\nlicense: "other"\nlibrary_name: onnx\n/);
    expect(card).toContain("| Accuracy | ");
  });

  it.each([14, 15, 18, 21])("opset %d says the same", async (opset) => {
    const { report } = await exportRun(at("resnet20_cifar"), data, {
      opset,
      to: at(`opset-${opset}`),
    });
    expect(report).toMatchObject({ opset, parity: { agreement: 1, passed: true } });
  });

  it("takes pictures where preprocessing is inside: those of its own size stay as they are", async () => {
    const options = { withPreprocessing: true, to: at("pictures") };
    const { folder, report } = await exportRun(at("simple_cnn"), data, options);
    const parity = { agreement: 1, passed: true, resizing: { largest: 0 } };
    expect(report).toMatchObject({ takes: "pictures", opset: 18, parity });
    expect(readMetadata(join(folder, "model.onnx")).takes).toBe("pictures");
  });

  it("takes images of one size before opset 18, and one at a time where asked", async () => {
    const notes: string[] = [];
    const { folder, report } = await exportRun(at("simple_cnn"), data, {
      ...{ withPreprocessing: true, opset: 17, dynamicBatch: false, to: at("pixels") },
      onNote: (text) => notes.push(text),
    });
    expect(report).toMatchObject({ takes: "pixels", parity: { agreement: 1, passed: true } });
    expect(notes).toEqual(["opset 17 cannot resize: the file takes images of 16×16 alone"]);
    await using session = await OnnxSession.open(join(folder, "model.onnx"));
    expect(session.batch).toBe(1);
  });

  it("puts weights into a file of their own past a limit", async () => {
    const options = { largestInside: 100_000, to: at("outside") };
    const { folder, report } = await exportRun(at("simple_cnn"), data, options);
    expect(report.files.map(({ name }) => name)).toEqual(["model.onnx", "model.onnx.data"]);
    expect(report.files[0]!.bytes).toBeLessThan(20_000);
    expect(report.parity.passed).toBe(true);
    expect(existsSync(join(folder, "model.onnx.data"))).toBe(true);
  });

  it("halves the file in float16", async () => {
    const whole = await exportRun(at("simple_cnn"), data, { to: at("whole") });
    const half = await exportRun(at("simple_cnn"), data, { precision: "fp16", to: at("half") });
    const ratio = half.report.files[0]!.bytes / whole.report.files[0]!.bytes;
    expect(ratio).toBeLessThan(0.52);
    expect(half.report.parity.agreement).toBeGreaterThanOrEqual(0.99);
  });

  it("quarters it in int8, and tells what that costs on the test set", async () => {
    const whole = await exportRun(at("simple_cnn"), data, { to: at("whole-2") });
    const options = { precision: "int8", maxDrop: 5, to: at("int8") } as const;
    const { report } = await exportRun(at("simple_cnn"), data, options);
    expect(report.files[0]!.bytes / whole.report.files[0]!.bytes).toBeLessThan(0.27);
    expect(report.int8).toMatchObject({ images: 60, layers: 5, maxDrop: 5 });
    const { before: plain, after, drop } = report.int8!;
    expect(drop).toBeCloseTo(100 * (plain.accuracy - after.accuracy), 9);
    expect(drop).toBeLessThanOrEqual(5);
    expect(after.accuracy95[0]).toBeLessThan(after.accuracy);
  });
});

describe("what cannot be exported", () => {
  const refused = async (name: string, more: Parameters<typeof exportRun>[2] = {}) => {
    const error = await exportRun(at(name), data, { to: at("refused"), ...more }).catch((e) => e);
    expect(error).toBeInstanceOf(ThawError);
    expect(existsSync(at("refused"))).toBe(false);
    expect(readdirSync(out).filter((file) => file.startsWith("."))).toEqual([]);
    return error as ThawError;
  };
  const copy = (name: string, change: (dir: string) => void) => {
    mkdirSync(at(`${name}/checkpoints`), { recursive: true });
    for (const file of [
      "config.json",
      "environment.json",
      "summary.json",
      "checkpoints/best.safetensors",
    ]) {
      writeFileSync(at(`${name}/${file}`), readFileSync(at(`simple_cnn/${file}`)));
    }
    change(at(name));
  };

  it("a run that is not finished", async () => {
    copy("unfinished", (dir) => {
      const path = join(dir, "summary.json");
      const summary = JSON.parse(readFileSync(path, "utf8"));
      writeFileSync(path, JSON.stringify({ ...summary, status: "interrupted" }));
    });
    const { message, hint } = await refused("unfinished");
    expect(message).toBe("unfinished is not finished: it is interrupted");
    expect(hint).toContain("--resume");
    copy("begun", (dir) => rmSync(join(dir, "summary.json")));
    expect((await refused("begun")).message).toContain("begun is not finished");
  });

  it("a run whose model is damaged, or gone", async () => {
    copy("damaged", (dir) => {
      const path = join(dir, "checkpoints/best.safetensors");
      const bytes = readFileSync(path);
      bytes[bytes.length - 5]! ^= 1;
      writeFileSync(path, bytes);
    });
    expect((await refused("damaged")).message).toContain("does not match its checksum");
    copy("gone", (dir) => rmSync(join(dir, "checkpoints/best.safetensors")));
    expect((await refused("gone")).message).toContain("its model is missing");
  });

  it("into a folder that exists: nothing in it is touched", async () => {
    mkdirSync(at("taken"));
    writeFileSync(at("taken/mine.txt"), "mine");
    const options = { to: at("taken"), overwrite: true };
    const error = await exportRun(at("simple_cnn"), data, options).catch((e) => e);
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toContain("exists and is no export");
    expect(readdirSync(at("taken"))).toEqual(["mine.txt"]);
  });

  it("into an export that has something else in it", async () => {
    const to = at("annotated");
    await exportRun(at("simple_cnn"), data, { to });
    writeFileSync(join(to, "notes.txt"), "mine");
    const error = await exportRun(at("simple_cnn"), data, { to, overwrite: true }).catch((e) => e);
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toContain("has notes.txt too, which is of no export");
    rmSync(join(to, "notes.txt"));
    await exportRun(at("simple_cnn"), data, { to, overwrite: true });
    expect(readdirSync(to).sort()).toEqual(["README.md", "export.json", "model.onnx"]);
    expect(readdirSync(out).filter((file) => file.startsWith("."))).toEqual([]);
  });

  it("in int8 without images to calibrate with", async () => {
    const none = {
      ...data,
      train: { ...data.train, count: 0, images: new Uint8Array(), labels: new Uint8Array() },
    };
    const options = { precision: "int8", to: at("refused") } as const;
    const error = await exportRun(at("simple_cnn"), none, options).catch((e) => e);
    expect(error.message).toBe("--int8: there are no images to calibrate with");
    expect(existsSync(at("refused"))).toBe(false);
  });

  it("with an opset that is not written, or a classical model in int8", async () => {
    expect((await refused("simple_cnn", { opset: 13 })).message).toContain("14 to 21");
    expect((await refused("logreg", { precision: "int8" })).message).toContain("is no network");
  });

  it("past what int8 may lose: exit code 3, and nothing is left", async () => {
    const error = await refused("simple_cnn", { precision: "int8", maxDrop: -100 });
    expect(error.exitCode).toBe(ExitCode.gate);
    expect(error.message).toContain("int8 loses");
  });
});
