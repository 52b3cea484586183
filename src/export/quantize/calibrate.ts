import type { SplitSet } from "../../data/imageset.ts";
import { ThawError } from "../../errors.ts";
import type { NetworkInput } from "../../run/input.ts";
import { arrayOf, type BatchOptions, batchesOf, spread } from "../feed.ts";
import { type Graph, int, type Node, type ValueInfo } from "../graph.ts";
import { encodeModel } from "../onnx/encode.ts";
import { OnnxSession } from "../session.ts";

/** Smallest and largest of a value over images. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

const BATCH = 4;

/**
 * The range of every value, as the mean over batches of their smallest and largest: one image's outlier does not
 * stretch it. Only these numbers leave the graph, so that memory does not grow with its values.
 * @throws ThawError where there is no image.
 */
export async function calibrate(
  graph: Graph,
  values: readonly string[],
  set: SplitSet,
  {
    input,
    images,
    ...options
  }: Pick<BatchOptions, "cache" | "signal"> & {
    readonly input: NetworkInput;
    readonly images: number;
  },
): Promise<ReadonlyMap<string, Range>> {
  if (set.count === 0) {
    throw new ThawError("--int8: there are no images to calibrate with", {
      hint: "the run's data must have training images where it was trained on them",
    });
  }
  const { watched, outputs } = observed(graph, values);
  await using session = await OnnxSession.open(bytesOf(watched));
  const sums = new Map(values.map((name) => [name, { min: 0, max: 0 }]));
  let batches = 0;
  const some = spread(set, images);
  for await (const batch of batchesOf(some, input, { batchSize: BATCH, ...options })) {
    const said = await session.run(arrayOf(batch.images));
    for (const [value, { min, max }] of outputs) {
      const sum = sums.get(value)!;
      sum.min += said.get(min)!.data[0]!;
      sum.max += said.get(max)!.data[0]!;
    }
    batches++;
  }
  return new Map(
    [...sums].map(([name, { min, max }]) => [name, { min: min / batches, max: max / batches }]),
  );
}

/** The graph with the smallest and largest of each value as outputs beside its own. */
function observed(graph: Graph, values: readonly string[]) {
  const nodes: Node[] = [];
  const ends = new Map<string, ValueInfo>(graph.outputs);
  const outputs = new Map<string, { min: string; max: string }>();
  for (const [i, value] of values.entries()) {
    const names = { min: `smallest_${i}`, max: `largest_${i}` };
    for (const [op, output] of [
      ["ReduceMin", names.min],
      ["ReduceMax", names.max],
    ] as const) {
      nodes.push({
        op,
        name: output,
        inputs: [value],
        outputs: [output],
        attributes: { keepdims: int(0) },
      });
      ends.set(output, { type: "float32", shape: [] });
    }
    outputs.set(value, names);
  }
  return { watched: { ...graph, nodes: [...graph.nodes, ...nodes], outputs: ends }, outputs };
}

/** A graph as a file in memory. @throws ThawError for one whose weights are too large for that. */
export function bytesOf(graph: Graph): Uint8Array {
  const plain = { producerVersion: "", metadata: {}, externalName: "" };
  const { model, external } = encodeModel(graph, plain);
  if (external.length > 0) {
    throw new ThawError(
      "the model has more than 2 GB of weights, which cannot be judged in memory",
      {
        hint: "export it in fp32 or with --half, without --int8",
      },
    );
  }
  return Buffer.concat(model);
}
