import { sideBeforeCrop } from "../data/files/fit.ts";
import type { Interpolation } from "../data/images/picture.ts";
import type { NetworkInput } from "../run/input.ts";
import { fittedBy } from "./fitted.ts";
import {
  elementTypes,
  float,
  type Graph,
  GraphBuilder,
  int,
  ints,
  string,
  type ValueInfo,
} from "./graph.ts";

/** What comes before a graph, so that it takes another kind of images. */
export interface Front {
  readonly takes: ValueInfo;
  /** From the graph's new input to what it took before. */
  build(graph: GraphBuilder, name: string): string;
}

/** From this opset on Resize can average over what it leaves out. */
export const RESIZE_OPSET = 18;

/** uint8 [N, H, W, C] of the network's size → what `normalize` makes of them, [N, C, H, W]. */
export function pixelFront(input: NetworkInput): Front {
  const { channels, height, width } = input;
  return {
    takes: { type: "uint8", shape: [{ perImage: 1 }, height, width, channels] },
    build: (graph, name) => normalised(graph, inPlanes(graph, name), input),
  };
}

/**
 * uint8 [N, H, W, C] of any height and width → [N, C, height, width]: the shorter side resized, the middle cut out and
 * normalised, as `fitPicture` and `normalize` do it. Of pictures that are smaller than the cut in one direction the whole
 * is stretched in it.
 */
export function pictureFront(input: NetworkInput): Front {
  const { channels, height, width } = input;
  const { interpolation, cropPct } = fittedBy(input);
  return {
    takes: {
      type: "uint8",
      shape: [{ perImage: 1 }, { name: "height" }, { name: "width" }, channels],
    },
    build(graph, name) {
      const planes = inPlanes(graph, name);
      const cut = graph.int64s([height, width]);
      const own = graph.add("Shape", [planes], { start: int(2), end: int(4) });
      const shorter = graph.int64s([sideBeforeCrop({ size: [height, width] }, cropPct)]);
      const shortest = graph.add("ReduceMin", [own], { keepdims: int(1) });
      // Whole numbers divide as torchvision truncates.
      const inProportion = graph.add("Div", [graph.add("Mul", [own, shorter]), shortest]);
      const size = graph.add("Max", [inProportion, cut]);
      const resized = resize(graph, planes, size, interpolation);
      const start = roundedHalf(graph, graph.add("Sub", [size, cut]));
      const end = graph.add("Add", [start, cut]);
      const middle = graph.add("Slice", [resized, start, end, graph.int64s([2, 3])]);
      // From here on sizes are known before the graph runs.
      const known = graph.add("Reshape", [middle, graph.int64s([-1, channels, height, width])]);
      return normalised(graph, known, input);
    },
  };
}

/** A front alone: what it makes of its pictures comes out. */
export function frontGraph(front: Front, { channels, height, width }: NetworkInput): Graph {
  const graph = new GraphBuilder(RESIZE_OPSET);
  const name = graph.unique("pictures");
  const made = front.build(graph, name);
  const shape = [{ perImage: 1 }, channels, height, width];
  return graph.finish(
    new Map([[name, front.takes]]),
    new Map([[made, { type: "float32", shape }]]),
  );
}

/** By Pillow's filters, on 8 bits as there. */
function resize(
  graph: GraphBuilder,
  planes: string,
  size: string,
  interpolation: Interpolation,
): string {
  const kept = graph.add("Shape", [planes], { start: int(0), end: int(2) });
  const sizes = graph.add("Concat", [kept, size], { axis: int(0) });
  const isCubic = interpolation === "bicubic";
  return graph.add("Resize", [planes, "", "", sizes], {
    mode: string(isCubic ? "cubic" : "linear"),
    antialias: int(1),
    coordinate_transformation_mode: string("half_pixel"),
    ...(isCubic && { cubic_coeff_a: float(-0.5), exclude_outside: int(1) }),
  });
}

/** Half of whole numbers, rounded to even as Python's round() does. */
function roundedHalf(graph: GraphBuilder, whole: string): string {
  const quarter = graph.add("Mod", [whole, graph.int64s([4])]);
  const over = graph.add("Gather", [graph.int64s([0, 1, 0, -1]), quarter], { axis: int(0) });
  return graph.add("Div", [graph.add("Sub", [whole, over]), graph.int64s([2])]);
}

function inPlanes(graph: GraphBuilder, name: string): string {
  return graph.add("Transpose", [name], { perm: ints([0, 3, 1, 2]) });
}

/** uint8 [N, C, H, W] → (pixel/255 − mean)/std. */
function normalised(
  graph: GraphBuilder,
  planes: string,
  { channels, mean, std }: NetworkInput,
): string {
  const perChannel = [1, channels, 1, 1];
  const values = graph.add("Cast", [planes], { to: int(elementTypes.float32) });
  const scale = graph.floats(
    std.map((s) => 1 / (255 * s)),
    perChannel,
  );
  const shift = graph.floats(
    mean.map((m, c) => m / std[c]!),
    perChannel,
  );
  return graph.add("Sub", [graph.add("Mul", [values, scale]), shift]);
}

/** The same graph with a front: it takes what that takes, under another name, `name` where nothing has it. */
export function withFront(graph: Graph, front: Front, name: string): Graph {
  const [[before]] = graph.inputs as unknown as [[string]];
  const builder = GraphBuilder.beside(graph);
  const input = builder.unique(name);
  const made = front.build(builder, input);
  const first = builder.finish(
    new Map([[input, front.takes]]),
    new Map([[made, graph.inputs.get(before)!]]),
  );
  return {
    ...graph,
    inputs: first.inputs,
    initializers: new Map([...first.initializers, ...graph.initializers]),
    nodes: [
      ...first.nodes,
      ...graph.nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map((value) => (value === before ? made : value)),
      })),
    ],
  };
}

/** The same graph for batches of one size, for runtimes that know sizes before they start. */
export function withBatch(graph: Graph, batch: number): Graph {
  const fixed = (shape: ValueInfo["shape"]): ValueInfo["shape"] =>
    shape.map((dim) => (typeof dim === "number" || "name" in dim ? dim : dim.perImage * batch));
  const ends = (values: Graph["inputs"]): Graph["inputs"] =>
    new Map([...values].map(([name, info]) => [name, { ...info, shape: fixed(info.shape) }]));
  return { ...graph, inputs: ends(graph.inputs), outputs: ends(graph.outputs) };
}
