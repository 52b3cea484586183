import { int } from "../graph.ts";
import {
  type CallArguments,
  type Lowering,
  type Lowerings,
  permuted,
  reshapeTo,
  sameShape,
} from "./lowering.ts";

/** Whatever was asked for: the result's shape says it. */
const reshape: Lowering = (call, graph) => {
  const { shape } = call.result;
  if (sameShape(shape, call.shape(0))) return call.tensor(0);
  const name = reshapeTo(graph, call.tensor(0), shape);
  if (name === undefined) throw call.refuse("two dimensions of the result grow with the batch");
  return name;
};

const swap: Lowering = (call, graph) => {
  const order = call.shape(0).map((_, i) => i);
  const [a, b] = call.given(1) ? [call.axis(1, 0), call.axis(2, 0)] : [0, 1];
  [order[a], order[b]] = [order[b]!, order[a]!];
  return permuted(graph, call.tensor(0), order);
};

/** A run of one dimension. ONNX counts ends from the back as Python does. */
const FAR = 2 ** 31 - 1;

function sizeOf(call: CallArguments, axis: number): number {
  const size = call.shape(0)[axis];
  if (typeof size !== "number") throw call.refuse("it cuts the batch");
  return size;
}

export const shape: Lowerings = {
  view: reshape,
  reshape,
  "flatten.using_ints": reshape,
  unsqueeze: reshape,
  squeeze: reshape,
  "squeeze.dim": reshape,
  contiguous: (call) => call.tensor(0),
  permute: (call, graph) => permuted(graph, call.tensor(0), call.axes(1)),
  "transpose.int": swap,
  t: swap,
  expand: (call, graph) => {
    const { shape: target } = call.result;
    if (sameShape(target, call.shape(0))) return call.tensor(0);
    if (
      target.some(
        (dim, i) =>
          typeof dim !== "number" && !sameShape([dim], [call.shape(0).at(i - target.length) ?? 0]),
      )
    ) {
      throw call.refuse("it repeats what depends on the image for each of them");
    }
    const sizes = target.map((dim) => (typeof dim === "number" ? dim : 1));
    return graph.add("Expand", [call.tensor(0), graph.int64s(sizes)]);
  },
  cat: (call, graph) => {
    const names = call.tensors(0);
    const axis = call.number(1, 0);
    const rank = call.result.shape.length;
    return graph.add("Concat", names, { axis: int(axis < 0 ? axis + rank : axis) });
  },
  narrow: (call, graph) => {
    const axis = call.axis(1, 0);
    const [start, length] = [call.number(2, 0), call.number(3, 0)];
    const dim = call.shape(0)[axis];
    if (start === 0 && length === dim) return call.tensor(0);
    sizeOf(call, axis);
    const inputs = [[start], [start + length], [axis]].map((values) => graph.int64s(values));
    return graph.add("Slice", [call.tensor(0), ...inputs]);
  },
  "slice.Tensor": (call, graph) => {
    const axis = call.axis(1, 0);
    sizeOf(call, axis);
    const values = [call.number(2, 0), Math.min(call.number(3, FAR), FAR), axis, call.number(4, 1)];
    return graph.add("Slice", [call.tensor(0), ...values.map((value) => graph.int64s([value]))]);
  },
  "select.int": (call, graph) => {
    const axis = call.axis(1, 0);
    sizeOf(call, axis);
    return graph.add("Gather", [call.tensor(0), graph.int64s([call.number(2, 0)], [])], {
      axis: int(axis),
    });
  },
  "unbind.int": (call, graph) => {
    const axis = call.axis(1, 0);
    return Array.from({ length: sizeOf(call, axis) }, (_, i) =>
      graph.add("Gather", [call.tensor(0), graph.int64s([i], [])], { axis: int(axis) }),
    );
  },
  index_select: (call, graph) =>
    graph.add("Gather", [call.tensor(0), call.tensor(2)], { axis: int(call.axis(1, 0)) }),
  constant_pad_nd: (call, graph) => {
    // PyTorch names the last dimension first, and before and after beside each other.
    const given = call.numbers(1) ?? [];
    const rank = call.shape(0).length;
    const pads = Array.from({ length: 2 * rank }, () => 0);
    for (let i = 0; i < given.length; i++) {
      const axis = rank - 1 - (i >> 1);
      pads[i % 2 === 0 ? axis : rank + axis] = given[i]!;
    }
    return graph.add("Pad", [call.tensor(0), graph.int64s(pads), graph.scalar(call.number(2, 0))]);
  },
  /** What is rolled over the end comes first. */
  roll: (call, graph) => {
    const [shifts, axes] = [call.numbers(1) ?? [], call.numbers(2) ?? []];
    let name = call.tensor(0);
    for (const [i, axis] of axes.entries()) {
      const size = sizeOf(call, axis);
      const cut = ((-shifts[i]! % size) + size) % size;
      if (cut === 0) continue;
      const part = (from: number, to: number) =>
        graph.add("Slice", [name, graph.int64s([from]), graph.int64s([to]), graph.int64s([axis])]);
      name = graph.add("Concat", [part(cut, size), part(0, cut)], { axis: int(axis) });
    }
    return name;
  },
};
