import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../../test/support/no-leaks.ts";
import { ThawError } from "../../errors.ts";
import { scope, Tensor } from "../../tensor/index.ts";
import { prepareBatch } from "../batch.ts";
import type { FileImageSet } from "../fileset.ts";
import { statStamp } from "../folders/stamp.ts";
import { decodeImage, PixelBuffer } from "../images/decode.ts";
import { reduceTo, resizeAndCrop } from "../images/picture.ts";
import { Loader, type LoaderOptions } from "../loader.ts";
import { sampleStreams } from "../random.ts";
import { augmentImage } from "../transforms/augment.ts";
import { randomErasing } from "../transforms/random-erasing.ts";
import { packed } from "../transforms/raster.ts";
import { fitPicture, fitPlanes, type ImageFit } from "./fit.ts";
import { newStore, PixelStore, removeStore } from "./pixel-store.ts";
import { storePlan } from "./store-plan.ts";

const fixtures = resolve(import.meta.dirname, "../../../test/fixtures/images");
const sources = ["plain.jpg", "grey.png", "exif-6.jpg", "lossless.webp", "cmyk.jpg", "444.jpg"];

let folder = "";
let open: Loader[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-files-"));
});
expectNoLeaks();
afterEach(async () => {
  for (const loader of open) await loader[Symbol.asyncDispose]();
  open = [];
  rmSync(folder, { recursive: true, force: true });
});

/** The fixtures, twice, in a folder of the test's own. */
function fileSet(): FileImageSet {
  const paths = [...sources, ...sources].map((name, i) => {
    const path = join(folder, `${i}-${name}`);
    copyFileSync(join(fixtures, name), path);
    return path;
  });
  return {
    files: paths,
    stamps: paths.map(statStamp),
    labels: Int32Array.from(paths, (_, i) => i % 3),
    count: paths.length,
    classes: ["a", "b", "c"],
  };
}

const center: ImageFit = {
  size: [14, 14],
  interpolation: "bilinear",
  crop: { kind: "center", pct: 0.875 },
};
const random: ImageFit = {
  size: [12, 10],
  interpolation: "bicubic",
  crop: { kind: "random", scale: [0.3, 1], ratio: [0.75, 4 / 3], hflip: 0.5, from: 16 },
};
const plain = {
  batchSize: 5,
  seed: 7,
  mean: [0, 0, 0],
  std: [1 / 255, 1 / 255, 1 / 255],
  memoryFormat: "channels_last",
} as const;

/** [H, W, 3] → [3, H, W]. */
const planes = (pixels: Uint8Array): number[] =>
  [0, 1, 2].flatMap((c) => [...pixels].filter((_, i) => i % 3 === c));

function load(set: FileImageSet, options: Partial<LoaderOptions> & { fit: ImageFit }): Loader {
  const loader = new Loader(set, { ...plain, workers: 2, ...options });
  open.push(loader);
  return loader;
}

/** Pixels [3, H, W] by row, and the labels. */
async function read(loader: Loader, epoch: number): Promise<Map<number, [number[], number]>> {
  const seen = new Map<number, [number[], number]>();
  for await (const { images, labels, size, rows } of loader.epoch(epoch)) {
    const pixels = images.toArray("float32");
    const each = pixels.length / size;
    rows.forEach((row, i) => {
      const own = [...pixels.subarray(i * each, (i + 1) * each)].map(Math.round);
      seen.set(row, [own, Number(labels.toArray("int64")[i])]);
    });
    images.dispose();
    labels.dispose();
  }
  return seen;
}

describe("images in files", () => {
  it("come decoded, resized and cropped, each with its label, whatever the format", async () => {
    const set = fileSet();
    const seen = await read(load(set, { fit: center, shuffle: true }), 1);
    expect([...seen.keys()].sort((a, b) => a - b)).toEqual([...set.labels.keys()]);
    for (const [row, path] of set.files.entries()) {
      const expected = new Uint8Array(14 * 14 * 3);
      const image = await decodeImage(readFileSync(path), path);
      resizeAndCrop(image, 16, expected, [14, 14], "bilinear");
      expect(seen.get(row)).toEqual([planes(expected), row % 3]);
    }
  });

  it("are channels_last or contiguous, as asked", async () => {
    for (const [memoryFormat, strides] of [
      ["channels_last", [588, 1, 42, 3]],
      ["contiguous", [588, 196, 14, 1]],
    ] as const) {
      for await (const { images, labels } of load(fileSet(), { fit: center, memoryFormat }).epoch(
        1,
      )) {
        expect(images.strides).toEqual(strides);
        images.dispose();
        labels.dispose();
      }
    }
  });

  it("augmented, do not depend on threads, batches or what is kept", async () => {
    const set = fileSet();
    const first = await read(load(set, { fit: random, workers: 1, shuffle: true }), 3);
    const sorted = (seen: typeof first) => [...seen].sort(([a], [b]) => a - b);
    const kept = load(set, { fit: random, workers: 3, batchSize: 2, keepIn: folder });
    await read(kept, 2);
    expect(sorted(await read(kept, 3))).toEqual(sorted(first));
    // Rows 0 and 6 are the same file: their draws are their own.
    expect(first.get(0)![0]).not.toEqual(first.get(6)![0]);
    const other = await read(kept, 4);
    expect(other.get(0)![0]).not.toEqual(first.get(0)![0]);
  });

  it("are augmented after the crop, by seed, epoch and image alone", async () => {
    const set = fileSet();
    const augment = {
      ...{ crop: 2, flip: true, rotation: 10, affine: { degrees: 5 } },
      auto: { kind: "trivialaugmentwide", bins: 31 },
      jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0 },
      erasing: { p: 0.3, value: "const" },
    } as const;
    const first = await read(load(set, { fit: random, augment, workers: 1, shuffle: true }), 3);
    const other = load(set, { fit: random, augment, workers: 3, batchSize: 2, keepIn: folder });
    await read(other, 2);
    const sorted = (seen: typeof first) => [...seen].sort(([a], [b]) => a - b);
    expect(sorted(await read(other, 3))).toEqual(sorted(first));
    const plainly = await read(load(set, { fit: random }), 3);
    const streamOf = sampleStreams(plain.seed, 3);
    for (const [row, [pixels]] of plainly) {
      // What the crop and its mirroring drew comes first.
      const stream = streamOf(row);
      const picture = await decodeImage(readFileSync(set.files[row]!), "");
      const to = new Uint8Array(12 * 10 * 3);
      fitPicture(reduceTo(picture, 16, "bicubic", new PixelBuffer()), random, to, () => stream);
      expect(planes(to)).toEqual(pixels);
      augmentImage(packed(to, [3, 12, 10]), augment, stream);
      const part = randomErasing(augment.erasing, { height: 12, width: 10 }, stream);
      const expected = planes(to);
      for (const [i] of expected.entries()) {
        const [y, x] = [Math.floor(i / 10) % 12, i % 10];
        const isErased =
          part &&
          y >= part.top &&
          y < part.top + part.height &&
          x >= part.left &&
          x < part.left + part.width;
        if (isErased) expected[i] = 0;
      }
      expect(first.get(row)![0]).toEqual(expected);
    }
  });

  it.each([
    ["center", center],
    ["random", random],
  ])("kept (%s) are not read again: the files may be gone", async (_, fit) => {
    const set = fileSet();
    const loader = load(set, { fit, keepIn: folder });
    const first = await read(loader, 1);
    for (const path of set.files) rmSync(path);
    expect((await read(loader, 1)).size).toBe(set.count);
    expect([...(await read(loader, 1))]).toEqual([...first]);
  });

  it("the time that readers wait is counted", async () => {
    const loader = load(fileSet(), { fit: center });
    await read(loader, 1);
    expect(loader.waited).toBeGreaterThan(0);
  });
});

describe("files that are not as they were", () => {
  const failure = async (loader: Loader) => {
    const error = await read(loader, 1).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ThawError);
    return error as ThawError;
  };

  it("gone, shorter, or of other content: named, with what to do", async () => {
    const set = fileSet();
    rmSync(set.files[3]!);
    const gone = await failure(load(set, { fit: center }));
    expect(gone.message).toContain(`${set.files[3]}: cannot be read: it no longer exists`);
    expect(gone.hint).toContain("have changed since");

    const other = fileSet();
    truncateSync(other.files[1]!, 50);
    const shorter = await failure(load(other, { fit: center }));
    expect(shorter.message).toMatch(/1-grey.png: has 50 bytes, had \d+ when it was listed/);

    const stamps = fileSet().files.map(() => `sha256:${"0".repeat(64)}`);
    const changed = await failure(load({ ...fileSet(), stamps }, { fit: center }));
    expect(changed.message).toContain("its content has changed");
  });

  it("damaged: the file is named, and the loader can be read again", async () => {
    const whole = fileSet();
    copyFileSync(join(fixtures, "cut.jpg"), whole.files[7]!);
    const set = { ...whole, stamps: whole.files.map(statStamp) };
    const loader = load(set, { fit: center });
    for (let i = 0; i < 2; i++) {
      expect((await failure(loader)).message).toBe(
        `batch 1 of epoch 1: ${set.files[7]}: cannot be decoded: the file is cut short`,
      );
    }
  });
});

describe("images in memory", () => {
  it("are resized plane by plane as pictures are", () => {
    const [h, w, size] = [20, 30, [24, 24]] as const;
    const planes = Uint8Array.from({ length: 2 * 3 * h * w }, (_, i) => (i * 37 + (i >> 5)) % 256);
    for (const interpolation of ["bilinear", "bicubic"] as const) {
      const fit = { size, interpolation, crop: { kind: "center", pct: 0.8 } } as const;
      scope(() => {
        const fitted = fitPlanes(Tensor.from(planes, [2, 3, h, w]), fit);
        expect(fitted.shape).toEqual([2, 3, 24, 24]);
        const pixels = fitted.toArray("uint8");
        for (const n of [0, 1]) {
          const packed = Uint8Array.from(
            { length: 3 * h * w },
            (_, i) => planes[n * 3 * h * w + (i % 3) * h * w + Math.floor(i / 3)]!,
          );
          const expected = new Uint8Array(24 * 24 * 3);
          const picture = { width: w, height: h, pixels: packed };
          resizeAndCrop(picture, 30, expected, size, interpolation);
          const own = [0, 1, 2].map((c) =>
            pixels.subarray((n * 3 + c) * 576, (n * 3 + c + 1) * 576),
          );
          expect(Uint8Array.from(expected, (_, i) => own[i % 3]![Math.floor(i / 3)]!)).toEqual(
            expected,
          );
        }
      });
    }
  });
});

describe("images in memory, cropped at random", () => {
  const crop = { kind: "random", scale: [0.1, 1], ratio: [0.75, 4 / 3], hflip: 0.5 } as const;
  const fit = { size: [16, 12], interpolation: "bilinear", crop } as const;
  const [h, w] = [20, 30];
  const planes = Uint8Array.from({ length: 6 * 3 * h * w }, (_, i) => (i * 37 + (i >> 5)) % 256);

  it("are what pictures of the same pixels are, by the same draws", () => {
    const streamOf = sampleStreams(3, 1);
    scope(() => {
      const streams = [0, 1, 2, 3, 4, 5].map(streamOf);
      const fitted = fitPlanes(Tensor.from(planes, [6, 3, h, w]), fit, streams);
      expect(fitted.shape).toEqual([6, 3, 16, 12]);
      const pixels = fitted.toArray("uint8");
      for (let n = 0; n < 6; n++) {
        const own = planes.subarray(n * 3 * h * w, (n + 1) * 3 * h * w);
        const packed = own.map((_, i) => own[(i % 3) * h * w + Math.floor(i / 3)]!);
        const expected = new Uint8Array(16 * 12 * 3);
        fitPicture({ width: w, height: h, pixels: packed }, fit, expected, () => streamOf(n));
        const got = pixels.subarray(n * expected.length, (n + 1) * expected.length);
        expect(expected.map((_, i) => got[(i % 3) * 192 + Math.floor(i / 3)]!)).toEqual(expected);
      }
    });
  });

  it("differ from epoch to epoch, and not with their batch", () => {
    const rows = (...of: number[]) => Int32Array.from(of);
    const plan = {
      mean: [0, 0, 0],
      std: [1, 1, 1],
      memoryFormat: "contiguous",
      seed: 3,
      fit,
    } as const;
    scope(() => {
      const images = Tensor.from(planes, [6, 3, h, w]);
      const labels = Tensor.from(new BigInt64Array(6), [6]);
      const read = (epoch: number, of: Int32Array) =>
        prepareBatch({ images, labels }, plan, { epoch, index: 0, rows: of }).images.toArray(
          "float32",
        );
      const both = read(1, rows(4, 2));
      expect(both.subarray(both.length / 2)).toEqual(read(1, rows(2)));
      expect(read(2, rows(2))).not.toEqual(read(1, rows(2)));
    });
  });
});

describe("the store", () => {
  const filled = (value: number, bytes: number) => new Uint8Array(bytes).fill(value);
  const take = (bytes: number) => new Uint8Array(bytes);

  it.each(["memory", "file"])(
    "in %s gives back what was put, and nothing past its capacity",
    (kind) => {
      const file = kind === "file" ? join(folder, "a/pixels") : undefined;
      const spec = newStore(3, 150, file);
      const [one, two] = [new PixelStore(spec), new PixelStore(spec)];
      one.put(2, { width: 5, height: 10, pixels: filled(7, 150) });
      one.put(2, { width: 5, height: 10, pixels: filled(8, 150) });
      expect(two.get(2, take)).toEqual({ width: 5, height: 10, pixels: filled(7, 150) });
      expect(two.get(0, take)).toBeUndefined();
      two.put(0, { width: 100, height: 1, pixels: filled(1, 300) });
      expect(two.get(0, take)).toBeUndefined();
      one.close();
      two.close();
      removeStore(spec);
      expect(readdirSync(folder)).toEqual(kind === "file" ? ["a"] : []);
    },
  );

  it("is in memory where it takes a quarter of it at most, else in a file", () => {
    const set = { count: 100, files: ["x"], stamps: ["stat:1:1"] };
    expect(storePlan(set, center, folder, 1e9)).toEqual({ bytes: 100 * 14 * 14 * 3 });
    expect(storePlan(set, center, folder, 1e5)?.file).toMatch(/\/\.pixels\.\S+\.tmp$/);
    const { from: _, ...whole } = random.crop as Extract<ImageFit["crop"], { kind: "random" }>;
    // Nobody knows how large whole pictures are: as many as find room.
    expect(storePlan(set, { ...random, crop: whole }, folder, 1e9)).toEqual({ bytes: 2.5e8 });
    expect(storePlan(set, { ...random, crop: whole }, folder, 1e12)).toEqual({
      bytes: 3 * 2 ** 30,
    });
  });
});
