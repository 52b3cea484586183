import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { parseConfig } from "../run/config-load.ts";
import { openRun } from "../run/read.ts";
import { emptyCache, isOutOfMemory, limitMemory, memory } from "../tensor/index.ts";
import { findLearningRate, train } from "./index.ts";
import { OutOfMemoryError } from "./out-of-memory.ts";

const out = mkdtempSync(join(tmpdir(), "thaw-memory-"));
afterAll(() => rmSync(out, { recursive: true }));
expectNoLeaks();

const IMAGES = 1500;
const data = sampleSplits({ train: IMAGES, val: 24, test: 24 });
const config = (more: Record<string, unknown>) =>
  parseConfig({
    ...{ data: "sample", model: "simple_cnn", epochs: 1, threads: 1, precision: "fp32", out },
    ...more,
  });

/** Trains with 160 MB beside what there is when the first step begins. */
async function trainInLittle(more: Record<string, unknown>): Promise<unknown> {
  const onStart = () => {
    emptyCache();
    limitMemory(memory().reservedBytes + 160e6);
  };
  try {
    return (await train(config(more), data, { onStart })).summary.status;
  } catch (error) {
    return error;
  } finally {
    limitMemory(Number.POSITIVE_INFINITY);
  }
}

describe("a step that finds no memory", () => {
  it("says which batch size would fit, and that one does", async () => {
    const error = await trainInLittle({ name: "large", batchSize: IMAGES, gradAccumSteps: 2 });
    expect(error).toBeInstanceOf(OutOfMemoryError);
    const { message, hint = "" } = error as OutOfMemoryError;
    expect(message).toMatch(/^no memory for a step of 1500 images: .*out of memory/);
    const said =
      /^--batch-size (\d+) would fit \(an image takes [\d.]+ MB\); --grad-accum-steps (\d+)/;
    const [, size, steps] = said.exec(hint)!.map(Number) as [number, number, number];
    expect(size).toBeGreaterThan(16);
    expect(size * steps).toBeGreaterThanOrEqual(2 * IMAGES);
    expect(openRun("large", out).summary).toMatchObject({ status: "failed", reason: message });
    expect(readdirSync(join(out, "large", "checkpoints"))).toEqual(["step-000000000.safetensors"]);
    expect(await trainInLittle({ name: "fits", batchSize: size })).toBe("finished");
  });

  it("says it of a range test too", async () => {
    emptyCache();
    limitMemory(memory().reservedBytes + 200e6);
    try {
      const asked = config({ name: "range", batchSize: IMAGES });
      const error = await findLearningRate(asked, data).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(OutOfMemoryError);
      expect((error as OutOfMemoryError).hint).toMatch(/^--batch-size \d+ would fit/);
    } finally {
      limitMemory(Number.POSITIVE_INFINITY);
    }
  });
});

it.each([
  ["out of memory: 8388608 bytes for a tensor, with 0 in use", true],
  ["CUDA out of memory. Tried to allocate 2.00 GiB", true],
  ["std::bad_alloc", true],
  ["Array buffer allocation failed", true],
  ["mat1 and mat2 shapes cannot be multiplied", false],
])("%j is a lack of memory: %s", (message, expected) => {
  expect(isOutOfMemory(new Error(message))).toBe(expected);
});
