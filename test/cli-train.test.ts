import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { builtinDatasets } from "../src/data/datasets/registry.ts";
import { newestVerified } from "../src/run/checkpoint.ts";
import { openRun } from "../src/run/read.ts";
import { makeHome, type Outcome, startThaw, thaw } from "./support/thaw-process.ts";

let folder: string;
let env: { THAW_HOME: string };
let out: string;
let runs = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-cli-train-"));
  env = await makeHome(join(folder, "home"), 400);
});
beforeEach(() => {
  out = join(folder, `runs-${++runs}`);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** `thaw train` of a tiny run; later flags win. */
const trainArgs = (...flags: string[]): string[] => [
  ...["train", "--data", "fashion-mnist", "--model", "simple_cnn", "--out", out, "--name", "a"],
  ...["--epochs", "1", "--train-size", "64", "--val-size", "40", "--test-size", "40"],
  ...["--batch-size", "32", "--precision", "fp32", "--threads", "1", ...flags],
];
const run = (...flags: string[]): Outcome => thaw(trainArgs(...flags), env);

describe("wrong usage: exit code 2, what is meant, and nothing in --out", () => {
  test.each([
    [
      ["--model", "simple_cn"],
      'thaw: unknown model "simple_cn": did you mean simple_cnn?',
      "→ models: ",
    ],
    [
      ["--data", "fashion-mnits"],
      "thaw: --data fashion-mnits: there is no such data set",
      "did you mean fashion-mnist?",
    ],
    [["--epoch", "3"], "thaw: unknown option '--epoch'", "did you mean --epochs?"],
    [
      ["--batch-size", "0"],
      "thaw: --batch-size: 0 given; allowed: a whole number at least 1",
      "`thaw train --help`",
    ],
    [
      ["--epochs", "-3"],
      "thaw: --epochs: -3 given; allowed: a whole number at least 1",
      "`thaw train --help`",
    ],
    [["--lr", "fast"], '"fast" given; allowed: a number', ""],
    [["--lr", "NaN"], '"NaN" given; allowed: a number', ""],
    [["--opt", "adm"], '"adm" given; allowed: one of sgd, adam, adamw', "adam"],
    [["--train-size", "100000"], "thaw: --train-size 100000", "→"],
  ])("%j", (flags, what, hint) => {
    const { code, stdout, stderr } = run(...flags);
    expect(stderr).toContain(what);
    expect(stderr).toContain(hint);
    expect(stderr).not.toContain("    at ");
    expect([code, stdout, existsSync(out)]).toEqual([2, "", false]);
  });

  test("a config file with keys that are not known: the path and the nearest key, all of them at once", () => {
    const file = join(folder, "wrong.yaml");
    writeFileSync(file, "batchsize: 32\naugment:\n  flp: true\nlr: quick\n");
    const { code, stderr } = run("--config", file);
    expect(stderr).toContain(`${file}: batchsize: unknown key; did you mean batchSize?`);
    expect(stderr).toContain(`${file}: augment.flp: unknown key; did you mean flip?`);
    expect(stderr).toContain(`${file}: lr: "quick" given; allowed: a number`);
    expect([code, existsSync(out)]).toEqual([2, false]);
  });

  test("--resume of a run that is not there names those that are", () => {
    expect(run("--name", "there").code).toBe(0);
    const { code, stderr } = thaw(["train", "--resume", "thre", "--out", out], env);
    expect(stderr).toContain("thaw: thre: no run of this name");
    expect(stderr).toContain(`Runs in ${out}: there`);
    expect([code, readdirSync(out)]).toEqual([2, ["there"]]);
  });
});

test("a finished run is not replaced without --overwrite, and with it is", () => {
  expect(run().code).toBe(0);
  const before = readFileSync(join(out, "a", "summary.json"), "utf8");
  const { code, stderr } = run("--seed", "1");
  expect(stderr).toContain("thaw: the run a is finished");
  expect(stderr).toContain("--overwrite to replace it");
  expect(code).toBe(2);
  expect(readFileSync(join(out, "a", "summary.json"), "utf8")).toBe(before);
  expect(run("--seed", "1", "--overwrite").code).toBe(0);
  expect(openRun("a", out).summary).toMatchObject({ status: "finished", seed: 1 });
  expect(readdirSync(out)).toEqual(["a"]);
});

describe("a data set that is damaged", () => {
  const [artifact] = builtinDatasets["fashion-mnist"].artifacts;
  const { file } = artifact!.packings[0]!;

  test.each([
    ["cut off", gzipSync(Buffer.alloc(100_000, "thaw")).subarray(0, 150)],
    ["other bytes", gzipSync(Buffer.from("not these images"))],
  ])("in the mirror (%s): names file and checksums, keeps nothing of it", async (what, bytes) => {
    const mirror = join(folder, `mirror ${what}`);
    mkdirSync(mirror);
    writeFileSync(join(mirror, file), bytes);
    const home = join(folder, `home ${what}`);
    const { code, stderr } = thaw(trainArgs(), { ...(await makeHome(home)), THAW_MIRROR: mirror });
    expect(stderr).toContain(join(mirror, file));
    expect(stderr).toMatch(/packed file: expected md5 [0-9a-f]{32}.*, found md5 [0-9a-f]{32}/);
    expect(stderr).toContain(`replace that file by a good copy (${artifact!.url})`);
    expect([code, existsSync(out)]).toEqual([1, false]);
    expect(readdirSync(join(home, "datasets", "fashion-mnist"))).not.toContain(file);
    expect(existsSync(join(home, "datasets", "fashion-mnist", "decoded.thawdata"))).toBe(false);
  });
});

test("training that diverges: exit code 1, step and learning rate, status failed", () => {
  const { code, stderr } = run("--opt", "sgd", "--lr", "1e6", "--epochs", "3");
  expect(stderr).toMatch(
    /thaw: training diverged: .*step \d+ \(epoch \d+\), learning rate [\d.e+]+\n/,
  );
  expect(stderr).toMatch(/→ .*a lower --lr/);
  expect(code).toBe(1);
  const { summary } = openRun("a", out);
  expect(summary).toMatchObject({ status: "failed" });
  expect(summary!.reason).toMatch(/step \d+/);
});

describe("a signal", () => {
  /** Sends it once the first epoch is done. */
  const interrupted = async (signal: NodeJS.Signals): Promise<Outcome> => {
    let sent = false;
    const flags = ["--epochs", "6", "--checkpoint-every", "9", "--train-size", "256"];
    return startThaw(trainArgs(...flags), env, (stderr, child) => {
      if (sent || !/^epoch 1 /m.test(stderr)) return;
      sent = true;
      child.kill(signal);
    }).ended;
  };

  test.each([
    ["SIGINT", 130, "interrupted"],
    ["SIGTERM", 75, "preempted"],
  ] as const)(
    "%s: a checkpoint, exit code %i, status %s, and the run goes on from there",
    async (signal, code, status) => {
      const outcome = await interrupted(signal);
      expect(outcome.stderr).toContain(`go on with: thaw train --resume ${join(out, "a")}`);
      expect(outcome.code).toBe(code);
      const { summary, epochs } = openRun("a", out);
      expect(summary).toMatchObject({ status, test: null });
      const { checkpoint } = newestVerified(join(out, "a", "checkpoints"));
      expect(checkpoint!.epoch).toBe(epochs.length);
      expect(checkpoint!.step).toBeGreaterThanOrEqual(8);

      const resumed = thaw(["train", "--resume", join(out, "a"), "--json"], env);
      expect(resumed.code).toBe(0);
      expect(JSON.parse(resumed.stdout)).toMatchObject({ status: "finished", epochs: 6 });
      expect(openRun("a", out).epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6]);
    },
  );
});

describe("thaw evaluate", () => {
  beforeAll(() => {
    out = join(folder, "evaluated");
    expect(run().code).toBe(0);
  });
  beforeEach(() => {
    out = join(folder, "evaluated");
  });
  const evaluate = (...flags: string[]): Outcome =>
    thaw(["evaluate", "a", "--out", out, ...flags], env);

  test("--json gives the summary's numbers; --fail-under below them passes", () => {
    const { summary } = openRun("a", out);
    const { code, stdout, stderr } = evaluate("--json", "--fail-under", "0");
    expect(JSON.parse(stdout)).toEqual({ run: join(out, "a"), ...summary!.test });
    expect([code, stderr]).toEqual([0, ""]);
  });

  test("the picture of the confusion matrix is drawn of what was found", () => {
    rmSync(join(out, "a", "confusion_matrix.png"));
    expect(evaluate().code).toBe(0);
    expect(existsSync(join(out, "a", "confusion_matrix.png"))).toBe(true);
  });

  test("--fail-under above them: exit code 3, and the result is printed all the same", () => {
    const { code, stdout, stderr } = evaluate("--fail-under", "1");
    expect(stdout).toContain("accuracy");
    expect(stderr).toContain("below the required 100.00 %");
    expect(code).toBe(3);
  });

  test.each([
    [["--fail-under", "93"], 'thaw: --fail-under: "93" given; allowed: a number from 0 to 1'],
    [["--precision", "half"], '"half" given; allowed: one of auto, fp32, bf16, fp16'],
  ])("%j is refused with exit code 2", (flags, what) => {
    const { code, stderr } = evaluate(...flags);
    expect(stderr).toContain(what);
    expect(code).toBe(2);
  });
});
