import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { listRuns, readRun } from "../src/run/index.ts";
import { makeHome } from "./support/thaw-process.ts";

// The examples import the package by its name, as a user's program does: it is what was built last.
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-examples-"));
  // 300 made images stand there as Fashion-MNIST.
  const { THAW_HOME } = await makeHome(join(folder, "home"), 300);
  vi.stubEnv("THAW_HOME", THAW_HOME);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});
const small = { trainSize: 60, valSize: 20, epochs: 1, threads: 1, precision: "fp32" } as const;

test("examples/transfer.ts compares three ways to the same classes", async () => {
  const { transfer } = await import("../examples/transfer.ts");
  const out = join(folder, "transfer");
  const findings = (await transfer({ ...small, out })).join("\n");
  expect(findings).toMatch(/(scratch|probe|partial).* test accuracy/);
  expect(listRuns(out)).toEqual(["partial", "probe", "scratch", "source"]);
  expect(readRun(join(out, "probe")).summary).toMatchObject({
    ...{ status: "finished", strategy: "freeze", test: { n: 30 } },
  });
});

test("examples/ensemble.ts checks, finds a rate, trains three and judges them together", async () => {
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const { ensemble } = await import("../examples/ensemble.ts");
  const out = join(folder, "ensemble");
  const { members, result, run } = await ensemble({ ...small, batchSize: 16, out });
  expect(members.map(({ name }) => name)).toEqual(["seed-1", "seed-2", "seed-3"]);
  expect(result.n).toBe(60);
  expect(run.name).toBe("ensemble-soft-seed-1-seed-2-seed-3-flip");
  expect(said.mock.calls.join("\n")).toContain("passed overfit: all 32 images right");
});
