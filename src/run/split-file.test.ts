import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seedStream, shuffleInPlace } from "../data/random.ts";
import type { RecordedSplit } from "../data/recorded.ts";
import { readSplit, writeSplit } from "./split-file.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "thaw-split-"));
});
afterAll(() => rmSync(dir, { recursive: true }));
const file = () => join(dir, "split.json");

const shared = {
  fingerprint: "f",
  classes: ["cat", 'd"og'],
  leftOut: [{ split: "test", file: "cat/9.png", why: "is missing" }],
} as const;
const sha = (digit: string) => digit.repeat(64);

const splits: Record<string, RecordedSplit> = {
  files: {
    ...shared,
    kind: "files",
    channels: 3,
    listed: 9,
    splits: {
      train: [
        { file: "cat/1,\n.png", label: 0, sha256: sha("a") },
        { file: "dög/2.png", label: 1, sha256: sha("b") },
      ],
      val: [],
      test: [{ file: "cat/3.png", label: 0, sha256: sha("c") }],
    },
  },
  rows: {
    ...shared,
    kind: "rows",
    content: "c",
    splits: {
      train: { of: "train", rows: Int32Array.of(0, 1, 2, 5, 7, 8) },
      val: { of: "train", rows: Int32Array.of() },
      test: { of: "test", rows: Int32Array.of(4) },
    },
  },
  given: {
    ...shared,
    kind: "given",
    splits: {
      train: { count: 2, images: "x" },
      val: { count: 0, images: "y" },
      test: { count: 1, images: "z" },
    },
  },
};

test.each(Object.keys(splits))("a split of %s is read as it was written", (kind) => {
  writeSplit(dir, splits[kind]!);
  expect(readSplit(dir)).toEqual(splits[kind]);
});

test("an image has a line of its own", () => {
  writeSplit(dir, splits["files"]!);
  expect(readFileSync(file(), "utf8").split("\n")).toContain(`      ["dög/2.png",1,"${sha("b")}"]`);
});

test("54,000 and 6,000 rows drawn from 60,000 take less than 200 kB", () => {
  const rows = Int32Array.from({ length: 60_000 }, (_, row) => row);
  shuffleInPlace(rows, seedStream(1, "rows"));
  const part = (from: number, to: number) => rows.slice(from, to).sort();
  writeSplit(dir, {
    ...shared,
    kind: "rows",
    content: "c",
    splits: {
      train: { of: "train", rows: part(0, 54_000) },
      val: { of: "train", rows: part(54_000, 60_000) },
      test: { of: "test", rows: Int32Array.from({ length: 10_000 }, (_, row) => row) },
    },
  });
  expect(statSync(file()).size).toBeLessThan(200_000);
});

test("none in a run of an older version", () => {
  rmSync(file());
  expect(readSplit(dir)).toBeUndefined();
});

const text = (change: object) => {
  writeSplit(dir, splits["rows"]!);
  return JSON.stringify({ ...JSON.parse(readFileSync(file(), "utf8")), ...change });
};
test.each([
  ["a newer format", () => text({ format: "thaw split 2" }), 'its format is "thaw split 2"'],
  ["what is cut", () => text({}).slice(0, -20), "split.json: "],
  ["no object", () => "null", "its format is undefined"],
  [
    "rows that are none",
    () =>
      text({
        splits: {
          train: { of: "train", rows: "9-3" },
          val: { of: "train", rows: "" },
          test: { of: "test", rows: "" },
        },
      }),
    "splits.train.rows is not a list of ranges",
  ],
  [
    "more rows than memory",
    () =>
      text({
        splits: {
          train: { of: "train", rows: "0-999999999" },
          val: { of: "train", rows: "" },
          test: { of: "test", rows: "" },
        },
      }),
    "splits.train.rows is not a list of ranges",
  ],
])("%s is refused, with the file", (_, make, what) => {
  writeFileSync(file(), make());
  expect(() => readSplit(dir)).toThrow(what);
  expect(() => readSplit(dir)).toThrow(file());
});

test("a class that is not listed is refused", () => {
  writeSplit(dir, { ...splits["files"]!, classes: ["cat"] } as RecordedSplit);
  expect(() => readSplit(dir)).toThrow("dög/2.png has a class that is not listed");
});
