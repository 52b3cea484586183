import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { inMemory } from "../../../test/support/in-memory.ts";
import { ExitCode, UsageError } from "../../errors.ts";
import { imagesDigest } from "../images-digest.ts";
import type { DatasetSplits, ImageSet } from "../imageset.ts";
import { type DatasetSpec, openDataset } from "./open.ts";
import { builtinDatasets } from "./registry.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
// Kept between runs, and apart from the user's: unpacking CIFAR-10 from .tar.xz takes ten seconds.
const cache = join(root, "build", "test-cache");

const fashionFolder = builtinDatasets["fashion-mnist"].system.folder;
const fashionMissing = !existsSync(join(fashionFolder, "train-images-idx3-ubyte.gz"));
const cifarMirror = [process.env["THAW_MIRROR"], join(root, "..", "shared", "data")].find(
  (folder) =>
    folder !== undefined &&
    ["cifar-10-binary.tar.gz", "cifar-10-binary.tar.xz"].some((file) =>
      existsSync(join(folder, file)),
    ),
);
const cifarMissing = cifarMirror === undefined;
if (fashionMissing)
  console.log(`skipped: real Fashion-MNIST, because ${fashionFolder} is not there`);
if (cifarMissing) console.log("skipped: real CIFAR-10, because no THAW_MIRROR folder has it");

const open = async (spec: Omit<DatasetSpec, "seed" | "cache"> & { readonly seed?: number }) =>
  inMemory(await openDataset({ seed: 42, cache, ...spec }));
const countsOf = (set: ImageSet) => {
  const counts = new Array<number>(set.classes.length).fill(0);
  for (const label of set.labels) counts[label]!++;
  return counts;
};
const sizesOf = ({ train, val, test }: DatasetSplits) => [train.count, val.count, test.count];

test.skipIf(fashionMissing)("Fashion-MNIST, split 54,000 / 6,000 / 10,000", async () => {
  const data = await open({ data: "fashion-mnist" });
  expect(sizesOf(data)).toEqual([54_000, 6_000, 10_000]);
  expect(data.train).toMatchObject({ channels: 1, height: 28, width: 28 });
  expect(data.train.images.length).toBe(54_000 * 784);
  expect(countsOf(data.train)).toEqual(Array(10).fill(5_400));
  expect(countsOf(data.val)).toEqual(Array(10).fill(600));
  expect(countsOf(data.test)).toEqual(Array(10).fill(1_000));
  // The published mean and deviation of all 60,000 images.
  expect(data.mean[0]).toBeCloseTo(0.286, 3);
  expect(data.std[0]).toBeCloseTo(0.353, 3);
  // The first test image is an ankle boot.
  expect(data.test.classes[data.test.labels[0]!]).toBe("Ankle boot");
  expect(data.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  expect(data.notes).toHaveLength(1);
});

test.skipIf(fashionMissing)(
  "Fashion-MNIST without validation has the published statistics",
  async () => {
    const data = await open({ data: "fashion-mnist", valSize: 0 });
    expect(sizesOf(data)).toEqual([60_000, 0, 10_000]);
    expect(data.mean[0]).toBeCloseTo(0.28604, 5);
    expect(data.std[0]).toBeCloseTo(0.353024, 5);
  },
);

test.skipIf(fashionMissing)(
  "the fingerprint follows the content and the split, not the way there",
  async () => {
    const base = await open({ data: "fashion-mnist" });
    const fingerprint = async (spec: Partial<DatasetSpec>) =>
      (await openDataset({ data: "fashion-mnist", seed: 42, cache, ...spec })).fingerprint;
    expect(await fingerprint({ valSize: 6000 })).toBe(base.fingerprint);
    const others = [
      await fingerprint({ seed: 43 }),
      await fingerprint({ valSize: 5000 }),
      await fingerprint({ testSize: 1000 }),
      await fingerprint({ classes: ["Trouser", "Dress"] }),
    ];
    expect(new Set([base.fingerprint, ...others]).size).toBe(5);
  },
);

test.skipIf(fashionMissing)("a small subset by classes and sizes", async () => {
  const data = await open({
    data: "fashion-mnist",
    classes: ["t-shirt/top", "Sandal"],
    perClass: 100,
    valSize: 0.25,
    testSize: 50,
  });
  expect(sizesOf(data)).toEqual([150, 50, 50]);
  expect(data.train.classes).toEqual(["T-shirt/top", "Sandal"]);
});

test.skipIf(cifarMissing)("CIFAR-10 from a mirror", async () => {
  const data = await open({ data: "cifar10", mirror: cifarMirror });
  expect(sizesOf(data).slice(0, 2)).toEqual([45_000, 5_000]);
  expect(countsOf(data.val)).toEqual(Array(10).fill(500));
  expect(data.train).toMatchObject({ channels: 3, height: 32, width: 32 });
  expect(data.mean.map((value) => value.toFixed(2))).toEqual(["0.49", "0.48", "0.45"]);
  expect(data.std.map((value) => value.toFixed(2))).toEqual(["0.25", "0.24", "0.26"]);
  // The official test batch begins cat, ship, ship, airplane, frog.
  const names = [...data.test.labels.subarray(0, 5)].map((label) => data.test.classes[label]);
  expect(names).toEqual(["cat", "ship", "ship", "airplane", "frog"]);
  if (data.test.count === 1_000) {
    expect(countsOf(data.test)).toEqual([103, 89, 100, 103, 90, 86, 112, 102, 106, 109]);
    expect(data.notes).toContain("this copy has 1000 of the 10000 official test images");
  } else {
    expect(data.test.count).toBe(10_000);
  }
});

test.skipIf(cifarMissing)(
  "five classes with the test split held out of the training images",
  async () => {
    const choice = {
      data: "cifar10",
      mirror: cifarMirror,
      classes: ["airplane", "automobile", "bird", "cat", "dog"],
      testFrom: "train",
      testSize: 5_000,
      valSize: 4_000,
    } as const;
    const data = await open(choice);
    expect(sizesOf(data)).toEqual([16_000, 4_000, 5_000]);
    expect(countsOf(data.test)).toEqual(Array(5).fill(1_000));
    expect(data.train.classes).toEqual(["airplane", "automobile", "bird", "cat", "dog"]);
    const again = await open({ ...choice, seed: 43 });
    expect(imagesDigest(again.test)).toBe(imagesDigest(data.test));
    expect(imagesDigest(again.val)).not.toBe(imagesDigest(data.val));
  },
);

test.each([
  ["fashion_mnist", "did you mean fashion-mnist?"],
  ["cifar", "did you mean cifar10?"],
  ["constructor", "the built-in data sets are fashion-mnist, cifar10, stanford-dogs"],
])("the unknown name %s is wrong usage, with what there is", async (data, hint) => {
  const failure = await open({ data }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(UsageError);
  expect((failure as UsageError).message).toBe(`--data ${data}: there is no such data set`);
  expect((failure as UsageError).hint).toContain(hint);
  expect((failure as UsageError).exitCode).toBe(ExitCode.usage);
});

test.each(["./photos", "/no/such/folder"])(
  "the path %s is told apart from a name",
  async (data) => {
    await expect(open({ data })).rejects.toThrow(`--data ${data}: there is no such file or folder`);
  },
);
