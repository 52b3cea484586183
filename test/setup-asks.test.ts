import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { packageRoot } from "../src/libtorch/home.ts";

const isApt = existsSync("/usr/bin/apt-get");
const hasScript = spawnSync("script", ["--version"]).status === 0;

let folder: string;
let log: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-asks-"));
  log = join(folder, "apt.log");
  // A PATH on which there is no CMake, and an apt-get that only writes down what it was asked for.
  const bin = join(folder, "bin");
  mkdirSync(bin);
  for (const name of ["c++", "make", "python3", "sh", "uname", "env", "id", "sudo"]) {
    const found = spawnSync("which", [name], { encoding: "utf8" }).stdout.trim();
    if (found !== "") symlinkSync(found, join(bin, name));
  }
  symlinkSync(process.execPath, join(bin, "node"));
  writeFileSync(join(bin, "apt-get"), `#!/bin/sh\necho "$*" >> ${log}\nexit 100\n`);
  chmodSync(join(bin, "apt-get"), 0o755);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const asked = (): string => (existsSync(log) ? readFileSync(log, "utf8") : "");

/** `thaw setup` with an empty cache, at a terminal where `answer` is typed. */
function setupAtTerminal(answer: string, options: { args?: string; env?: object } = {}) {
  const main = join(packageRoot(), "dist/cli/main.js");
  const command = `${process.execPath} ${main} setup ${options.args ?? ""}`;
  const { stdout } = spawnSync("/usr/bin/script", ["-qec", command, "/dev/null"], {
    input: `${answer}\n`,
    encoding: "utf8",
    env: {
      PATH: join(folder, "bin"),
      HOME: folder,
      SHELL: "/bin/sh",
      THAW_HOME: join(folder, "home"),
      ...options.env,
    },
  });
  return stdout;
}

describe.skipIf(!isApt || !hasScript)("thaw setup at a terminal", () => {
  test("asks before it installs, and takes no for an answer", () => {
    const shown = setupAtTerminal("n");
    expect(shown).toMatch(/Install cmake.*\? \[Y\/n\]/);
    expect(shown).toContain("cmake must be installed (not agreed to)");
    expect(asked()).toBe("");
  });

  test("goes on after a yes", () => {
    const shown = setupAtTerminal("y");
    expect(shown.match(/\[Y\/n\]/g)).toHaveLength(1);
    expect(asked()).toContain("install -y --no-install-recommends cmake");
    expect(shown).toMatch(/cmake must be installed \(apt-get install cmake failed/);
  });

  test.each([
    ["--yes", { args: "--yes" }],
    ["CI", { env: { CI: "true" } }],
  ])("does not ask: %s", (_, options) => {
    const shown = setupAtTerminal("n", options);
    expect(shown).not.toContain("[Y/n]");
    expect(asked()).toContain("install -y --no-install-recommends cmake");
  });

  test.each([
    ["", {}],
    ["--yes", { args: "--yes" }],
  ])("THAW_NO_INSTALL=1 installs nothing, and says so (%s)", (_, options) => {
    const shown = setupAtTerminal("y", { ...options, env: { THAW_NO_INSTALL: "1" } });
    expect(shown).not.toContain("[Y/n]");
    expect(shown).toContain("cmake must be installed (THAW_NO_INSTALL is set)");
    expect(asked()).toBe("");
  });
});
if (!isApt || !hasScript) {
  console.log("skipped: questions of thaw setup, because there is no apt-get or no script(1)");
}
