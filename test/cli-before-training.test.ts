import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeHome, type Outcome, thaw } from "./support/thaw-process.ts";

let folder: string;
let out: string;
let env: { THAW_HOME: string };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-cli-before-"));
  out = join(folder, "runs");
  env = await makeHome(join(folder, "home"), 400);
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (command: string, ...flags: string[]): Outcome =>
  thaw(
    [
      ...[command, "--data", "fashion-mnist", "--model", "simple_cnn", "--out", out],
      ...["--train-size", "128", "--val-size", "40", "--batch-size", "32"],
      ...["--precision", "fp32", "--threads", "1", ...flags],
    ],
    env,
  );

test("thaw sanity: a line a check, exit code 0, and nothing is written", () => {
  const { code, stdout, stderr } = run("sanity");
  expect(stderr).toMatch(/^✓ labels {8}all \d+ are numbers of classes$/m);
  expect(stderr).toMatch(/^– frozen {8}skipped: nothing is frozen/m);
  expect(stderr).toMatch(/^✓ overfit {7}all 32 images right after \d+ steps/m);
  expect([code, stdout, existsSync(out)]).toEqual([0, "", false]);
});

test("thaw sanity: a failed check is exit code 1, with what to do; --json says the same", () => {
  const { code, stdout } = run("sanity", "--opt", "sgd", "--lr", "1e6", "--json");
  const report = JSON.parse(stdout) as { ok: boolean; checks: { check: string; hint?: string }[] };
  expect(report.ok).toBe(false);
  expect(report.checks.at(-1)).toMatchObject({
    ...{ check: "overfit", status: "failed", culprits: ["the learning rate"] },
    hint: expect.stringContaining("a lower --lr"),
  });
  expect(code).toBe(1);
});

test("thaw lr-find: a suggestion, how to use it, and the curve", () => {
  const { code, stderr } = run("lr-find");
  expect(stderr).toMatch(/^suggested: --lr 0\.\d+ \(the valley's; you have 0\.01\)$/m);
  expect(code).toBe(0);
  const [name = ""] = readdirSync(join(out, "lr-find"));
  expect(name).toMatch(/^fashion-mnist-simple_cnn-scratch-adam-b32-[0-9a-f]{8}$/);
  expect(readdirSync(join(out, "lr-find", name)).sort()).toEqual([
    ...["lr-find.json", "lr-find.png", "lr-find.svg"],
  ]);
});

test.each(["sanity", "lr-find"])("thaw %s of a classical model is refused", (command) => {
  const { code, stderr } = run(command, "--model", "logreg");
  expect(stderr).toContain("thaw: --model: a classical model has no learning rate");
  expect(code).toBe(2);
});
