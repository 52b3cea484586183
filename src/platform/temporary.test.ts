import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { abandonedPath } from "../../test/support/abandoned.ts";
import { writeDurably, writeWhole } from "./durable.ts";
import { startOf, thisProcess } from "./process.ts";
import { replaceFolder, restoreReplaced } from "./replace-folder.ts";
import { isTemporary, removeAbandoned, temporaryPath } from "./temporary.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-temporary-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
const names = () => readdirSync(folder).sort();
const make = (path: string): string => {
  writeFileSync(path, "half");
  return path;
};
const ofAnotherMachine = (path: string) => path.replace(thisProcess().machine, "0123abcd");
const daysOld = (path: string, days: number) => {
  const then = new Date(Date.now() - days * 24 * 3600 * 1000);
  utimesSync(path, then, then);
};

test("what an ended process left goes, files and whole folders, and nothing else", () => {
  make(abandonedPath(at("report.html")));
  mkdirSync(join(abandonedPath(at("export")), "deep"), { recursive: true });
  const others = [".export.tmp", ".x.1234.tmp", "rejected.csv", ".a.old"].map((name) =>
    make(at(name)),
  );
  removeAbandoned(folder);
  expect(names()).toEqual(others.map((path) => basename(path)).sort());
});

test("what a running process writes stays: this one's and another's", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  await once(child, "spawn");
  const own = make(temporaryPath(at("a")));
  const childs = make(
    own.replace(
      `-${process.pid}-${thisProcess().start}-`,
      `-${child.pid}-${startOf(child.pid!) ?? 0}-`,
    ),
  );
  removeAbandoned(folder);
  expect(names()).toEqual([own, childs].map((path) => basename(path)).sort());
  child.kill("SIGKILL");
  await once(child, "exit");
  removeAbandoned(folder);
  expect(names()).toEqual([basename(own)]);
});

test.skipIf(process.platform !== "linux")(
  "an id that was given out again is another process",
  () => {
    make(
      temporaryPath(at("a")).replace(
        `-${process.pid}-${thisProcess().start}-`,
        `-${process.pid}-1-`,
      ),
    );
    removeAbandoned(folder);
    expect(names()).toEqual([]);
  },
);

test("another machine's stays until it was not written for a day, whatever the id", () => {
  const path = make(ofAnotherMachine(abandonedPath(at("a"))));
  removeAbandoned(folder);
  expect(names()).toEqual([basename(path)]);
  const inside = ofAnotherMachine(abandonedPath(at("export")));
  mkdirSync(inside);
  make(join(inside, "model.onnx"));
  for (const old of [path, inside]) daysOld(old, 2);
  removeAbandoned(folder);
  // A folder goes by its content, too.
  expect(names()).toEqual([basename(inside)]);
  daysOld(join(inside, "model.onnx"), 2);
  removeAbandoned(folder);
  expect(names()).toEqual([]);
});

test("whoever holds the lock under which alone they are written need not wait", () => {
  make(ofAnotherMachine(abandonedPath(at("a"))));
  const other = make(ofAnotherMachine(abandonedPath(at("b"))));
  removeAbandoned(folder, { of: at("a"), isLocked: true });
  expect(names()).toEqual([basename(other)]);
});

test("a name as long as a file system takes has a temporary one, and finds it again", () => {
  const long = at(`${"é".repeat(120)}.csv`);
  const left = abandonedPath(long);
  expect(Buffer.byteLength(basename(left))).toBeLessThanOrEqual(255);
  make(left);
  removeAbandoned(folder, { of: at("other") });
  expect(names()).toHaveLength(1);
  removeAbandoned(folder, { of: long });
  expect(names()).toEqual([]);
  writeDurably(long, "whole");
  expect(names()).toEqual([basename(long)]);
});

test("whoever writes a file clears what was left beside it", async () => {
  make(abandonedPath(at("a.json")));
  writeDurably(at("b.json"), "{}");
  expect(names()).toEqual(["b.json"]);
  make(abandonedPath(at("view-1.safetensors")));
  await writeWhole(at("c.json"), [Buffer.from("{}")]);
  expect(names()).toEqual(["b.json", "c.json"]);
});

test("content that fails halfway leaves nothing, and the error is its own", async () => {
  async function* parts() {
    yield Buffer.from("half");
    throw new Error("no more");
  }
  await expect(writeWhole(at("a"), parts())).rejects.toThrow("no more");
  expect(names()).toEqual([]);
});

test("a folder that was being replaced comes back, unless the new one is in its place", () => {
  mkdirSync(abandonedPath(at("export"), "old"));
  mkdirSync(ofAnotherMachine(abandonedPath(at("other"), "old")));
  // Another machine may be between its two renames just now.
  expect(restoreReplaced(at("other"))).toBe(false);
  expect(restoreReplaced(at("export"))).toBe(true);
  expect(restoreReplaced(at("export"))).toBe(false);
  expect(names().filter((name) => !isTemporary(name))).toEqual(["export"]);
  mkdirSync(join(abandonedPath(at("export"), "old"), "earlier"), { recursive: true });
  mkdirSync(at("made"));
  writeFileSync(at("made/model.onnx"), "new");
  replaceFolder(at("made"), at("export"));
  expect(restoreReplaced(at("export"))).toBe(false);
  expect(readdirSync(at("export"))).toEqual(["model.onnx"]);
  expect(names().filter((name) => name.startsWith(".export"))).toEqual([]);
});
