import { ops, scope, Tensor } from "../../tensor/index.ts";
import { type GraphBuilder, int } from "../graph.ts";
import { type CallArguments, type Lowerings, permuted } from "./lowering.ts";

export const linear: Lowerings = {
  linear: (call, graph) => {
    const { length: rank } = call.shape(0);
    if (rank === 2) {
      const inputs = [call.tensor(0), call.tensor(1), ...(call.given(2) ? [call.tensor(2)] : [])];
      return graph.add("Gemm", inputs, { transB: int(1) });
    }
    const product = graph.add("MatMul", [call.tensor(0), transposed(call, 1, graph)]);
    return call.given(2) ? graph.add("Add", [product, call.tensor(2)]) : product;
  },
  /** bias + a · b; only plain factors are asked for. */
  addmm: (call, graph) => {
    if (call.number(3, 1) !== 1 || call.number(4, 1) !== 1) throw call.refuse("it has factors");
    return graph.add("Gemm", [call.tensor(1), call.tensor(2), call.tensor(0)]);
  },
  mm: product,
  bmm: product,
  matmul: product,
  scaled_dot_product_attention: (call, graph) => {
    const [q, k] = [call.shape(0), call.shape(1)];
    const { length: rank } = k;
    const order = k.map((_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
    const scale = graph.scalar(call.given(6) ? call.number(6, 1) : (q.at(-1) as number) ** -0.5);
    const scaled = graph.add("Mul", [call.tensor(0), scale]);
    let scores = graph.add("MatMul", [scaled, permuted(graph, call.tensor(1), order)]);
    if (call.given(3)) scores = graph.add("Add", [scores, call.tensor(3)]);
    const weights = graph.add("Softmax", [scores], { axis: int(rank - 1) });
    return graph.add("MatMul", [weights, call.tensor(2)]);
  },
};

function product(call: CallArguments, graph: GraphBuilder): string {
  return graph.add("MatMul", [call.tensor(0), call.tensor(1)]);
}

/** A weight [out, in] as [in, out]: turned now where it is a constant. */
function transposed(call: CallArguments, i: number, graph: GraphBuilder): string {
  const constant = call.constant(i);
  if (constant === undefined || constant.dtype !== "float32") {
    return permuted(graph, call.tensor(i), [1, 0]);
  }
  const [out, inner] = constant.shape as [number, number];
  const { buffer, byteOffset, byteLength } = constant.bytes;
  const values = new Float32Array(buffer, byteOffset, byteLength / 4);
  const bytes = scope(() => ops.contiguous(ops.t(Tensor.borrow(values, [out, inner]))).toBytes());
  return graph.initializer(constant.key ?? "weight", {
    type: "float32",
    shape: [inner, out],
    bytes,
  });
}
