import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeSampleRun } from "../../test/support/run-records.ts";
import { UsageError } from "../errors.ts";
import { parseJson } from "../platform/json.ts";
import { loadConfig, readDocument } from "./config-load.ts";
import { loadMatrix } from "./matrix.ts";
import { readRun } from "./read.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-limits-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function refusal(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  return expect.fail("it was not refused");
}

const lists = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

describe("a config", () => {
  /** 9^9 values in a few hundred bytes. */
  const bomb = [
    "a0: &a0 [x, x, x, x, x, x, x, x, x]",
    ...Array.from({ length: 9 }, (_, i) => {
      const again = Array.from({ length: 9 }, () => `*a${i}`).join(", ");
      return `a${i + 1}: &a${i + 1} [${again}]`;
    }),
  ].join("\n");
  const nested = Array.from({ length: 1300 }, (_, i) => `${" ".repeat(i)}a:`).join("\n");

  it.each([
    ["deep.yaml", `data: ${lists(500_000)}`, "nested more than 100 levels deep"],
    ["unclosed.yaml", `data: ${"{a: ".repeat(200_000)}`, "nested more than 100 levels deep"],
    ["compact.yaml", "- ".repeat(500_000), "nested more than 100 levels deep"],
    ["keys.yaml", "? ".repeat(500_000), "nested more than 100 levels deep"],
    [
      "anchors.yaml",
      Array.from({ length: 90_000 }, (_, i) => `- &a${i} `).join(""),
      "nested more than 100 levels deep",
    ],
    ["deep-keys.yaml", nested, "nested more than 100 levels deep"],
    ["deep.json", `{"data": ${lists(20_000)}}`, "nested more than 100 levels deep"],
    ["less-deep.yaml", `data: ${lists(102)}`, "nested more than 100 levels deep"],
    ["bomb.yaml", bomb, "Excessive alias count"],
    ["itself.yaml", "data: &a [*a, *a]", "itself.yaml: "],
    ["large.yaml", `data: ${"x".repeat(1 << 20)}`, "may have at most 1048576 bytes"],
    ["zeros.yaml", "\0".repeat(2 << 20), "may have at most 1048576 bytes"],
  ])("%s is refused with words", (name, text, words) => {
    const path = file(name, text);
    expect(refusal(() => readDocument(path))).toContain(words);
    expect(refusal(() => loadConfig(path))).toContain(name);
    expect(refusal(() => loadMatrix(path))).toContain(name);
  });

  it("is not read from a device for ever, and may come from a pipe", () => {
    expect(refusal(() => readDocument("/dev/zero"))).toContain("may have at most 1048576 bytes");
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    execFileSync("sh", ["-c", `(printf 'data: x\\nepochs: 3\\n' > "$1") & exit 0`, "sh", pipe], {
      stdio: "ignore",
    });
    expect(readDocument(pipe)).toEqual({ data: "x", epochs: 3 });
  });

  it.each([
    ["threads: 1000000000", "at most 1024"],
    ["aa: randaugment\naaNumOps: 1000000000000", "at most 100"],
    ["aa: randaugment\naaBins: 1000000000000", "at most 1000"],
  ])("with %j is refused", (text, words) => {
    const path = file("c.yaml", `data: x\nmodel: simple_cnn\n${text}\n`);
    expect(refusal(() => loadConfig(path))).toContain(words);
  });
});

describe("a matrix", () => {
  it("of 10⁹ members is counted, not made", () => {
    const ten = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
    const keys = [
      "epochs",
      "batchSize",
      "perClass",
      "trainSize",
      "valSize",
      "testSize",
      "patience",
    ];
    const matrix = ["seed", ...keys, "checkpointEvery"].map((key) => `  ${key}: ${ten}`).join("\n");
    const path = file("m.yaml", `base: {data: x, model: simple_cnn}\nmatrix:\n${matrix}\n`);
    const said = refusal(() => loadMatrix(path));
    expect(said).toContain("matrix: 1,000,000,000 members (10 of seed × 10 of epochs × ");
    expect(said).toContain("at most 10,000");
  });

  it("is counted with the seeds that are asked for", () => {
    const path = file("m.yaml", "base: {data: x, model: simple_cnn}\nmatrix: {epochs: [1, 2]}\n");
    expect(refusal(() => loadMatrix(path, { seeds: 1_000_000_000 }))).toContain("at most 10,000");
    expect(refusal(() => loadMatrix(path, { seeds: 6000 }))).toContain("12,000 members");
    expect(loadMatrix(path, { seeds: 3 }).members).toHaveLength(6);
  });

  it("has few stand-ins a member", () => {
    const standIn = Array.from({ length: 30 }, () => "{model: resnet18}").join(", ");
    const base = `{data: x, model: resnet34, pretrained: true, standIn: [${standIn}]}`;
    const path = file("m.yaml", `base: ${base}\nmatrix: {seed: [1]}\n`);
    expect(refusal(() => loadMatrix(path))).toContain("standIn: 30 given; at most 20");
  });
});

describe("JSON of our own files", () => {
  it("is read up to 200 levels, however long it is", () => {
    expect(parseJson(lists(200))).toBeInstanceOf(Array);
    expect(() => parseJson(lists(202))).toThrow("nested more than 200 levels deep");
    expect(() => parseJson(`{"a": ${'{"a":'.repeat(50_000)}1${"}".repeat(50_001)}`)).toThrow(
      "nested more than 200 levels deep",
    );
    expect(parseJson(JSON.stringify(Array.from({ length: 100_000 }, (_, i) => i)))).toHaveLength(
      100_000,
    );
  });

  it.each(["config.json", "summary.json", "metrics.jsonl"])(
    "in a run: a deep %s is named",
    (name) => {
      const { dir } = writeSampleRun({ out: folder, name: "a", images: 10, epochs: 1 });
      const path = join(dir, name);
      const [first = ""] = readFileSync(path, "utf8").split("\n");
      const deep = `{"deep": ${lists(20_000)}}`;
      writeFileSync(path, name === "metrics.jsonl" ? `${first}\n${deep}\n` : deep);
      expect(() => readRun(dir)).toThrow(name);
      expect(() => readRun(dir)).not.toThrow(RangeError);
    },
  );
});
