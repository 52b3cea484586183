import type { NetworkInput } from "../run/input.ts";
import { elementTypes, type Graph, int, ints, type Shape } from "./graph.ts";
import type { Front } from "./lower/lower.ts";

/** uint8 [N, H, W, C] of the network's size → what `normalize` makes of them, [N, C, H, W]. */
export function pixelFront({ channels, height, width, mean, std }: NetworkInput): Front {
  return {
    takes: { type: "uint8", shape: [{ perImage: 1 }, height, width, channels] },
    build(graph, name) {
      const perChannel = [1, channels, 1, 1];
      const values = graph.add("Cast", [name], { to: int(elementTypes.float32) });
      const planes = graph.add("Transpose", [values], { perm: ints([0, 3, 1, 2]) });
      const scale = graph.floats(
        std.map((s) => 1 / (255 * s)),
        perChannel,
      );
      const shift = graph.floats(
        mean.map((m, c) => m / std[c]!),
        perChannel,
      );
      return graph.add("Sub", [graph.add("Mul", [planes, scale]), shift]);
    },
  };
}

/** The same graph for batches of one size, for runtimes that know sizes before they start. */
export function withBatch(graph: Graph, batch: number): Graph {
  const fixed = (shape: Shape): Shape =>
    shape.map((dim) => (typeof dim === "number" ? dim : dim.perImage * batch));
  const ends = (values: Graph["inputs"]): Graph["inputs"] =>
    new Map([...values].map(([name, info]) => [name, { ...info, shape: fixed(info.shape) }]));
  return { ...graph, inputs: ends(graph.inputs), outputs: ends(graph.outputs) };
}
