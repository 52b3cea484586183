import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { sampleSplits } from "../../test/support/sample-splits.ts";
import { writeTiny } from "../../test/support/tiny-images.ts";
import type { SplitSet } from "../data/imageset.ts";
import { ExitCode } from "../errors.ts";
import { checkParity, refuseDifference } from "./parity.ts";
import { picturesOf } from "./present.ts";
import type { OnnxSession } from "./session.ts";
import type { Subject } from "./subject.ts";

expectNoLeaks();

const { val } = sampleSplits();
const input = { channels: 1, height: 16, width: 16, mean: [0.4], std: [0.3] };
interface Case {
  readonly precision?: "fp32" | "fp16" | "int8";
  /** Outputs of the model for an image, three classes. */
  readonly model?: readonly number[];
  /** What the file adds to them, at the places of its first image. */
  readonly off?: readonly number[];
  readonly maxDifference?: number;
}

async function parity({ precision = "fp32", model = [2, 0, 0], off = [], ...more }: Case = {}) {
  const outputs = (images: number) =>
    Float32Array.from({ length: 3 * images }, (_, i) => model[i % 3]!);
  const subject = {
    metadata: { input, classes: val.classes },
    answer: (images: { size(axis: number): number }) => outputs(images.size(0)),
  } as unknown as Subject;
  let isFirst = true;
  const session = {
    first: async ({ shape }: { shape: readonly number[] }) => {
      const data = outputs(shape[0]!);
      if (isFirst) for (const [i, by] of off.entries()) data[i]! += by;
      isFirst = false;
      return { data, shape: [shape[0], 3] };
    },
  } as unknown as OnnxSession;
  return checkParity(session, subject, val, { precision, takes: "normalised", ...more });
}

it("is the largest difference and the share of equal classes", async () => {
  expect(await parity()).toEqual({
    images: 24,
    maxDifference: 0,
    largestOutput: 2,
    allowedDifference: expect.closeTo(2e-4, 7) as number,
    agreement: 1,
    passed: true,
  });
  expect(await parity({ off: [0, 3] })).toMatchObject({
    maxDifference: 3,
    agreement: 23 / 24,
    passed: false,
  });
});

it.each<[string, Case, boolean]>([
  ["rounding of large logits", { model: [2000, 3, -5], off: [0.002] }, true],
  ["more than rounding of large logits", { model: [2000, 3, -5], off: [0.3] }, false],
  ["rounding of tiny logits", { model: [1e-6, -3e-7, 0], off: [5e-11] }, true],
  ["tiny logits that are others", { model: [1e-6, -3e-7, 0], off: [2e-7] }, false],
  ["outputs that are all 0", { model: [0, 0, 0] }, true],
  ["probabilities of a classical model", { model: [0.98, 0.01, 0.01], off: [2e-5, -2e-5] }, true],
  ["probabilities that moved", { model: [0.98, 0.01, 0.01], off: [-2e-3, 2e-3] }, false],
  // The difference hides behind the large output; the class does not.
  ["small outputs that changed places", { model: [-2000, 0.1, 0.05], off: [0, 0, 0.1] }, false],
  ["two outputs that are equal but for rounding", { model: [5, 5, 0], off: [0, 1e-6] }, true],
  ["float16 within its rounding", { precision: "fp16", model: [2000, 3, -5], off: [6.4] }, true],
  ["float16 beyond it", { precision: "fp16", model: [20, 3, -5], off: [-6.4] }, false],
  ["8 bits within their rounding", { precision: "int8", model: [20, 3, -5], off: [2] }, true],
  ["8 bits that say something else", { precision: "int8", model: [20, 3, -5], off: [11] }, false],
  ["what --max-difference allows", { model: [20, 3, 0], off: [0.5], maxDifference: 1 }, true],
  ["what it does not", { model: [20, 3, 0], off: [1e-4], maxDifference: 0 }, false],
])("%s", async (_name, given, passes) => {
  expect((await parity(given)).passed).toBe(passes);
});

it.each<[string, Case, RegExp, RegExp]>([
  [
    "the model's NaN",
    { model: [Number.NaN, 1, 2] },
    /the model's outputs are NaN or infinite for 24 of 24 images/,
    /weights are damaged/,
  ],
  [
    "a file's NaN",
    { off: [Number.NaN] },
    /the file's outputs are NaN or infinite for 1 of 24 images/,
    /bug/,
  ],
  [
    "a file's infinity",
    { precision: "fp16", model: [7e4, 1, 0], off: [Number.POSITIVE_INFINITY] },
    /the file's outputs are NaN or infinite for 1 of 24 images/,
    /65,504/,
  ],
])("%s is named, and --max-difference does not allow it", async (_name, given, what, todo) => {
  const told = await parity({ ...given, maxDifference: 1e9 });
  expect(told.passed).toBe(false);
  expect(() => refuseDifference(told, given.precision ?? "fp32")).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(what) as string,
      hint: expect.stringMatching(todo) as string,
      exitCode: ExitCode.gate,
    }),
  );
});

it("says what differs, how large the outputs are, and how to allow it", async () => {
  const told = await parity({ model: [2000, 3, -5], off: [1.5] });
  expect(() => refuseDifference(told, "fp32")).toThrow(
    expect.objectContaining({
      message:
        "the exported file does not match its model: outputs differ by up to 1.50 (the largest output is 2000), and 100.00 % of 24 images get the same class",
      hint: "an export in fp32 must have a difference of at most 0.2 and at least 99.9 % of images with the same class; --max-difference 3 allows more",
    }),
  );
});

it("names what passes no bound, as the mean of grey levels", () => {
  const told = {
    ...{ images: 24, maxDifference: 1e-5, largestOutput: 2, allowedDifference: 2e-4 },
    ...{ agreement: 1, passed: false },
  };
  const refuse = () => refuseDifference({ ...told, resizing: { largest: 2, mean: 0.3 } }, "fp32");
  expect(refuse).toThrow("its resizing by up to 2 grey levels, 0.300 on average, and 100.00 %");
  expect(refuse).toThrow(
    expect.objectContaining({
      exitCode: ExitCode.gate,
      hint: "an export in fp32 must have a difference of at most 0.0002 and resizing errors of at most 3 grey levels, 0.25 on average, and at least 99 % of images with the same class",
    }),
  );
});

it("reads whole photographs one by one, each when it is asked for", async () => {
  const folder = mkdtempSync(join(tmpdir(), "thaw-present-"));
  const files = [0, 1].map((i) => join(folder, `${i}.png`));
  const set = { files } as unknown as SplitSet;
  const photos = { channels: 3, height: 16, width: 16, mean: [0, 0, 0], std: [1, 1, 1] };
  const pictures = picturesOf(set, 0, 2, photos);
  // The second is not there before the first has been given.
  for (const [i, path] of files.entries()) {
    await writeTiny(path, { seed: i, width: 20 + i, height: 30 });
    expect((await pictures.next()).value?.shape).toEqual([1, 30, 20 + i, 3]);
  }
  expect((await pictures.next()).done).toBe(true);
  rmSync(folder, { recursive: true });
});
