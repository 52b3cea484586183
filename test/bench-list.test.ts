import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packageRoot } from "../src/libtorch/home.ts";

test("npm run bench lists every bench with its figures", () => {
  const folder = join(packageRoot(), "bench");
  const { status, stdout } = spawnSync(process.execPath, [join(folder, "run.mjs")], {
    encoding: "utf8",
  });
  expect(status).toBe(0);
  const benches = readdirSync(folder).filter((file) => /^(?!run).*\.mjs$/.test(file));
  const listed = stdout.split("\n").flatMap((line) => /^([a-z-]+): /.exec(line)?.[1] ?? []);
  expect(listed).toEqual(benches.map((file) => file.replace(".mjs", "")).sort());
  expect(stdout).toMatch(/ {2}efficientnet-b0-best +>= 1\.5x/);
});
