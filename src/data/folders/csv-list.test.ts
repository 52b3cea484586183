import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { listCsv } from "./csv-list.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "thaw-csv-"));
  for (const name of ["1.jpg", "2.jpg", "a, b.jpg"]) writeFileSync(join(root, name), "");
});
afterAll(() => rmSync(root, { recursive: true }));

const list = (text: string) => {
  writeFileSync(join(root, "list.csv"), text);
  return listCsv(join(root, "list.csv"));
};

test("paths from the CSV's folder, or absolute; other columns are not read", () => {
  const listing = list(
    `\ufefflabel,path,note\ncat,1.jpg,x\ndog,${join(root, "2.jpg")},y\r\ncat,"a, b.jpg",z\n`,
  );
  expect(listing.name).toBe("list");
  expect(listing.classes).toEqual(["cat", "dog"]);
  expect(listing.files.map(({ name, className }) => [name, className])).toEqual([
    ["1.jpg", "cat"],
    ["a, b.jpg", "cat"],
    [join(root, "2.jpg"), "dog"],
  ]);
});

test("with a column of splits", () => {
  const listing = list("path,label,split\n1.jpg,cat,train\n2.jpg,dog,Validation\n");
  expect(listing.hasSplits).toBe(true);
  expect(listing.files.map(({ split }) => split)).toEqual(["train", "val"]);
});

test.each([
  ["path,label\n1.jpg,cat\nno.jpg,dog\n", "line 3: there is no file"],
  ["path,label\n1.jpg,cat\n./1.jpg,dog\n", "line 3: ./1.jpg is already listed in line 2"],
  ["path,label\n1.jpg,\n", "line 2: a path and a label are required"],
  [
    "path,label,split\n1.jpg,cat,holdout\n",
    'line 2: unknown split "holdout"; allowed: train, training, trainval, val',
  ],
  ["1.jpg,cat\n2.jpg,dog\n", 'its first row is "1.jpg,cat"'],
  ["path,label\n", "lists no images"],
  ["", 'its first row is ""'],
  ["path,label\n1.jpg,cat,more\n", "line 2 has 3 fields, the first row 2"],
  ["path,label\n1.jpg,\0\n", "is not a CSV"],
])("%j is refused by the line", (text, message) => {
  expect(() => list(text)).toThrow(message);
});

test("an unknown file says where it was looked for", () => {
  const failure = (() => {
    try {
      return list("path,label\nsub/no.jpg,cat\n");
    } catch (error) {
      return error as UsageError;
    }
  })() as UsageError;
  expect(failure).toBeInstanceOf(UsageError);
  expect(failure.message).toContain(join(root, "sub/no.jpg"));
  expect(failure.hint).toBe(
    "paths are relative to the CSV's own folder; use --image-folder for another",
  );
});
