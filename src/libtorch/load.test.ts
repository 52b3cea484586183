import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { cacheHome, packageRoot } from "./home.ts";
import { thisHost } from "./host.ts";
import { loadNative } from "./load.ts";
import { openblasOpenmpDir } from "./locate.ts";
import { readStamp } from "./stamp.ts";

const load = JSON.stringify(new URL("../../dist/libtorch/load.js", import.meta.url).href);

test("loads once, and says which libtorch it is", () => {
  const native = loadNative();
  expect(native).toBe(loadNative());
  const stamp = readStamp(cacheHome(), join(packageRoot(), "native"), process.env);
  expect(stamp!.libtorch.version).toContain(native.version().libtorch);
});

test("loads in a worker thread as well", async () => {
  loadNative();
  const script = `import(${load}).then(({ loadNative }) =>
    require("node:worker_threads").parentPort.postMessage(loadNative().version().libtorch));`;
  const worker = new Worker(script, { eval: true });
  const version = await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  await worker.terminate();
  expect(version).toBe(loadNative().version().libtorch);
});

test("the OpenMP build of OpenBLAS is the only one in the process", ({ skip }) => {
  const stamp = readStamp(cacheHome(), join(packageRoot(), "native"), process.env);
  skip(stamp?.libtorch.source !== "system", "not the distribution's libtorch, so another BLAS");
  skip(openblasOpenmpDir(thisHost()) === undefined, "libopenblas0-openmp is not installed");
  skip(!existsSync("/proc/self/maps"), "no /proc");
  loadNative();
  const files = readFileSync("/proc/self/maps", "utf8").match(
    /\/\S*\/lib(openblas|blas|lapack)\S*/g,
  );
  const folders = new Set(files?.map((file) => file.split("/").at(-2)));
  expect([...folders]).toEqual(["openblas-openmp"]);
});

test("without set-up: an error that says how to do it", () => {
  const home = mkdtempSync(join(tmpdir(), "thaw-empty-"));
  const script = `import(${load}).then(({ loadNative }) => loadNative()).catch((error) =>
    console.log(error.name, error.hint))`;
  const { stdout } = spawnSync(process.execPath, ["-e", script], {
    encoding: "utf8",
    env: { ...process.env, THAW_HOME: home },
  });
  rmSync(home, { recursive: true });
  expect(stdout).toMatch(/^ThawError run `npm run setup`.*`npx thaw setup`/);
});
