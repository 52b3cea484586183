import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { expectNoLeaks } from "../../test/support/no-leaks.ts";
import { ops, scope, Tensor, unscoped } from "../tensor/index.ts";
import { cachedFeatures } from "./feature-cache.ts";
import { FeatureLoader } from "./feature-loader.ts";

expectNoLeaks();
const root = mkdtempSync(join(tmpdir(), "thaw-features-"));
afterAll(() => rmSync(root, { recursive: true }));

/** Images of one pixel, the image's number plus a hundredth of the view's; counts what was read. */
class Numbers {
  readonly count: number;
  readonly batchSize = 2;
  read = 0;

  constructor(count: number) {
    this.count = count;
  }

  get batches(): number {
    return Math.ceil(this.count / this.batchSize);
  }

  async *epoch(epoch: number, from = 0) {
    for (let index = from; index < this.batches; index++) {
      const size = Math.min(this.batchSize, this.count - index * this.batchSize);
      this.read += size;
      const values = Float32Array.from({ length: size }, (_, i) => index * 2 + i + epoch / 100);
      yield unscoped(() => ({
        images: Tensor.from(values, [size, 1, 1, 1]),
        labels: Tensor.from(new BigInt64Array(size), [size]),
        ...{ size, index, rows: new Int32Array(size) },
      }));
    }
  }
}

/** [n, 1, 1, 1] → [n, 2]: the pixel and its double. */
const embed = (images: Tensor): Tensor =>
  scope(() => {
    const flat = ops.flatten(images, { startDim: 1 });
    return ops.cat([flat, ops.mul_Scalar(ops.clone(flat), 2)], { dim: 1 });
  });

async function features(name: string, count: number, views = 1, notes: string[] = []) {
  const source = new Numbers(count);
  const folder = join(root, name);
  const onNote = (text: string) => void notes.push(text);
  const options = { folder, key: { name }, views, embed, onNote };
  const { features: result, seconds } = await cachedFeatures(source, options);
  using _result = result;
  const values = [...result.toArray("float32")];
  const own = join(folder, readdirSync(folder)[0]!);
  return { values, seconds, read: source.read, folder: own, notes };
}

const expected = (count: number, views: number): number[] =>
  Array.from({ length: views }, (_, view) =>
    Array.from({ length: count }, (_, i) => Math.fround(i + (view + 1) / 100)),
  ).flatMap((values) => values.flatMap((value) => [value, Math.fround(value * 2)]));

describe("cached features", () => {
  it("are computed once, all views of them", async () => {
    const first = await features("once", 71, 2);
    expect(first.values).toEqual(expected(71, 2));
    expect(first.read).toBe(142);
    const second = await features("once", 71, 2);
    expect(second.values).toEqual(first.values);
    expect(second.read).toBe(0);
    // What they cost is told of those that are kept too.
    expect(second.seconds).toBe(first.seconds);
    expect(first.seconds).toBeGreaterThan(0);
  });

  it("are of their key alone", async () => {
    const a = await features("a", 10);
    const source = new Numbers(10);
    const other = await cachedFeatures(source, {
      ...{ folder: join(root, "a"), key: { name: "b" }, views: 1, embed },
    });
    other.features.dispose();
    expect(source.read).toBe(10);
    expect(a.read).toBe(10);
  });

  it.each([
    ["truncated", (bytes: Buffer) => bytes.subarray(0, bytes.length - 8)],
    ["changed", (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([7])])],
    ["no features at all", () => Buffer.from("nonsense")],
  ])("are computed again where a file is %s, which is said", async (name, damage) => {
    const { folder } = await features(name, 71);
    const file = join(folder, "view-1-00001.safetensors");
    writeFileSync(file, damage(readFileSync(file)));
    const again = await features(name, 71);
    expect(again.values).toEqual(expected(71, 1));
    expect(again.read).toBe(32);
    expect(again.notes).toEqual([expect.stringContaining(`${file}: computed again`)]);
    expect((await features(name, 71)).read).toBe(0);
  });

  it("whose key is another's are computed again, which is said", async () => {
    const { folder } = await features("stale", 10);
    writeFileSync(join(folder, "key.json"), "{}\n");
    const again = await features("stale", 10);
    expect(again.read).toBe(10);
    expect(again.notes).toEqual([expect.stringContaining("its key.json is not that of these")]);
  });

  it("go on where an interruption left them", async () => {
    const { folder } = await features("interrupted", 71);
    rmSync(join(folder, "view-1-00002.safetensors"));
    expect((await features("interrupted", 71)).read).toBe(71 - 64);
  });

  it("that cannot be kept cost time alone", async () => {
    writeFileSync(join(root, "file"), "");
    const notes: string[] = [];
    const { features: result } = await cachedFeatures(new Numbers(3), {
      ...{ folder: join(root, "file"), key: {}, views: 1, embed },
      onNote: (text) => void notes.push(text),
    });
    using _result = result;
    expect([...result.toArray("float32")]).toEqual(expected(3, 1));
    expect(notes).toEqual([expect.stringContaining("features could not be cached")]);
  });
});

describe("FeatureLoader", () => {
  async function epoch(loader: FeatureLoader, number: number, from = 0) {
    const rows: number[] = [];
    for await (const { images, labels } of loader.epoch(number, from)) {
      rows.push(...images.toArray("float32"));
      images.dispose();
      labels.dispose();
    }
    return rows;
  }

  it("gives every row of an epoch's view once, in an order of its own", async () => {
    const values = Float32Array.from({ length: 12 }, (_, i) => i);
    const features = unscoped(() => Tensor.from(values, [12, 1]));
    await using loader = new FeatureLoader(features, new Uint8Array(6), {
      ...{ batchSize: 4, shuffle: true, seed: 3 },
    });
    const [one, two, three] = [
      await epoch(loader, 1),
      await epoch(loader, 2),
      await epoch(loader, 3),
    ];
    expect(one.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(two.toSorted((a, b) => a - b)).toEqual([6, 7, 8, 9, 10, 11]);
    expect(three.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(one).not.toEqual(three);
    expect(await epoch(loader, 1, 1)).toEqual(one.slice(4));
  });
});
