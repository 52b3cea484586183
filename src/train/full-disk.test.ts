import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { fillDisk, mountSmallDisk, unmountSmallDisk } from "../../test/support/small-disk.ts";
import { ThawError } from "../errors.ts";
import { newestVerified } from "../run/checkpoint.ts";
import { parseConfig } from "../run/config-load.ts";
import { openRun } from "../run/read.ts";
import { liveTensors } from "../tensor/index.ts";
import { train } from "./index.ts";

const data = sampleSplits();
const folder = mkdtempSync(join(tmpdir(), "thaw-full-disk-"));
const disk = join(folder, "disk");
mkdirSync(disk);
const why = mountSmallDisk(disk, 64 * 2 ** 20);
if (why !== undefined) console.log(`full disk: skipped: ${why}`);
afterAll(() => {
  if (why === undefined) unmountSmallDisk(disk);
  rmSync(folder, { recursive: true });
});

let before: number;
beforeEach(() => {
  before = liveTensors();
});
afterEach(() => expect(liveTensors()).toBe(before));

const configOf = (out: string) =>
  parseConfig({
    ...{ data: "sample", model: "simple_cnn", epochs: 3, batchSize: 16, threads: 1 },
    ...{ precision: "fp32", dropout: 0.2, out, name: "a" },
  });
const outcome = (out: string) => [
  ...["metrics.jsonl", "steps.jsonl", "predictions.csv"].map((file) =>
    readFileSync(join(out, "a", file), "utf8"),
  ),
  readFileSync(join(out, "a", "checkpoints", "best.safetensors")).toString("base64"),
];

describe.skipIf(why !== undefined)("a disk that gets full while a run trains", () => {
  beforeAll(async () => {
    await train(configOf(folder), data);
  });
  afterEach(() => rmSync(join(disk, "a"), { recursive: true, force: true }));

  test.each([
    ["little is left: the next model file does not fit", 200_000],
    ["nothing is left: the summary cannot say so either", 0],
  ])("%s", async (_name, left) => {
    let free = () => {};
    const notes: string[] = [];
    const failing = train(configOf(disk), data, {
      onEpoch: ({ epoch }) => {
        if (epoch === 1) free = fillDisk(disk, left);
      },
      onNote: (text) => notes.push(text),
    });
    const error = await failing.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ThawError);
    const { message, hint } = error as ThawError;
    expect(message).toMatch(/^\/.*: the disk is full: \d+ bytes to write, \d+ free\./);
    expect(hint).toContain("Free some space");
    if (left > 0) expect(message).toMatch(/(best|step-000000008).*safetensors: the disk is full/);
    if (left > 0) expect(message).toMatch(/ is intact\.$/);

    // Nothing half written stays, and the first epoch's checkpoint is as good as it was.
    const checkpoints = join(disk, "a", "checkpoints");
    expect(readdirSync(checkpoints).sort()).toEqual(
      expect.arrayContaining(["best.safetensors", "step-000000004.safetensors"]),
    );
    expect(readdirSync(checkpoints).filter((file) => file.endsWith(".tmp"))).toEqual([]);
    expect(newestVerified(checkpoints)).toMatchObject({ checkpoint: { epoch: 1 }, rejected: [] });
    if (left > 0) expect(openRun("a", disk).summary!.status).toBe("failed");
    else expect(notes.join("\n")).toContain("summary.json");

    free();
    await train(configOf(disk), data, { resume: true });
    expect(openRun("a", disk).summary!.status).toBe("finished");
    expect(outcome(disk)).toEqual(outcome(folder));
  });
});
