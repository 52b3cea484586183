import type { KNeighborsClassifier } from "../classical/index.ts";
import { ThawError } from "../errors.ts";
import { type GraphBuilder, int } from "./graph.ts";
import type { Tail } from "./lower/lower.ts";

/** Candidates beyond k whose distances are computed by differences: products round the order of near ones. */
const SPARE = 8;
/** What weighs a neighbour at distance 0, beside which others count nothing in float32. */
const NEAREST = 1e-20;

/** k nearest neighbours as a graph: features [N, d] → shares of the votes [N, classes]. */
export function knnTail(knn: KNeighborsClassifier): Tail {
  const { tensors, classes = [] } = knn.state();
  const { nNeighbors: k, weights, metric } = knn.params;
  const [x, codes] = [tensors.get("x"), tensors.get("codes")];
  if (x === undefined || codes === undefined) throw new ThawError("the model is not fitted");
  const [rows, width] = x.shape as [number, number];
  const values = x.toArray("float32");
  const codeValues = Array.from(codes.toArray("int32"));
  codes.dispose();
  const halves = Float32Array.from({ length: rows }, (_, row) => {
    const own = values.subarray(row * width, (row + 1) * width);
    return own.reduce((sum, value) => sum + value * value, 0) / 2;
  });
  return {
    size: classes.length,
    build(graph, features) {
      const query = metric === "cosine" ? unitRows(graph, features) : features;
      const train = graph.floats(values, [rows, width]);
      const candidates = nearest(graph, query, { train, halves, count: Math.min(rows, k + SPARE) });
      const near = graph.add("Gather", [train, candidates], { axis: int(0) });
      const apart = graph.add("Sub", [near, graph.add("Unsqueeze", [query, graph.int64s([1])])]);
      const squares = graph.add(
        "ReduceSum",
        [graph.add("Mul", [apart, apart]), graph.int64s([2])],
        { keepdims: int(0) },
      );
      const [distances, at] = smallest(graph, squares, k);
      const chosen = graph.add("GatherElements", [candidates, at], { axis: int(1) });
      const labels = graph.add("Gather", [graph.int64s(codeValues), chosen], { axis: int(0) });
      const votes = graph.add("OneHot", [
        labels,
        graph.int64s([classes.length], []),
        graph.floats([0, 1]),
      ]);
      const each = weights === "uniform" ? undefined : inverse(graph, distances, metric);
      const weighed =
        each === undefined
          ? votes
          : graph.add("Mul", [votes, graph.add("Unsqueeze", [each, graph.int64s([2])])]);
      const sums = graph.add("ReduceSum", [weighed, graph.int64s([1])], { keepdims: int(0) });
      const total = graph.add("ReduceSum", [sums, graph.int64s([1])], { keepdims: int(1) });
      return graph.add("Div", [sums, total]);
    },
  };
}

/** int64 [N, count]: ‖x‖²/2 − q·x orders as the distance does. */
function nearest(
  graph: GraphBuilder,
  query: string,
  { train, halves, count }: { train: string; halves: Float32Array; count: number },
): string {
  const turned = graph.add("Transpose", [train]);
  const scores = graph.add("Sub", [graph.floats(halves), graph.add("MatMul", [query, turned])]);
  // By place, so that of equally near ones the first counts, as in the fitted model.
  const [, places] = smallest(graph, scores, count);
  return smallest(graph, places, count)[0];
}

/** The smallest of each row, ascending, and where they are. */
function smallest(graph: GraphBuilder, name: string, count: number): readonly [string, string] {
  return graph.addPair("TopK", [name, graph.int64s([count])], { axis: int(1), largest: int(0) });
}

function unitRows(graph: GraphBuilder, name: string): string {
  const squares = graph.add("Mul", [name, name]);
  const sums = graph.add("ReduceSum", [squares, graph.int64s([1])], { keepdims: int(1) });
  const norms = graph.add("Sqrt", [sums]);
  return graph.add("Div", [name, graph.add("Max", [norms, graph.scalar(1e-30)])]);
}

/** 1/distance; half of unit rows' squared distance is the cosine distance. */
function inverse(graph: GraphBuilder, squares: string, metric: "euclidean" | "cosine"): string {
  const distance =
    metric === "cosine"
      ? graph.add("Mul", [squares, graph.scalar(0.5)])
      : graph.add("Sqrt", [squares]);
  return graph.add("Reciprocal", [graph.add("Max", [distance, graph.scalar(NEAREST)])]);
}
