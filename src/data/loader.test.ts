import { afterEach, describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { liveTensors, scope } from "../tensor/index.ts";
import type { ImageSet } from "./imageset.ts";
import { Loader, type LoaderOptions } from "./loader.ts";
import { drawMix, mixImages } from "./transforms/mix.ts";

/** Image i is filled with the value i, and its label is i mod 5. */
function countingSet(count: number, channels = 1, size = 4): ImageSet {
  const pixels = channels * size * size;
  return {
    images: Uint8Array.from({ length: count * pixels }, (_, i) => Math.floor(i / pixels)),
    labels: Uint8Array.from({ length: count }, (_, i) => i % 5),
    count,
    channels,
    height: size,
    width: size,
    classes: ["a", "b", "c", "d", "e"],
  };
}

/** Pixels come out as they went in. */
const plain: LoaderOptions = {
  batchSize: 4,
  seed: 3,
  mean: [0],
  std: [1 / 255],
  memoryFormat: "contiguous",
};
const shuffled: LoaderOptions = { ...plain, shuffle: true };
const augmented: LoaderOptions = {
  ...shuffled,
  augment: { crop: 1, flip: true, rotation: 10 },
};

/** Images whose pixels differ, in three channels. */
const colours: ImageSet = {
  ...countingSet(10, 3, 6),
  images: Uint8Array.from(
    { length: 10 * 108 },
    (_, i) => (i * 37 + Math.floor(i / 108) * 11) % 256,
  ),
};
const allOf = {
  augment: {
    ...{ crop: 1, flip: true, rotation: 10 },
    affine: { degrees: 10, translate: [0.1, 0.1], scale: [0.8, 1.2], shear: [5] },
    auto: { kind: "randaugment", numOps: 2, magnitude: 9, bins: 31 },
    jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
    erasing: { p: 0.5, value: "pixel" },
  },
} as const;

interface Seen {
  readonly index: number;
  readonly size: number;
  readonly shape: readonly number[];
  readonly pixels: readonly number[];
  readonly labels: readonly number[];
}

async function read(loader: Loader, epoch: number, from?: number): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const { images, labels, size, index } of loader.epoch(epoch, from)) {
    seen.push({
      index,
      size,
      shape: images.shape,
      pixels: [...images.toArray("float32")],
      labels: Array.from(labels.toArray("int64"), Number),
    });
    images.dispose();
    labels.dispose();
  }
  return seen;
}

/** Which images the batches held, by their first pixel. */
const rowsOf = (seen: readonly Seen[]): number[] =>
  seen.flatMap(({ pixels, size }) =>
    Array.from({ length: size }, (_, i) => Math.round(pixels[(i * pixels.length) / size]!)),
  );

let open: Loader[] = [];
function load(options: LoaderOptions, set = countingSet(10)): Loader {
  const loader = new Loader(set, options);
  open.push(loader);
  return loader;
}

expectNoLeaks();
// Registered later, run earlier: the loaders are closed when the tensors are counted.
afterEach(async () => {
  for (const loader of open) await loader[Symbol.asyncDispose]();
  open = [];
});

describe("an epoch", () => {
  it("is the split in order where nothing shuffles it, the last batch smaller", async () => {
    const loader = load(plain);
    expect([loader.count, loader.batches]).toEqual([10, 3]);
    const seen = await read(loader, 0);
    expect(seen.map(({ index, size, shape }) => [index, size, shape])).toEqual([
      [0, 4, [4, 1, 4, 4]],
      [1, 4, [4, 1, 4, 4]],
      [2, 2, [2, 1, 4, 4]],
    ]);
    expect(rowsOf(seen)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(seen.flatMap(({ labels }) => labels)).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
  });

  it("shuffled holds every image once, each with its own label", async () => {
    const seen = await read(load(shuffled), 1);
    const rows = rowsOf(seen);
    expect(rows).not.toEqual([...rows].sort((a, b) => a - b));
    expect([...rows].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(seen.flatMap(({ labels }) => labels)).toEqual(rows.map((row) => row % 5));
  });

  it("is the same again for the same seed and epoch, whatever was read before", async () => {
    const [a, b] = [load(augmented), load(augmented)];
    await read(a, 0);
    const first = await read(a, 1);
    expect(await read(b, 1)).toEqual(first);
    expect(await read(a, 1)).toEqual(first);
  });

  it("has another order in another epoch, and for another seed", async () => {
    const loader = load(shuffled);
    const first = rowsOf(await read(loader, 1));
    expect(rowsOf(await read(loader, 2))).not.toEqual(first);
    expect(rowsOf(await read(load({ ...shuffled, seed: 4 }), 1))).not.toEqual(first);
  });

  it("read from a batch on gives what the whole epoch gives there", async () => {
    const loader = load(augmented);
    const whole = await read(loader, 3);
    expect(await read(loader, 3, 1)).toEqual(whole.slice(1));
    expect(await read(loader, 3, 3)).toEqual([]);
  });

  it("augments each epoch anew", async () => {
    const loader = load({ ...plain, augment: { crop: 1, flip: true, rotation: 0 } });
    const [first, second] = [await read(loader, 1), await read(loader, 2)];
    expect(second.map((batch) => batch.pixels)).not.toEqual(first.map((batch) => batch.pixels));
    expect(second.map((batch) => batch.labels)).toEqual(first.map((batch) => batch.labels));
  });

  it("changes an image by seed, epoch and image alone, whatever the batch it is in", async () => {
    const options = { ...plain, ...allOf, mean: [0, 0, 0], std: Array(3).fill(1 / 255) };
    const byRow = async (more: Partial<LoaderOptions>, epoch: number) => {
      const seen = new Map<number, number[]>();
      for await (const batch of load({ ...options, ...more }, colours).epoch(epoch)) {
        const pixels = batch.images.toArray("float32");
        const size = pixels.length / batch.size;
        batch.rows.forEach((row, i) => {
          seen.set(row, [...pixels.subarray(i * size, (i + 1) * size)]);
        });
        batch.images.dispose();
        batch.labels.dispose();
      }
      return Array.from({ length: 10 }, (_, row) => seen.get(row)!);
    };
    const first = await byRow({}, 2);
    expect(await byRow({ batchSize: 3, shuffle: true, memoryFormat: "channels_last" }, 2)).toEqual(
      first,
    );
    expect(new Set(first.map(String)).size).toBe(10);
    const next = await byRow({}, 3);
    expect(next.filter((image, i) => String(image) === String(first[i])).length).toBeLessThan(2);
    const one = await load(options, colours).batchOf(Int32Array.of(7, 2), 2);
    expect([...one.images.toArray("float32")]).toEqual([...first[7]!, ...first[2]!]);
    expect([...one.labels.toArray("int64")].map(Number)).toEqual([2, 2]);
    one.images.dispose();
    one.labels.dispose();
  });

  it("mixes each batch with itself in reverse order, as seed, epoch and batch say", async () => {
    const mix = { mixup: 0.8, cutmix: 1 };
    const options = { ...plain, mean: [0, 0, 0], std: Array(3).fill(1 / 255) };
    const [unmixed, mixed] = [load(options, colours), load({ ...options, mix }, colours)];
    const kinds = new Set<boolean>();
    for (const epoch of [1, 2, 3]) {
      const expected = unmixed.epoch(epoch);
      for await (const { images, labels, index, mix: drawn } of mixed.epoch(epoch)) {
        const plainBatch = (await expected.next()).value!;
        expect(drawn).toEqual(drawMix(mix, { seed: 3, epoch, index }, [6, 6]));
        kinds.add(drawn!.box === undefined);
        mixImages(plainBatch.images, drawn!);
        expect(images.toArray("float32")).toEqual(plainBatch.images.toArray("float32"));
        expect(labels.toArray("int64")).toEqual(plainBatch.labels.toArray("int64"));
        for (const tensor of [images, labels, plainBatch.images, plainBatch.labels]) {
          tensor.dispose();
        }
      }
      await expected.return(undefined);
    }
    expect(kinds.size).toBe(2);
  });

  it("is one small batch where the batch is larger than the split", async () => {
    const seen = await read(load({ ...plain, batchSize: 64 }), 0);
    expect(seen.map(({ size }) => size)).toEqual([10]);
  });

  it("takes a split whose images are a view of a larger buffer", async () => {
    const set = countingSet(10);
    const images = set.images.subarray(5 * 16);
    const part = { ...set, images, labels: set.labels.subarray(5), count: 5 };
    expect(rowsOf(await read(load(plain, part), 0))).toEqual([5, 6, 7, 8, 9]);
  });
});

describe("memory formats", () => {
  it.each([
    [1, [16, 1, 4, 1]],
    [3, [48, 1, 12, 3]],
  ])("channels_last has its strides with %d channels", async (channels, strides) => {
    const statistics = { mean: Array(channels).fill(0), std: Array(channels).fill(1 / 255) };
    const set = countingSet(10, channels);
    for (const augment of [undefined, { crop: 1, flip: true, rotation: 5 }]) {
      const options = { ...plain, ...statistics, memoryFormat: "channels_last" } as const;
      const loader = load(augment ? { ...options, augment } : options, set);
      for await (const { images, labels } of loader.epoch(0)) {
        expect(images.strides).toEqual(strides);
        images.dispose();
        labels.dispose();
      }
    }
  });
});

describe("an epoch that is not read to its end", () => {
  it("leaves no tensors, and the loader can be used again", async () => {
    const loader = load({ ...shuffled, batchSize: 1 });
    const before = liveTensors();
    const expected = await read(loader, 1);
    for await (const { images, labels } of loader.epoch(1)) {
      images.dispose();
      labels.dispose();
      break;
    }
    expect(liveTensors()).toBe(before);
    const reading = async (): Promise<void> => {
      for await (const { images, labels } of loader.epoch(1)) {
        images.dispose();
        labels.dispose();
        throw new Error("the step failed");
      }
    };
    await expect(reading()).rejects.toThrow("the step failed");
    expect(liveTensors()).toBe(before);
    expect(await read(loader, 1)).toEqual(expected);
  });

  it("does not give its batches to a scope that is open elsewhere", async () => {
    const loader = load(plain);
    const iterator = loader.epoch(0);
    const pending = scope(() => [iterator.next()])[0]!;
    const { images, labels } = (await pending).value;
    expect(images.disposed).toBe(false);
    images.dispose();
    labels.dispose();
    await iterator.return(undefined);
  });
});

describe("failures are errors, not hangs", () => {
  it("a batch that cannot be made names batch and epoch, and the loader lives on", async () => {
    const loader = load({ ...plain, mean: [0, 0], std: [1, 1] });
    await expect(read(loader, 2)).rejects.toThrow(/batch 0 of epoch 2: aten::/);
    await expect(read(loader, 2, 1)).rejects.toThrow(/batch 1 of epoch 2: aten::/);
  });

  it("reading after disposal", async () => {
    const loader = new Loader(countingSet(10), plain);
    await loader[Symbol.asyncDispose]();
    await loader[Symbol.asyncDispose]();
    await expect(read(loader, 0)).rejects.toThrow(/data thread stopped/);
  });

  it("disposal while an epoch is being read", async () => {
    const loader = new Loader(countingSet(10), { ...plain, batchSize: 1 });
    const iterator = loader.epoch(0);
    const { images, labels } = (await iterator.next()).value;
    images.dispose();
    labels.dispose();
    await loader[Symbol.asyncDispose]();
    await iterator.return(undefined);
  });
});
