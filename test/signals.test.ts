import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newestVerified } from "../src/run/checkpoint.ts";
import { openRun } from "../src/run/read.ts";
import { makeHome, type Outcome, startThaw } from "./support/thaw-process.ts";

let folder: string;
let out: string;
let env: { THAW_HOME: string };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-signals-"));
  out = join(folder, "runs");
  env = await makeHome(join(folder, "home"), 3000);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A run whose batches, of images in memory, come far faster than its steps on one thread. */
const trainArgs = (name: string, ...flags: string[]): string[] => [
  ...["train", "--data", "fashion-mnist", "--model", "simple_cnn", "--out", out, "--name", name],
  ...["--epochs", "2", "--train-size", "1280", "--val-size", "40", "--test-size", "40"],
  ...["--batch-size", "64", "--precision", "fp32", "--threads", "1", ...flags],
];

const linesOf = (file: string): number =>
  existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0;
const stepsOf = (name: string): number => linesOf(join(out, name, "steps.jsonl"));

/** Starts a process and calls `act` once, as soon as `isDue`. */
async function whenDue(
  args: readonly string[],
  isDue: (stderr: string) => boolean,
  act: (child: ChildProcess) => void,
): Promise<Outcome> {
  let said = "";
  const { child, ended } = startThaw(args, env, (stderr) => {
    said = stderr;
  });
  const timer = setInterval(() => {
    if (!isDue(said)) return;
    clearInterval(timer);
    act(child);
  }, 2);
  try {
    return await ended;
  } finally {
    clearInterval(timer);
  }
}

describe("a signal while the loader is ahead of the steps", () => {
  test.each([
    ["SIGINT", 130, "interrupted"],
    ["SIGTERM", 75, "preempted"],
    ["SIGUSR1", 75, "preempted"],
  ] as const)("%s ends training within two steps: exit code %i", async (signal, code, status) => {
    let sentAt = 0;
    const { code: ended } = await whenDue(
      trainArgs(signal),
      () => stepsOf(signal) >= 3,
      (child) => {
        child.kill(signal);
        sentAt = stepsOf(signal);
      },
    );
    expect(ended).toBe(code);
    // The one under way, and one more.
    expect(stepsOf(signal)).toBeLessThanOrEqual(sentAt + 2);
    const { summary } = openRun(signal, out);
    expect(summary).toMatchObject({ status, reason: `${status} in epoch 1`, test: null });
    const { checkpoint } = newestVerified(join(out, signal, "checkpoints"));
    expect(checkpoint).toMatchObject({ epoch: 0, step: stepsOf(signal) });
  });

  test("two that come at the same moment, as npm sends them, still leave a checkpoint", async () => {
    const { code, stderr } = await whenDue(
      trainArgs("twice"),
      () => stepsOf("twice") >= 2,
      (child) => {
        child.kill("SIGINT");
        child.kill("SIGINT");
      },
    );
    expect(code).toBe(130);
    expect(stderr).toContain("go on with: thaw train --resume");
    const { checkpoint } = newestVerified(join(out, "twice", "checkpoints"));
    expect(checkpoint!.step).toBe(stepsOf("twice"));
  });

  test("a second Ctrl-C ends at once; the checkpoint of the start is whole, and the record says so", async () => {
    // An update of all batches is finished before a checkpoint could be made.
    const args = trainArgs("again", "--grad-accum-steps", "20");
    let sent = 0;
    const { code, stderr } = await whenDue(
      args,
      (said) => {
        if (sent === 0) return / parameters; /.test(said);
        return said.includes("stopping after this step");
      },
      function act(child) {
        child.kill("SIGINT");
        if (++sent > 1) return;
        const timer = setInterval(() => {
          if (existsSync(join(out, "again", "summary.json"))) {
            const { status } = openRun("again", out).summary ?? {};
            if (status !== "interrupted") return;
            clearInterval(timer);
            child.kill("SIGINT");
          }
        }, 2);
        child.once("close", () => clearInterval(timer));
      },
    );
    expect(code).toBe(130);
    expect(stderr).not.toContain("go on with");
    expect(stepsOf("again")).toBe(0);
    expect(openRun("again", out).summary).toMatchObject({ status: "interrupted" });
    const { checkpoint, rejected } = newestVerified(join(out, "again", "checkpoints"));
    expect([checkpoint!.step, rejected]).toEqual([0, []]);
  });

  test("ends validation too, after a checkpoint of the epoch's last step", async () => {
    const flags = ["--train-size", "64", "--val-size", "2900", "--epochs", "1"];
    const { code } = await whenDue(
      trainArgs("validating", ...flags),
      () => stepsOf("validating") === 1,
      (child) => child.kill("SIGTERM"),
    );
    expect(code).toBe(75);
    const { checkpoint } = newestVerified(join(out, "validating", "checkpoints"));
    expect(checkpoint).toMatchObject({ epoch: 0, step: 1, samplePosition: 64 });
    expect(openRun("validating", out).epochs).toEqual([]);
  });
});

test("a grid of classical fits ends at the fit under way, and the record says why", async () => {
  const args = [
    ...["train", "--data", "fashion-mnist", "--model", "logreg", "--out", out, "--name", "grid"],
    ...["--train-size", "600", "--test-size", "40", "--threads", "1"],
    ...["--grid", "C=0.01,0.02,0.05,0.1,0.2,0.5,1,2,5,10"],
  ];
  const { code, stderr } = await whenDue(
    args,
    (said) => said.includes("fold 1"),
    (child) => child.kill("SIGINT"),
  );
  expect([code, stderr]).toEqual([130, expect.stringContaining("fit it again with --overwrite")]);
  expect(stderr.split("fold").length).toBeLessThan(20);
  expect(openRun("grid", out).summary).toMatchObject({ status: "interrupted", test: null });
});
