import { elementTypes as elementNumbers, int } from "../graph.ts";
import {
  type CallArguments,
  elementTypeOf,
  type Lowering,
  type Lowerings,
  mean,
  unary,
} from "./lowering.ts";

const binary =
  (op: string): Lowering =>
  (call, graph) =>
    graph.add(op, [call.tensor(0), call.tensor(1)]);

const withScalar =
  (op: string): Lowering =>
  (call, graph) =>
    graph.add(op, [call.tensor(0), graph.scalar(call.number(1, 0))]);

/** a ± alpha·b: only alpha 1 is asked for. */
const sum =
  (op: string, form: (op: string) => Lowering): Lowering =>
  (call, graph) => {
    if (call.number(2, 1) !== 1) throw call.refuse(`alpha is ${call.number(2, 1)}`);
    return form(op)(call, graph);
  };

/** All where none are named. */
const reduced = (call: CallArguments): readonly number[] =>
  call.given(1) ? call.axes(1) : call.shape(0).map((_, i) => i);

export const arithmetic: Lowerings = {
  "add.Tensor": sum("Add", binary),
  "add.Scalar": sum("Add", withScalar),
  "sub.Tensor": sum("Sub", binary),
  "sub.Scalar": sum("Sub", withScalar),
  "mul.Tensor": binary("Mul"),
  "mul.Scalar": withScalar("Mul"),
  "div.Tensor": binary("Div"),
  "div.Scalar": withScalar("Div"),
  "rsub.Scalar": (call, graph) =>
    graph.add("Sub", [graph.scalar(call.number(1, 0)), call.tensor(0)]),
  "pow.Tensor_Scalar": withScalar("Pow"),
  neg: unary("Neg"),
  abs: unary("Abs"),
  exp: unary("Exp"),
  log: unary("Log"),
  sqrt: unary("Sqrt"),
  reciprocal: unary("Reciprocal"),
  erf: unary("Erf"),
  square: (call, graph) => graph.add("Mul", [call.tensor(0), call.tensor(0)]),
  /** self + value · a · b */
  addcmul: (call, graph) => {
    if (call.number(3, 1) !== 1) throw call.refuse(`value is ${call.number(3, 1)}`);
    const product = graph.add("Mul", [call.tensor(1), call.tensor(2)]);
    return graph.add("Add", [call.tensor(0), product]);
  },
  zeros_like: (call, graph) => graph.add("Sub", [call.tensor(0), call.tensor(0)]),
  "mean.dim": (call, graph) => mean(graph, call.tensor(0), reduced(call), call.flag(2, false)),
  "sum.dim_IntList": (call, graph) =>
    graph.add("ReduceSum", [call.tensor(0), graph.int64s(reduced(call))], {
      keepdims: int(call.flag(2, false) ? 1 : 0),
    }),
  "norm.ScalarOpt_dim": (call, graph) => {
    if (call.number(1, 2) !== 2) throw call.refuse(`the norm is ${call.number(1, 2)}`);
    const squares = graph.add("Mul", [call.tensor(0), call.tensor(0)]);
    const keepdims = int(call.flag(3, false) ? 1 : 0);
    return graph.add("Sqrt", [
      graph.add("ReduceSum", [squares, graph.int64s(call.axes(2))], { keepdims }),
    ]);
  },
  "to.dtype": (call, graph) => {
    if (call.operand(0).kind === "value" && call.result.dtype === dtypeOf(call))
      return call.tensor(0);
    return graph.add("Cast", [call.tensor(0)], { to: int(typeNumber(call.result.dtype)) });
  },
  clone: (call) => call.tensor(0),
  detach: (call) => call.tensor(0),
};

function dtypeOf(call: CallArguments): string {
  const operand = call.operand(0);
  return operand.kind === "value" ? operand.dtype : operand.tensor.dtype;
}

function typeNumber(dtype: string): number {
  return elementNumbers[elementTypeOf(dtype)];
}
