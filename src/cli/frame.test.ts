import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../libtorch/home.ts";
import { commands } from "./commands.ts";

const main = join(packageRoot(), "dist/cli/main.js");
let home: string;
beforeAll(() => {
  if (!existsSync(main))
    throw new Error(`${main} is not built: run \`npm test\`, which builds first`);
  home = mkdtempSync(join(tmpdir(), "thaw-cli-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** A process of its own with an empty cache. */
function thaw(args: readonly string[], env: Record<string, string> = {}) {
  return spawnSync(process.execPath, [main, ...args], {
    encoding: "utf8",
    env: { ...process.env, THAW_HOME: home, FORCE_COLOR: "", ...env },
  });
}

test("--help lists every command of the table on stdout", () => {
  const { status, stdout, stderr } = thaw(["--help"]);
  expect([status, stderr]).toEqual([0, ""]);
  for (const [name, { summary }] of Object.entries(commands)) {
    expect(stdout).toContain(name);
    expect(stdout.replace(/\s+/g, " ")).toContain(summary);
  }
});

test("--version is package.json's", () => {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8"));
  expect(thaw(["--version"]).stdout).toBe(`${version}\n`);
});

test.each(Object.keys(commands))("%s: `help` and `--help` are the same", (name) => {
  const help = thaw([name, "--help"]);
  expect(help.status).toBe(0);
  expect(help.stdout).toMatch(new RegExp(`^Usage: thaw ${name} `));
  expect(thaw(["help", name]).stdout).toBe(help.stdout);
});

describe("wrong usage ends with 2 and says what was meant", () => {
  test.each([
    [["docter"], 'thaw: unknown command "docter"', "did you mean `thaw doctor`?"],
    [["help", "setpu"], 'thaw: unknown command "setpu"', "did you mean `thaw setup`?"],
    [["xyzzy"], 'thaw: unknown command "xyzzy"', "`thaw --help` lists the commands"],
    [["doctor", "--jsn"], "thaw: unknown option '--jsn'", "did you mean --json?"],
    [
      ["setup", "--zzzzzzzz"],
      "thaw: unknown option '--zzzzzzzz'",
      "`thaw setup --help` lists what there is",
    ],
    [
      ["doctor", "extra"],
      "thaw: too many arguments for 'doctor'. Expected 0 arguments but got 1.",
      "`thaw doctor --help` lists what there is",
    ],
  ])("%j", (args, what, hint) => {
    const { status, stdout, stderr } = thaw(args);
    expect(stderr).toBe(`${what}\n  → ${hint}\n`);
    expect([status, stdout]).toEqual([2, ""]);
  });

  test("no command: the help, on stderr", () => {
    const { status, stdout, stderr } = thaw([]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^Usage: thaw <command>/);
  });
});

test("a failing command ends with 1, its stack only with --debug", () => {
  const env = { THAW_LIBTORCH: "/nowhere" };
  const { status, stdout, stderr } = thaw(["setup"], env);
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^thaw: THAW_LIBTORCH=\/nowhere has no libtorch.*\n {2}→ .*\n$/);
  expect(thaw(["setup", "--debug"], env).stderr).toMatch(/\n {4}at /);
});

describe("doctor", () => {
  test("where nothing is set up: exit code 1, one JSON document, the reasons in it", () => {
    const { status, stdout, stderr } = thaw(["doctor", "--json"], { THAW_LIBTORCH: "/nowhere" });
    expect([status, stderr]).toEqual([1, ""]);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ usable: false, addon: null, libtorch: null, cache: home });
    expect(report.problems).toHaveLength(2);
    expect(report.problems[0].what).toContain("THAW_LIBTORCH=/nowhere");
  });

  test("for people: the chain, and the problems at the end with what to do", () => {
    const { status, stdout } = thaw(["doctor"], { THAW_LIBTORCH: "", LIBTORCH: "" });
    expect(status).toBe(1);
    expect(stdout).toMatch(/looking for libtorch\n {2}- THAW_LIBTORCH +not set\n/);
    expect(stdout).toMatch(/→ run `thaw setup`\nusable: no\n$/);
  });
});
