import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { readProfile } from "../src/run/profile.ts";
import { makeHome, type Outcome, startThaw, thaw } from "./support/thaw-process.ts";

let folder: string;
let out: string;
let env: { THAW_HOME: string };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-cli-profile-"));
  out = join(folder, "runs");
  env = await makeHome(join(folder, "home"), 400);
});
afterAll(() => rmSync(folder, { recursive: true }));

const profile = (...flags: string[]): Outcome =>
  thaw(
    [
      ...["profile", "--precision", "fp32", "--threads", "1", ...flags],
      ...(flags.includes("--into") ? [] : ["--out", out]),
    ],
    env,
  );

test("thaw profile: tables for people, files in the folder, the profile with --json", () => {
  const asked = [
    ...["--model", "simple_cnn", "--model", "resnet20_cifar", "--data", "fashion-mnist"],
    ...["--batch-size", "4,16", "--steps", "3", "--warmup", "1", "--trace", "1"],
  ];
  const { code, stdout, stderr } = profile(...asked);
  expect(stdout).toMatch(/^Training steps in fp32 on cpu, images of fashion-mnist$/m);
  expect(stdout).toMatch(/^ {2}simple_cnn +1x28x28 +1,555,850 +0\.031 G$/m);
  expect(stdout).toMatch(/^ {2}convolution +[\d.]+ +\d+\.\d %$/m);
  expect(stderr).toContain(`written to ${join(out, "profile")}: profile.json, trace.json`);
  expect(code).toBe(0);
  expect(readdirSync(join(out, "profile")).sort()).toEqual([
    ...["profile-operators.png", "profile-operators.svg", "profile-step.png", "profile-step.svg"],
    ...["profile-throughput.png", "profile-throughput.svg", "profile.json", "profile.md"],
    ...["resnet20_cifar.pt.trace.json", "simple_cnn.pt.trace.json", "trace.json"],
  ]);
  const again = profile(...asked, "--mode", "infer", "--batch-size", "4", "--json");
  expect(JSON.parse(again.stdout)).toEqual(readProfile(join(out, "profile")));
});

test.each([
  [["--data", "fashion-mnist"], "--model is missing"],
  [["--model", "resnet51"], 'unknown model "resnet51": did you mean resnet50?'],
  [["--model", "resnet18", "--input", "3x224"], '--input: "3x224" given; allowed: channels'],
  [["--model", "resnet18", "--mode", "test"], '--mode: "test" given; allowed: one of train, infer'],
  [["--model", "resnet18", "--batch-size", "0"], '--batch-size: "0" given'],
  [["--model", "resnet18", "--precision", "fp8"], '--precision: "fp8" given; allowed: one of auto'],
  [
    ["--model", "vit_tiny_patch16_224", "--input", "3x100x100"],
    "patches of 16×16 pixels do not fill 100×100",
  ],
  [
    ["--model", "resnet18", "--data", "fashion-mnist", "--input", "3x32x32"],
    "--data and --input: images are read or drawn, not both",
  ],
])("thaw profile %j is refused", (flags, message) => {
  const { code, stderr } = profile(...flags, "--into", join(folder, "refused"));
  expect(stderr).toContain(message);
  expect([code, existsSync(join(folder, "refused"))]).toEqual([2, false]);
});

test("Ctrl-C keeps what was measured, marked, with exit code 130", async () => {
  const into = join(folder, "interrupted");
  const { child, ended } = startThaw(
    [
      ...["profile", "--model", "simple_cnn", "--input", "3x32x32", "--batch-size", "1,64"],
      ...["--steps", "5000", "--seconds", "0.5", "--warmup", "1", "--into", into],
      ...["--precision", "fp32", "--threads", "1"],
    ],
    env,
  );
  // The first size is measured: the second one is under way.
  const watch = setInterval(() => {
    if (!existsSync(join(into, "profile.json"))) return;
    clearInterval(watch);
    child.kill("SIGINT");
  }, 20);
  const { code, stdout, stderr } = await ended;
  clearInterval(watch);
  expect(stderr).toContain("stopping after this step; what was measured is kept");
  expect(stdout).toMatch(/^Interrupted: this is what was measured until then\.$/m);
  expect(code).toBe(130);
  const kept = readProfile(into);
  expect(kept).toMatchObject({ status: "interrupted", models: [{ model: "simple_cnn" }] });
  expect(kept!.models[0]!.batches[0]).toMatchObject({ kind: "measured", batchSize: 1 });
  expect(existsSync(join(into, "profile.md"))).toBe(true);
});

describe("thaw train --profile", () => {
  const train = (name: string, ...flags: string[]) =>
    thaw(
      [
        ...["train", "--data", "fashion-mnist", "--model", "simple_cnn", "--name", name],
        ...["--train-size", "160", "--val-size", "40", "--batch-size", "16", "--epochs", "2"],
        ...["--out", out, "--precision", "fp32", "--threads", "1", ...flags],
      ],
      env,
    );

  it("profiles the run's own steps, and changes no number of them", () => {
    expect(train("with", "--profile", "4").code).toBe(0);
    expect(train("without").code).toBe(0);
    for (const file of ["metrics.jsonl", "steps.jsonl", "predictions.csv"]) {
      const [a, b] = ["with", "without"].map((name) => readFileSync(join(out, name, file), "utf8"));
      expect(a).toBe(b);
    }
    expect(existsSync(join(out, "without", "profile.json"))).toBe(false);
    const found = readProfile(join(out, "with"))!;
    expect(found).toMatchObject({ status: "finished", mode: "train", data: "fashion-mnist" });
    expect(found.models).toMatchObject([
      {
        ...{ model: "simple_cnn", input: [1, 28, 28], classes: 10 },
        batches: [{ batchSize: 16, steps: 4, warmup: 3 }],
        shares: { batchSize: 16 },
      },
    ]);
    // The epoch's last three steps without those of the first fifth of a second, which is one or, on a busy machine, two.
    expect([1, 2]).toContain(found.models[0]!.shares!.steps);
    expect(existsSync(join(out, "with", "trace.json"))).toBe(true);
  });

  it("is seen in the comparison", () => {
    const { code } = thaw(["report", join(out, "with"), join(out, "without"), "--out", out], env);
    expect(code).toBe(0);
    const html = readFileSync(join(out, "report.html"), "utf8");
    expect(html).toContain("<h2>Where the time goes</h2>");
    const markdown = readFileSync(join(out, "report.md"), "utf8");
    expect(markdown).toMatch(/## Where the time goes[^#]*\| with \| 16 \| [\d.]+ \([\d.]+\) \|/);
    expect(markdown).not.toMatch(/## Where the time goes[^#]*\| without \|/);
  });

  it("stands there with what thaw profile wrote beside the runs, or where it is told", () => {
    const report = (...flags: string[]) =>
      thaw(["report", join(out, "with"), "--out", out, "--into", folder, "--json", ...flags], env);
    const { profiles } = JSON.parse(report().stdout) as { profiles: string[] };
    expect(profiles).toEqual([join(out, "profile")]);
    const markdown = readFileSync(join(folder, "report.md"), "utf8");
    expect(markdown).toMatch(
      /## Profile\n\n- Forward passes in fp32[^#]*### Models\n[^#]*\| simple\\_cnn \|/,
    );
    // The run is of the other model.
    expect(markdown).not.toContain("resnet20");
    report("--profile", join(out, "profile", "profile.json"));
    expect(readFileSync(join(folder, "report.md"), "utf8")).toContain("| resnet20\\_cifar |");
    const { code, stderr } = report("--profile", out);
    expect(stderr).toContain(`${out}: there is no profile.json`);
    expect(code).toBe(2);
  });

  it("keeps a window that the run did not fill, marked", () => {
    expect(train("short", "--profile", "1000", "--epochs", "1").code).toBe(0);
    const found = readProfile(join(out, "short"))!;
    expect(found).toMatchObject({ status: "interrupted", models: [{ shares: null }] });
    expect(found.models[0]!.batches).toMatchObject([{ kind: "measured", steps: 7 }]);
  });

  it("is refused for a classical model", () => {
    const { code, stderr } = train("classical", "--profile", "--model", "logreg");
    expect(stderr).toContain("--profile: a classical model is trained in one go");
    expect(code).toBe(2);
  });
});
