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
/** Logits that name the first class, and the same with another value at one place. */
const logits = (images: number) =>
  Float32Array.from({ length: 3 * images }, (_, i) => (i % 3 === 0 ? 2 : 0));

async function parity(at: number, value: number) {
  const subject = {
    metadata: { input, classes: val.classes },
    answer: (images: { size(axis: number): number }) => logits(images.size(0)),
  } as unknown as Subject;
  const session = {
    first: async ({ shape }: { shape: readonly number[] }) => {
      const data = logits(shape[0]!);
      if (at >= 0) data[at] = value;
      return { data, shape: [shape[0], 3] };
    },
  } as unknown as OnnxSession;
  return checkParity(session, subject, val, { precision: "fp32", takes: "normalised" });
}

it("is the largest difference and the share of equal classes", async () => {
  expect(await parity(-1, 0)).toEqual({
    images: 24,
    maxDifference: 0,
    agreement: 1,
    passed: true,
  });
  const { maxDifference, agreement, passed } = await parity(1, 3);
  expect({ maxDifference, agreement, passed }).toEqual({
    maxDifference: 3,
    agreement: 23 / 24,
    passed: false,
  });
});

it("does not lose a NaN among numbers", async () => {
  const { maxDifference, passed } = await parity(4, Number.NaN);
  expect(maxDifference).toBeNaN();
  expect(passed).toBe(false);
});

it("names what passes no bound, as the mean of grey levels", () => {
  const told = { images: 24, maxDifference: 1e-5, agreement: 1, passed: false };
  const refuse = () => refuseDifference({ ...told, resizing: { largest: 2, mean: 0.3 } }, "fp32");
  expect(refuse).toThrow("its resizing by up to 2 grey levels, 0.300 on average, and 100.00 %");
  expect(refuse).toThrow(
    expect.objectContaining({
      exitCode: ExitCode.gate,
      hint: "an export in fp32 keeps to 0.001 and 3 grey levels, 0.25 on average, and 99 %",
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
