import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RandomStream, seedStream } from "../src/data/random.ts";
import { parseTemporary } from "../src/platform/temporary.ts";
import { makeHome, startThaw } from "./support/thaw-process.ts";

/** `npm run campaign` kills more often. */
const KILLS = process.env["THAW_CAMPAIGN"] === "1" ? 50 : 12;
/** Chains of killed and resumed processes that run side by side, one on each of two cores. */
const CHAINS = 2;
const EPOCHS = 4;

let folder: string;
let env: { THAW_HOME: string };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "thaw-kill-"));
  env = await makeHome(join(folder, "home"), 400);
});
afterAll(() => rmSync(folder, { recursive: true }));

const trainArgs = (out: string): string[] => [
  ...["train", "--data", "fashion-mnist", "--model", "simple_cnn", "--out", out, "--name", "a"],
  ...["--epochs", String(EPOCHS), "--train-size", "96", "--val-size", "40", "--test-size", "40"],
  ...["--batch-size", "32", "--threads", "1", "--dropout", "0.2", "--augment-flip", "--overwrite"],
];

/** What must be the same however often the run was killed: the best model's tensors, and what was measured. */
function outcome(dir: string): Record<string, string> {
  const best = readFileSync(join(dir, "checkpoints", "best.safetensors"));
  const summary = JSON.parse(readFileSync(join(dir, "summary.json"), "utf8"));
  return {
    best: createHash("sha256").update(best).digest("hex"),
    metrics: readFileSync(join(dir, "metrics.jsonl"), "utf8"),
    steps: readFileSync(join(dir, "steps.jsonl"), "utf8"),
    predictions: readFileSync(join(dir, "predictions.csv"), "utf8"),
    summary: JSON.stringify([summary.status, summary.epochs, summary.best, summary.test]),
  };
}

/** What a killed process was at, by what it left behind. */
function phaseOf(dir: string, pid: number, begun: boolean): string {
  const files = existsSync(dir) ? readdirSync(dir) : [];
  const checkpoints = existsSync(join(dir, "checkpoints"))
    ? readdirSync(join(dir, "checkpoints"))
    : [];
  const temp = [...files, ...checkpoints].find((file) => parseTemporary(file)?.owner.pid === pid);
  if (temp !== undefined)
    return temp.includes("safetensors") ? "writing a checkpoint" : "writing the record";
  if (!begun) return "starting";
  const read = (file: string) =>
    files.includes(file) ? readFileSync(join(dir, file), "utf8") : "";
  if (read("summary.json").includes('"finished"')) return "drawing curves";
  const epochs = read("metrics.jsonl").split("\n").length - 1;
  return epochs === EPOCHS ? "finishing" : "training";
}

/** An uninterrupted run; returns how long its process lived, in milliseconds. */
async function reference(name: string): Promise<number> {
  const started = performance.now();
  const { code, stderr } = await startThaw(trainArgs(join(folder, name)), env).ended;
  expect([code, stderr]).toEqual([0, expect.stringContaining("test accuracy")]);
  return performance.now() - started;
}

interface Tally {
  kills: number;
  finished: number;
  readonly phases: Map<string, number>;
}

/** Kills runs in `out` until the tally is full, each resumed until it ends, and compares every end. */
async function killAndResume(
  out: string,
  random: RandomStream,
  lifetime: number,
  tally: Tally,
  whole: Record<string, string>,
): Promise<void> {
  const dir = join(out, "a");
  let fresh = true;
  while (tally.kills < KILLS || !fresh) {
    // A kill before the run's folder is complete leaves nothing to resume.
    const resumable = !fresh && existsSync(join(dir, "config.json"));
    const args = resumable ? ["train", "--resume", "a", "--out", out] : trainArgs(out);
    let begun = false;
    let enoughKilled = tally.kills >= KILLS;
    const { child, ended } = startThaw(args, env, (stderr) => {
      begun ||= / parameters; /.test(stderr);
    });
    // A third at any time, the others after most of the start, where more can be lost. The last part is
    // the drawing of the curves, which resumed processes come to early enough.
    const from = random.int(0, 3) === 0 ? 0 : 0.4;
    const delay = lifetime * random.uniform(from, 0.85);
    const timer = setTimeout(() => {
      if (enoughKilled) return;
      enoughKilled = true;
      child.kill("SIGKILL");
    }, delay);
    const { code, stderr } = await ended;
    clearTimeout(timer);
    fresh = false;
    if (code === null) {
      tally.kills++;
      const phase = phaseOf(dir, child.pid!, begun);
      tally.phases.set(phase, (tally.phases.get(phase) ?? 0) + 1);
      continue;
    }
    expect([code, stderr]).toEqual([0, expect.stringContaining("test accuracy")]);
    expect(outcome(dir)).toEqual(whole);
    tally.finished++;
    fresh = true;
  }
}

test(`after ${KILLS} kills at any moment, every resumed run ends as the uninterrupted one`, {
  timeout: 900_000,
}, async () => {
  // Side by side, as the chains will be, and after one that warms the caches up.
  await reference("first");
  const [one, two] = await Promise.all([reference("one"), reference("two")]);
  const whole = outcome(join(folder, "one", "a"));
  expect(outcome(join(folder, "two", "a"))).toEqual(whole);
  const lifetime = Math.min(one, two);

  const tally: Tally = { kills: 0, finished: 0, phases: new Map() };
  await Promise.all(
    Array.from({ length: CHAINS }, (_, chain) =>
      killAndResume(
        join(folder, `chain-${chain}`),
        seedStream(50, `kill/${chain}`),
        lifetime,
        tally,
        whole,
      ),
    ),
  );
  const phases = [...tally.phases].map(([phase, count]) => `${count} ${phase}`).join(", ");
  console.log(`${tally.kills} kills (${phases}), ${tally.finished} runs finished, all the same`);
  expect(tally.kills).toBeGreaterThanOrEqual(KILLS);
  expect(tally.finished).toBeGreaterThanOrEqual(CHAINS);
});
