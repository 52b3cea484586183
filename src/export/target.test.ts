import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ThawError, UsageError } from "../errors.ts";
import { putInPlace } from "./target.ts";

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "thaw-target-"));
});
afterEach(() => rmSync(out, { recursive: true }));

const at = (name: string) => join(out, name);
const folder = (name: string, ...files: string[]): string => {
  mkdirSync(at(name));
  for (const file of files) writeFileSync(at(`${name}/${file}`), name);
  return at(name);
};
const put = (made: string, to: string) => putInPlace(made, to, { overwrite: true });

it("replaces an earlier export, and what a desktop left in it", () => {
  const to = folder("export", "export.json", "model.onnx.data", ".DS_Store", "._model.onnx");
  put(folder("made", "export.json", "model.onnx"), to);
  expect(readdirSync(out)).toEqual(["export"]);
  expect(readdirSync(to)).toEqual(["export.json", "model.onnx"]);
});

it("touches nothing that has come to stand there meanwhile, as a clone of the hub's repository", () => {
  const made = folder("made", "export.json");
  const files = ["export.json", "mine.txt", ".gitattributes"];
  for (const [i, names] of [files.slice(0, 2), [files[0]!, files[2]!], ["mine.txt"]].entries()) {
    const to = folder(`export-${i}`, ...names);
    expect(() => put(made, to)).toThrow(UsageError);
    expect(readdirSync(to)).toEqual([...names].sort());
  }
  expect(readdirSync(made)).toEqual(["export.json"]);
});

it("brings the earlier export back where the new one cannot be put there", () => {
  const to = folder("export", "export.json", "model.onnx");
  expect(() => put(at("gone"), to)).toThrow(ThawError);
  expect(() => put(at("gone"), to)).toThrow(
    "cannot be written: it, or a folder on the way to it, does not exist",
  );
  expect(readdirSync(out)).toEqual(["export"]);
  expect(readdirSync(to)).toEqual(["export.json", "model.onnx"]);
});
