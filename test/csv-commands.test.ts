import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRun } from "../src/run/read.ts";
import { makeHome, thaw } from "./support/thaw-process.ts";
import { writeTinyFolder } from "./support/tiny-images.ts";

let root: string;
let env: { THAW_HOME: string };
const csv = (name: string, text: string | Buffer) => {
  writeFileSync(join(root, name), text);
  return join(root, name);
};
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "thaw-csv-commands-"));
  env = await makeHome(join(root, "home"));
  await writeTinyFolder(root, { pictures: 20 }, { width: 8, height: 8 });
});
afterAll(() => rmSync(root, { recursive: true }));

const rows = (of: (i: number) => string, end = "\n") =>
  Array.from({ length: 20 }, (_, i) => of(i) + end).join("");

test("a CSV of another program is surveyed: encoding, columns and places are said", () => {
  const text = `image_id;diagnosis;class\r\n${rows((i) => `${i};x;${i % 2 ? "Bär" : "Bör"}`, "\r\n")}\r\n`;
  const { code, stdout, stderr } = thaw(
    ["data", "info", csv("latin1.csv", Buffer.from(text, "latin1")), "--no-sheet", "--json"],
    env,
  );
  expect(code, stderr).toBe(0);
  const report = JSON.parse(stdout);
  expect(report.classes).toEqual(["Bär", "Bör"]);
  expect(report.notes).toEqual([
    expect.stringContaining('read as Windows-1252: line 2 is "0;x;Bör"'),
    'paths are in the column "image_id", labels in "class"',
    "images were found by their names in pictures/",
  ]);
});

test("columns and folder that are named are part of the run, which is evaluated on the same images", () => {
  const file = csv("named.csv", `where,what,sure\n${rows((i) => `${i}.png,${i % 2},0.5`)}`);
  const out = join(root, "runs");
  const trained = thaw(
    [
      ...["train", "--data", file, "--path-column", "where", "--label-column", "what"],
      ...["--image-folder", "pictures", "--classes", "1,0"],
      ...["--model", "knn", "--n-neighbors", "1", "--out", out, "--name", "a", "--track", "none"],
    ],
    env,
  );
  expect(trained.code, trained.stderr).toBe(0);
  const { config, summary, dir } = openRun("a", out);
  expect(config).toMatchObject({ pathColumn: "where", labelColumn: "what" });
  expect(summary!.classes).toEqual(["1", "0"]);
  const before = readFileSync(join(dir, "predictions.csv"), "utf8");
  const judged = thaw(["evaluate", dir, "--json"], env);
  expect(judged.code, judged.stderr).toBe(0);
  expect(judged.stderr).not.toContain("fingerprint differs");
  expect(readFileSync(join(dir, "predictions.csv"), "utf8")).toBe(before);
});

test.each([
  [
    ["headless.csv", `${rows((i) => `pictures/${i}.png,cat`)}`],
    [],
    "the first row is an image, not a header",
  ],
  [undefined, ["--label-column", "what"], "is not a CSV"],
] as const)("%# wrong usage ends with 2 and what to do", (file, flags, message) => {
  const data = file === undefined ? root : csv(file[0], file[1]);
  const { code, stderr } = thaw(["data", "info", data, "--no-sheet", ...flags], env);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});
