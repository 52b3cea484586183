import { float, int, string } from "../graph.ts";
import { type Lowering, type Lowerings, unary } from "./lowering.ts";

const clip: Lowering = (call, graph) => {
  const bound = (i: number) => (call.given(i) ? graph.scalar(call.number(i, 0)) : "");
  return graph.add("Clip", [call.tensor(0), bound(1), bound(2)]);
};

export const activation: Lowerings = {
  relu: unary("Relu"),
  sigmoid: unary("Sigmoid"),
  tanh: unary("Tanh"),
  hardswish: unary("HardSwish"),
  hardsigmoid: (call, graph) =>
    graph.add("HardSigmoid", [call.tensor(0)], { alpha: float(1 / 6), beta: float(0.5) }),
  clamp: clip,
  hardtanh: (call, graph) => {
    const bounds = [graph.scalar(call.number(1, -1)), graph.scalar(call.number(2, 1))];
    return graph.add("Clip", [call.tensor(0), ...bounds]);
  },
  /** x·σ(x) */
  silu: (call, graph) => graph.add("Mul", [call.tensor(0), graph.add("Sigmoid", [call.tensor(0)])]),
  /** x·Φ(x); ONNX has it from opset 20 on, and runtimes know its parts before. */
  gelu: (call, graph) => {
    const x = call.tensor(0);
    const approximate = (call.call.args[1] as string | undefined) ?? "none";
    if (graph.opset >= 20) {
      return graph.add(
        "Gelu",
        [x],
        approximate === "none" ? {} : { approximate: string(approximate) },
      );
    }
    if (approximate !== "none") throw call.refuse("by tanh it needs opset 20");
    const erf = graph.add("Erf", [graph.add("Div", [x, graph.scalar(Math.SQRT2)])]);
    const doubled = graph.add("Mul", [x, graph.add("Add", [erf, graph.scalar(1)])]);
    return graph.add("Mul", [doubled, graph.scalar(0.5)]);
  },
  "softmax.int": (call, graph) =>
    graph.add("Softmax", [call.tensor(0)], { axis: int(call.axis(1, 0)) }),
  "log_softmax.int": (call, graph) =>
    graph.add("LogSoftmax", [call.tensor(0)], { axis: int(call.axis(1, 0)) }),
};
