import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packageRoot } from "../src/libtorch/home.ts";

const script = join(packageRoot(), "scripts/test-libtorch.mjs");

// The long form, with a download and the whole suite, is `npm run test:libtorch -- 2.15.0`.
test.each([
  ["no version", []],
  ["a name", ["newest"]],
  ["a path out of its folder", ["../../x"]],
  ["what is meant for Vitest alone", ["--", "src/nn"]],
])("test:libtorch takes versions and nothing else: %s", (_, args) => {
  const { status, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });
  expect([status, stderr]).toEqual([2, expect.stringContaining("npm run test:libtorch -- 2.8.0")]);
});
