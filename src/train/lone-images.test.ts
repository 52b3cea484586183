import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { stopAfter } from "../../test/support/stop-after.ts";
import { batchCount, batchRows } from "../data/epoch-batches.ts";
import { UsageError } from "../errors.ts";
import type { TrainConfigInput } from "../run/config.ts";
import { parseConfig } from "../run/config-load.ts";
import { readSteps } from "../run/read.ts";
import { findLearningRate, train } from "./index.ts";
import { joinsLoneImage } from "./lone-images.ts";

const out = mkdtempSync(join(tmpdir(), "thaw-lone-"));
const cache = join(out, "cache");
afterAll(() => rmSync(out, { recursive: true }));
expectNoLeaks();

/** Images of 16 px, of which MobileNetV3's last maps are 1×1. */
const config = (more: Partial<TrainConfigInput>) =>
  parseConfig({
    ...{ data: "sample", model: "mobilenetv3_small_100", epochs: 1, batchSize: 16, threads: 1 },
    ...{ precision: "fp32", warmupEpochs: 0, sched: "constant", lr: 1e-3, out, ...more },
  });
const images = (train: number) => sampleSplits({ train, val: 6, test: 6 });
const lines = (name: string) =>
  ["metrics.jsonl", "steps.jsonl", "predictions.csv"].map((file) =>
    readFileSync(join(out, name, file), "utf8"),
  );

describe("an epoch's batches", () => {
  test.each([
    [17, 16, true, [17]],
    [17, 16, false, [16, 1]],
    [33, 16, true, [16, 17]],
    [34, 16, true, [16, 16, 2]],
    [32, 16, true, [16, 16]],
    [1, 16, true, [1]],
    [3, 2, true, [3]],
  ])("%i by %i, joining the lone one: %s", (count, batchSize, joinsLone, sizes) => {
    const plan = { count, batchSize, joinsLone };
    const order = Int32Array.from({ length: count }, (_, i) => i);
    const batches = Array.from({ length: batchCount(plan) }, (_, i) => batchRows(order, i, plan));
    expect(batches.map(({ length }) => length)).toEqual(sizes);
    expect(batches.flatMap((rows) => [...rows])).toEqual([...order]);
  });
});

describe("a last image alone, of which a batch norm has no variance", () => {
  test.each([
    ["one-batch", 17, {}, 1],
    ["mixed-averaged-accumulated", 33, { mixup: 0.4, modelEma: true, gradAccumSteps: 2 }, 1],
  ] as const)("joins the batch before it, which is said: %s", async (name, count, more, steps) => {
    const notes: string[] = [];
    const { summary } = await train(config({ name, ...more }), images(count), {
      cache,
      onNote: (text) => void notes.push(text),
    });
    expect(summary.status).toBe("finished");
    expect(readSteps(join(out, name))).toHaveLength(steps);
    const said = notes.filter((text) => text.includes("is added to the batch before it"));
    expect(said).toEqual([
      expect.stringMatching(
        /^\d+ training images in batches of 16 leave a last batch of one image, .* norm blocks\.\d/,
      ),
    ]);
  });

  test("a run that is resumed between such batches is the uninterrupted one", async () => {
    const more = { epochs: 2, mixup: 0.4, modelEma: true } as const;
    await train(config({ ...more, name: "whole" }), images(33), { cache });
    await train(config({ ...more, name: "parts" }), images(33), { cache, ...stopAfter(1) });
    await train(config({ ...more, name: "parts" }), images(33), { cache, resume: true });
    expect(readSteps(join(out, "whole"))).toHaveLength(4);
    expect(lines("parts")).toEqual(lines("whole"));
  });

  test("joins it too where a part of the network trains on features that are kept", async () => {
    const weights = join(out, "whole");
    const part = config({ name: "part", strategy: "partial", unfreeze: 2, weights });
    const { summary } = await train(part, images(33), { cache });
    expect(summary.status).toBe("finished");
    expect(readSteps(join(out, "part"))).toHaveLength(2);
  });

  test("stays alone where no batch norm minds: larger maps, frozen ones, none at all", async () => {
    const alone = async (more: Partial<TrainConfigInput>) => {
      const notes: string[] = [];
      const onNote = (text: string) => void notes.push(text);
      await train(config({ name: "alone", ...more }), images(17), {
        cache,
        overwrite: true,
        onNote,
      });
      expect(notes.join()).not.toContain("joins");
      return readSteps(join(out, "alone")).length;
    };
    expect(await alone({ model: "simple_cnn" })).toBe(2);
    expect(await alone({ strategy: "freeze", weights: join(out, "whole") })).toBe(2);
    expect(await alone({ model: "vit_tiny_patch16_224" })).toBe(2);
  });
});

describe("batches of one image", () => {
  test.each([
    ["--batch-size 1", { batchSize: 1 }, 6],
    ["--batch-size 1", { batchSize: 1, gradAccumSteps: 4 }, 6],
  ] as const)(
    "are refused before anything is written, by the true reason: %s",
    async (what, more, count) => {
      const refused = train(config({ name: "refused", ...more }), images(count), { cache });
      await expect(refused).rejects.toThrow(UsageError);
      await expect(refused).rejects.toMatchObject({
        message: expect.stringMatching(
          new RegExp(
            `^${what}: in training, the batch norm blocks\\.\\S+ of mobilenetv3_small_100 needs more than one value`,
          ),
        ),
        hint: expect.stringMatching(/--batch-size 2 or more .*--strategy freeze.*vit_tiny/),
      });
      expect(existsSync(join(out, "refused"))).toBe(false);
    },
  );

  test("are refused where there is one image in all", () => {
    const size = { channels: 1, height: 16, width: 16 };
    const ask = (norms: readonly string[]) =>
      joinsLoneImage(
        { batchSize: 16, model: "resnet18" },
        1,
        { ...size, mean: [], std: [] },
        () => norms,
      );
    expect(() => ask(["layer4.0.bn1"])).toThrow(/^one training image: in training, the batch norm/);
    expect(ask([])).toBe(false);
  });

  test("are refused by the search for a learning rate as well", async () => {
    const search = findLearningRate(config({ name: "rate", batchSize: 1 }), images(6), { cache });
    await expect(search).rejects.toThrow("needs more than one value per channel");
  });

  test("train a model without batch norms, or whose maps are larger", async () => {
    for (const model of ["vit_tiny_patch16_224", "simple_cnn"]) {
      const { summary } = await train(config({ name: model, model, batchSize: 1 }), images(3), {
        cache,
      });
      expect(summary.status).toBe("finished");
    }
  });
});
