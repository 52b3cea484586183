import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exitCodeOf } from "../src/cli/commands/compare.ts";
import { ThawError } from "../src/errors.ts";
import { openRun } from "../src/run/read.ts";
import { makeHome, type Outcome, startThaw, thaw } from "./support/thaw-process.ts";

let folder: string;
let out: string;
let file: string;
let env: { THAW_HOME: string };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-cli-compare-"));
  env = await makeHome(join(folder, "home"), 400);
  out = join(folder, "runs");
  file = join(folder, "a.yaml");
});
afterAll(() => rmSync(folder, { recursive: true }));

const write = (matrix: string, more = "") =>
  writeFileSync(
    file,
    `title: Three kinds
out: ${out}
base:
  data: fashion-mnist
  trainSize: 64
  valSize: 40
  epochs: 1
  batchSize: 32
  precision: fp32
  threads: 1
${more}matrix:
${matrix}`,
  );
const compare = (...flags: string[]): Outcome => thaw(["compare", file, ...flags], env);

test("trains a matrix with seeds and a classical model, passes over what is finished, and reports", () => {
  write("  model: [simple_cnn, logreg]\n");
  const first = compare("--seeds", "2", "--json");
  expect(first.stderr).toContain("[4/4] fashion-mnist-logreg-pixels-s43");
  expect(first.code).toBe(0);
  const outcome = JSON.parse(first.stdout) as { finished: string[]; skipped: number };
  expect([outcome.finished.length, outcome.skipped]).toEqual([4, 0]);
  const markdown = readFileSync(join(out, "report.md"), "utf8");
  expect(markdown).toContain("# Three kinds");
  expect(markdown).toMatch(/## Over seeds[\s\S]*\| fashion-mnist-simple\\_cnn-scratch \| 2 \|/);
  expect(markdown).toContain("McNemar");
  const run = openRun("fashion-mnist-simple_cnn-scratch-s42", out);
  expect(run.summary?.test).toMatchObject({ n: 80, images: expect.stringMatching(/^sha256:/) });
  const before = readFileSync(join(run.dir, "metrics.jsonl"), "utf8");
  const again = compare("--seeds", "2", "--json");
  expect(JSON.parse(again.stdout)).toMatchObject({ skipped: 4, failed: [] });
  expect(readFileSync(join(run.dir, "metrics.jsonl"), "utf8")).toBe(before);
  // A change of the base is another configuration: beside the old runs, not over them.
  write("  model: [simple_cnn]\n", "  smoothing: 0.1\n");
  expect(compare("--dry-run").stderr).toMatch(/^new +fashion-mnist-simple_cnn-scratch-s42-\w{6}$/m);
});

test("goes on after a member that fails, names it, and exits with 1", () => {
  write("  lr: [0.001, 1e30]\n", "  model: simple_cnn\n");
  const { code, stderr, stdout } = compare("--out", join(folder, "failing"));
  expect(code).toBe(1);
  expect(stderr).toMatch(/failed: fashion-mnist-simple_cnn-scratch-lr1e_30-s42: training diverged/);
  expect(existsSync(join(folder, "failing", "report.html"))).toBe(true);
  expect(stdout).toContain("reached a test accuracy of");
});

test("an interrupted matrix is gone on with: begun runs from their checkpoint", async () => {
  const place = join(folder, "stopped");
  write("  lr: [0.001, 0.002]\n", "  model: simple_cnn\n  checkpointEvery: 1\n");
  const text = readFileSync(file, "utf8").replace("epochs: 1", "epochs: 3");
  writeFileSync(file, text);
  let sent = false;
  const { ended } = startThaw(["compare", file, "--out", place], env, (stderr, child) => {
    if (!sent && stderr.includes("epoch 1 ")) sent = child.kill("SIGINT");
  });
  const stopped = await ended;
  expect(stopped.code).toBe(130);
  expect(stopped.stderr).toContain(`go on with: thaw compare ${file} --out ${place}\n`);
  expect(compare("--out", place, "--dry-run").stderr).toMatch(
    /^begun .*lr0.001-s42\nnew .*lr0.002/m,
  );
  const { code, stderr } = compare("--out", place);
  expect(stderr).toContain("lr0.001-s42: goes on");
  expect(code).toBe(0);
  expect(openRun("fashion-mnist-simple_cnn-scratch-lr0.001-s42", place).epochs).toHaveLength(3);
});

test("a signal is heard while a rate is looked for, and is no one's failure", async () => {
  const place = join(folder, "searching");
  write("  model: [simple_cnn, resnet18]\n", "  lr: find\n");
  let sent = false;
  const { ended } = startThaw(["compare", file, "--out", place, "--json"], env, (stderr, child) => {
    if (!sent && stderr.includes("looking for its")) sent = child.kill("SIGTERM");
  });
  const { code, stdout, stderr } = await ended;
  expect(code).toBe(75);
  expect(JSON.parse(stdout)).toMatchObject({ failed: [], stopped: "preempted", report: null });
  expect(stderr.match(/looking for its/g)).toHaveLength(1);
  expect(stderr).not.toContain("was found");
  expect(existsSync(join(place, "lr-find"))).toBe(false);
  expect(existsSync(join(place, "comparison.json"))).toBe(false);
});

test("mistakes are told before anything is trained", () => {
  write("  model: [simple_cn]\n");
  const wrong = compare();
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    expect.stringContaining("did you mean simple_cnn?"),
  ]);
  write("  model: [simple_cnn]\n", "  epoch: 3\n");
  expect(compare().stderr).toContain("a.yaml: epoch: unknown key; did you mean epochs?");
  write("  seed: [1, 2]\n", "  model: simple_cnn\n");
  expect(compare("--seeds", "3").stderr).toContain("has matrix.seed; one of them is used");
  expect(compare("--seeds", "0").code).toBe(2);
  writeFileSync(file, "basis:\n  model: x\n");
  expect(compare().stderr).toContain('Unrecognized key: "basis"');
});

test("a refused export alone is a gate's exit code; another failure beside it is not", () => {
  const refused = (exitCode: 1 | 3) => {
    const error = new ThawError("differs", { exitCode });
    return { run: "a", precision: "int8", error };
  };
  const failed = [{ name: "b", error: new Error("diverged") }];
  expect(exitCodeOf({ failed: [], notExported: [] })).toBe(0);
  expect(exitCodeOf({ failed: [], notExported: [refused(3)] })).toBe(3);
  expect(exitCodeOf({ failed: [], notExported: [refused(3), refused(1)] })).toBe(1);
  expect(exitCodeOf({ failed, notExported: [refused(3)] })).toBe(1);
  expect(exitCodeOf({ failed, notExported: [], stopped: "preempted" })).toBe(75);
});

test("report: what runs/* names, refused where test sets differ", () => {
  write("  model: [knn]\n");
  const place = join(folder, "mixed");
  expect(compare("--out", place).code).toBe(0);
  write("  model: [knn]\n", "  testSize: 20\n");
  expect(compare("--out", place).code).toBe(0);
  const { code, stderr } = thaw(["report", "--out", place], env);
  expect([code, stderr]).toEqual([2, expect.stringContaining("were tested on other images")]);
  const forced = thaw(["report", "--out", place, "--force", "--json"], env);
  expect(JSON.parse(forced.stdout)).toMatchObject({
    leftOut: [],
    html: join(place, "report.html"),
  });
});
