import { Generator, inMemoryFormat, ops, Tensor } from "../../dist/tensor/index.js";

const classes = ["a", "b", "c", "d", "e"];

/** One batch of drawn 3x32x32 images of 5 classes, in memory; every call gives handles of its own, which a step frees. */
export function madeBatches(batchSize, { memoryFormat }) {
  const images = inMemoryFormat(
    ops.randn([batchSize, 3, 32, 32], { generator: new Generator(1) }),
    memoryFormat,
  );
  const labels = Tensor.from(
    BigInt64Array.from({ length: batchSize }, (_, i) => BigInt(i % classes.length)),
    [batchSize],
  );
  return (index) => ({
    ...{ images: ops.detach(images), labels: ops.detach(labels), size: batchSize, index },
  });
}

/** A data set of 64 such images, for what wants one and is given its batches otherwise. */
export function madeData() {
  const count = 64;
  const set = {
    images: Uint8Array.from({ length: count * 3072 }, (_, i) => (i * 2_654_435_761) >>> 24),
    labels: Uint8Array.from({ length: count }, (_, i) => i % classes.length),
    ...{ count, channels: 3, height: 32, width: 32, classes },
  };
  return {
    ...{ kind: "memory", name: "made", fingerprint: "bench", notes: [] },
    ...{ train: set, val: set, test: set, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  };
}
