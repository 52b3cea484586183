import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { stopAfter } from "../../test/support/stop-after.ts";
import { ThawError, UsageError } from "../errors.ts";
import { schedules } from "../optim/index.ts";
import { loadCheckpoint, newestVerified } from "../run/checkpoint.ts";
import type { TrainConfig, TrainConfigInput } from "../run/config.ts";
import { parseConfig } from "../run/config-load.ts";
import { openRun } from "../run/read.ts";
import { liveTensors, setThreads } from "../tensor/index.ts";
import { DivergedError, train } from "./index.ts";

const data = sampleSplits();
/** 60 images by 16: three whole batches and one of 12. */
const STEPS = 4;

let out: string;
let before: number;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "thaw-train-"));
  before = liveTensors();
});
afterEach(() => {
  rmSync(out, { recursive: true });
  expect(liveTensors()).toBe(before);
});

/** Everything random is in use. One thread: several of them wait for each other where cores are busy. */
const configOf = (more: Partial<TrainConfigInput> = {}): TrainConfig =>
  parseConfig({
    data: "sample",
    model: "simple_cnn",
    epochs: 3,
    batchSize: 16,
    precision: "fp32",
    threads: 1,
    dropout: 0.3,
    augment: { crop: 2, flip: true, rotation: 10 },
    warmupEpochs: more.sched === "plateau" ? undefined : 0.5,
    out,
    name: "a",
    ...more,
  });

/** Of where a run starts from, which it has before its first step. */
const START = "step-000000000.safetensors";

/** All of a run that must not depend on how it came about. */
function outcome(name: string): Record<string, unknown> {
  const dir = join(out, name);
  const checkpoints = join(dir, "checkpoints");
  const files = ["metrics.jsonl", "steps.jsonl", "predictions.csv", "confusion_matrix.csv"];
  const newest = newestVerified(checkpoints).checkpoint!;
  const tensors = [...newest.tensors].map(([key, { bytes }]) => [key, sha256(bytes)]);
  const { best, test: result, status } = openRun(name, out).summary!;
  return {
    ...Object.fromEntries(files.map((file) => [file, readFileSync(join(dir, file), "utf8")])),
    last: [newest.step, newest.epoch, newest.state, Object.fromEntries(tensors)],
    // The metadata of the file has the run's name; only the tensors are compared.
    best: bestTensors(name),
    summary: { best, result, status },
  };
}

function bestTensors(name: string): string {
  const bytes = readFileSync(join(out, name, "checkpoints", "best.safetensors"));
  return sha256(bytes.subarray(8 + Number(bytes.readBigUInt64LE(0))));
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const metrics = (name: string): string => readFileSync(join(out, name, "metrics.jsonl"), "utf8");

test.each([
  ["loss", "min", "valLoss"],
  ["accuracy", "max", "valAccuracy"],
] as const)(
  "a plateau goes by the %s where that is asked for",
  async (plateauMetric, mode, key) => {
    const own = { sched: "plateau", patienceEpochs: 0, decayRate: 0.5, epochs: 5 } as const;
    // At this rate both go up and down.
    await train(configOf({ ...own, plateauMetric, lr: 0.02 }), data);
    const lines = metrics("a")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { lr: number; valLoss: number; valAccuracy: number });
    const schedule = schedules.plateau({ mode, factor: 0.5, patience: 0 });
    const rates = lines.map((line) => {
      const rate = 0.02 * schedule.at(0);
      schedule.observe(line[key]);
      return rate;
    });
    expect(lines.map(({ lr }) => lr)).toEqual(rates);
    expect(rates.at(-1)).toBeLessThan(0.02);
  },
);

describe("a resumed run is the uninterrupted one, to the bit", () => {
  const cases: [string, Partial<TrainConfigInput>][] = [
    ["fp32, adam, cosine", { precision: "fp32" }],
    ["bf16, adam, cosine", { precision: "bf16" }],
    [
      "fp32, sgd with momentum, plateau",
      { opt: "sgd", lr: 0.02, nesterov: true, sched: "plateau", patienceEpochs: 0, clipGrad: 1 },
    ],
    [
      "fp32, images changed in every way and mixed",
      {
        ...{ aa: "trivialaugmentwide", colorJitter: [0.4], affine: { degrees: 5 } },
        ...{ reprob: 0.5, remode: "pixel", mixup: 0.4, cutmix: 1, smoothing: 0.1 },
      },
    ],
    [
      "updates of three batches, moving averages, class weights",
      { gradAccumSteps: 3, modelEma: true, modelEmaDecay: 0.9, classWeights: "balanced" },
    ],
  ];
  // At an epoch's end, and before the one small batch of the next.
  const stops = [STEPS, 2 * STEPS - 1];

  test.each(cases)("%s", async (_name, more) => {
    await train(configOf(more), data);
    const whole = outcome("a");
    for (const steps of stops) {
      const name = `stopped-at-${steps}`;
      const config = configOf({ ...more, name });
      const { summary } = await train(config, data, stopAfter(steps));
      expect(summary).toMatchObject({ status: "interrupted", test: null });
      await train(config, data, { resume: true });
      expect(outcome(name)).toEqual(whole);
    }
  });

  test("stopped after every second step, two threads", async () => {
    const config = configOf({ epochs: 2, checkpointEvery: 2, threads: 2 });
    await train(config, data);
    const whole = outcome("a");
    const pieces = { ...config, name: "pieces" };
    let { summary } = await train(pieces, data, stopAfter(2));
    let resumed = 0;
    while (summary.status === "interrupted") {
      ({ summary } = await train(pieces, data, { resume: true, ...stopAfter(2) }));
      resumed++;
    }
    // After the last step there are the last validation and the test images to stop at.
    expect(resumed).toBe(4);
    expect(outcome("pieces")).toEqual(whole);
  });

  test("from the checkpoint before, where the newest is damaged, which is said", async () => {
    const config = configOf();
    await train(config, data);
    const whole = outcome("a");
    const damaged = configOf({ name: "damaged" });
    await train(damaged, data, stopAfter(2 * STEPS + 1));
    const folder = join(out, "damaged", "checkpoints");
    const newest = newestVerified(folder).checkpoint!;
    const bytes = readFileSync(newest.path);
    bytes[bytes.length - 9]! ^= 1;
    writeFileSync(newest.path, bytes);
    const notes: string[] = [];
    await train(damaged, data, { resume: true, onNote: (text) => notes.push(text) });
    expect(notes.join("\n")).toContain("step-000000009.safetensors was passed over");
    expect(outcome("damaged")).toEqual(whole);
  });
});

describe("the seed", () => {
  test("the same twice gives the same bytes, another one other numbers", async () => {
    await train(configOf(), data);
    await train(configOf({ name: "again" }), data);
    await train(configOf({ name: "other", seed: 43 }), data);
    expect(outcome("again")).toEqual(outcome("a"));
    expect(metrics("other")).not.toBe(metrics("a"));
    expect(bestTensors("other")).not.toBe(bestTensors("a"));
  });
});

test("training learns: the best epoch is better than chance and is the model that is judged", async () => {
  const config = configOf({ epochs: 8, dropout: 0, augment: {}, lr: 0.003 });
  const { summary } = await train(config, data);
  expect(summary.best!.valAccuracy).toBeGreaterThan(0.8);
  expect(summary.test!.accuracy).toBeGreaterThan(0.7);
});

test("early stopping ends the run, says why, and resuming it does not train on", async () => {
  // A rate this low changes no prediction: no epoch after the first is better by accuracy.
  const config = configOf({ epochs: 20, lr: 1e-12, dropout: 0, patience: 2 });
  const { summary } = await train(config, data);
  expect(summary).toMatchObject({ status: "finished", reason: "no better epoch in 2" });
  expect(summary.epochs).toBeLessThan(20);
  const whole = outcome("a");
  await train(config, data, { resume: true });
  expect(outcome("a")).toEqual(whole);
});

describe("a stop after an epoch's last step", () => {
  test("leaves its validation to the resumed run, which trains on no image again", async () => {
    const config = configOf({ checkpointEvery: 10 });
    await train({ ...config, name: "whole" }, data);
    const { summary } = await train(config, data, stopAfter(STEPS));
    expect(summary).toMatchObject({ status: "interrupted", reason: "interrupted in epoch 1" });
    const { checkpoint } = newestVerified(join(out, "a", "checkpoints"));
    expect(checkpoint).toMatchObject({ step: STEPS, epoch: 0, samplePosition: data.train.count });
    let steps = 0;
    await train(config, data, { resume: true, onStep: () => void steps++ });
    expect(steps).toBe((config.epochs - 1) * STEPS);
    expect(outcome("a")).toEqual(outcome("whole"));
  });

  test("and after the run's last step leaves the test images to it", async () => {
    const config = configOf({ epochs: 2 });
    await train({ ...config, name: "whole" }, data);
    const controller = new AbortController();
    const onEpoch = ({ epoch }: { epoch: number }) => epoch === 2 && controller.abort();
    const { summary } = await train(config, data, { signal: controller.signal, onEpoch });
    expect(summary).toMatchObject({ reason: "interrupted after the last epoch", test: null });
    await train(config, data, { resume: true });
    expect(outcome("a")).toEqual(outcome("whole"));
  });
});

describe("a run that is stopped before its first step", () => {
  test("has a checkpoint, and the run that goes on from it is the uninterrupted one", async () => {
    const config = configOf({ epochs: 2, modelEma: true });
    await train({ ...config, name: "whole" }, data);
    const controller = new AbortController();
    const onStart = () => controller.abort();
    const { summary } = await train(config, data, { signal: controller.signal, onStart });
    expect(summary).toMatchObject({ status: "interrupted", epochs: 0, best: null });
    expect(newestVerified(join(out, "a", "checkpoints")).checkpoint).toMatchObject({ step: 0 });
    const notes: string[] = [];
    await train(config, data, { resume: true, onNote: (text) => void notes.push(text) });
    expect(notes).toEqual([]);
    expect(outcome("a")).toEqual(outcome("whole"));
  });

  test("leaves nothing where it was stopped before it was begun", async () => {
    const stopped = train(configOf({ name: "never" }), data, { signal: AbortSignal.abort() });
    await expect(stopped).rejects.toMatchObject({ stop: "interrupted", exitCode: 130 });
    expect(existsSync(join(out, "never"))).toBe(false);
  });
});

test("accumulated gradients are stepped with before a stop", async () => {
  const config = configOf({ epochs: 2, gradAccumSteps: 3 });
  await train({ ...config, name: "whole" }, data);
  await train(config, data, stopAfter(1));
  expect(newestVerified(join(out, "a", "checkpoints")).checkpoint).toMatchObject({ step: 1 });
  await train(config, data, { resume: true });
  expect(outcome("a")).toEqual(outcome("whole"));
});

describe("what cannot be resumed", () => {
  test("another config: refused, the run as it was", async () => {
    await train(configOf(), data, stopAfter(STEPS + 1));
    const other = configOf({ lr: 0.5 });
    await expect(train(other, data, { resume: true })).rejects.toThrow(UsageError);
    const taught = configOf({ lr: 0.5, modelEma: true });
    await expect(train(other, data, { resume: true })).rejects.toThrow(
      "a was trained with a different config: lr is 0.01 there, 0.5 given",
    );
    await expect(train(taught, data, { resume: true })).rejects.toThrow(
      /lr is 0\.01 there, 0\.5 given; modelEma is not set there, true given; modelEmaDecay is not/,
    );
    expect(openRun("a", out).summary!.status).toBe("interrupted");
  });

  test("--exact refuses where the bits could differ; without it that is a note", async () => {
    const { threads: _, ...config } = configOf();
    setThreads(2);
    await train(config, data, stopAfter(STEPS + 1));
    setThreads(1);
    const differs = "not be the same to the last bit: threads: 2 when saved, 1 now";
    const exact = train({ ...config, exact: true }, data, { resume: true });
    await expect(exact).rejects.toThrow(`--exact: the resumed run will ${differs}`);
    expect(openRun("a", out).summary!.status).toBe("interrupted");
    const notes: string[] = [];
    await train(config, data, { resume: true, onNote: (text) => notes.push(text) });
    expect(notes.join("\n")).toContain(differs);
  });

  test("--exact where nothing differs goes on, though the run was begun without it", async () => {
    await train(configOf(), data, stopAfter(STEPS + 1));
    const { summary } = await train(configOf({ exact: true }), data, { resume: true });
    expect(summary.status).toBe("finished");
  });
});

describe("training that diverges", () => {
  const wild: Partial<TrainConfigInput> = { opt: "sgd", dropout: 0, warmupEpochs: 0 };

  test("at once: step and learning rate are said, nothing is kept as good", async () => {
    const config = configOf({ ...wild, lr: 1e6, sched: "constant" });
    await expect(train(config, data)).rejects.toThrow(DivergedError);
    const { summary } = openRun("a", out);
    expect(summary).toMatchObject({ status: "failed", epochs: 0, best: null });
    expect(summary!.reason).toMatch(
      /^training diverged: .* at step \d+ \(epoch 1\), learning rate 1\.00e\+6$/,
    );
    expect(readdirSync(join(out, "a", "checkpoints"))).toEqual([START]);
  });

  test("later: the last good checkpoint loads and has only numbers", async () => {
    // A decay this strong multiplies the weights by 1.5 in the first step and by 28 in the twelfth.
    const grows = { lr: 1, weightDecay: 30, clipGrad: 1e-3, warmupEpochs: 3, epochs: 6 };
    const failing = train(configOf({ ...wild, ...grows }), data);
    await expect(failing).rejects.toThrow(/diverged: .*learning rate/);
    const { summary, epochs } = openRun("a", out);
    expect(summary!.status).toBe("failed");
    const { checkpoint, rejected } = newestVerified(join(out, "a", "checkpoints"));
    expect(rejected).toEqual([]);
    expect(checkpoint!.epoch).toBe(epochs.length);
    expect(checkpoint!.epoch).toBeGreaterThan(0);
    for (const { dtype, bytes } of loadCheckpoint(checkpoint!.path).tensors.values()) {
      if (dtype !== "F32") continue;
      expect(new Float32Array(bytes.slice().buffer).every(Number.isFinite)).toBe(true);
    }
  });
});

test("weights that a step has made infinite are not kept, though its loss was a number", async () => {
  // The decay alone moves each weight by 1e41 times its value.
  const config = configOf({
    ...{ opt: "sgd", sched: "constant", warmupEpochs: 0, dropout: 0 },
    ...{ lr: 1e38, weightDecay: 1e3 },
  });
  await expect(train(config, data, stopAfter(1))).rejects.toThrow(
    /diverged: conv1\.weight is no longer finite at step 1 \(epoch 1\), learning rate 1\.00e\+38/,
  );
  expect(openRun("a", out).summary).toMatchObject({ status: "failed", epochs: 0, best: null });
  expect(readdirSync(join(out, "a", "checkpoints"))).toEqual([START]);
});

describe("two that would write one run", () => {
  test("the second is refused and names the first, which goes on undisturbed", async () => {
    await train(configOf(), data);
    const whole = outcome("a");
    const config = configOf({ name: "b" });
    const refused: Promise<unknown>[] = [];
    await train(config, data, {
      onEpoch: ({ epoch }) => {
        if (epoch > 1) return;
        for (const how of [{ resume: true }, { overwrite: true }]) {
          refused.push(train(config, data, how).catch((error: unknown) => error));
        }
      },
    });
    for (const error of await Promise.all(refused)) {
      expect(error).toBeInstanceOf(ThawError);
      expect(String(error)).toContain(`the run b is being written by process ${process.pid} `);
    }
    expect(outcome("b")).toEqual(whole);
    expect(readdirSync(out).sort()).toEqual(["a", "b"]);
  });
});

test("a run of a single step can have a cycle of the learning rate", async () => {
  const more = { sched: "onecycle", warmupEpochs: undefined, epochs: 1, batchSize: 60 } as const;
  const { summary } = await train(configOf(more), data);
  expect(summary).toMatchObject({ status: "finished", epochs: 1 });
});

test("a run that is trained on has no results yet", async () => {
  await train(configOf(), data, stopAfter(STEPS));
  writeFileSync(join(out, "a", "predictions.csv"), "of an evaluation in between");
  await train(configOf(), data, { resume: true, ...stopAfter(1) });
  expect(readdirSync(join(out, "a"))).not.toContain("predictions.csv");
});

describe("no tensor outlives train()", () => {
  test("after an error thrown by a listener in the middle of an epoch", async () => {
    const listener = () => {
      throw new Error("no more");
    };
    await expect(train(configOf(), data, { onStep: listener })).rejects.toThrow("no more");
    expect(openRun("a", out).summary).toMatchObject({ status: "failed", reason: "no more" });
    expect(liveTensors()).toBe(before);
  });
});
