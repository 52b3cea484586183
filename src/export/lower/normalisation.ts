import { float, int } from "../graph.ts";
import { type Lowerings, mean } from "./lowering.ts";

export const normalisation: Lowerings = {
  /** Over the last dimensions; ONNX has it from opset 17 on. */
  layer_norm: (call, graph) => {
    const x = call.tensor(0);
    const { length: rank } = call.shape(0);
    const { length: normalised } = call.numbers(1) ?? [];
    const epsilon = call.number(4, 1e-5);
    if (!call.given(2)) throw call.refuse("it has no weight");
    const bias = call.given(3) ? [call.tensor(3)] : [];
    if (graph.opset >= 17) {
      return graph.add("LayerNormalization", [x, call.tensor(2), ...bias], {
        axis: int(rank - normalised!),
        epsilon: float(epsilon),
      });
    }
    const axes = Array.from({ length: normalised! }, (_, i) => rank - normalised! + i);
    const centred = graph.add("Sub", [x, mean(graph, x, axes, true)]);
    const variance = mean(graph, graph.add("Mul", [centred, centred]), axes, true);
    const deviation = graph.add("Sqrt", [graph.add("Add", [variance, graph.scalar(epsilon)])]);
    const scaled = graph.add("Mul", [graph.add("Div", [centred, deviation]), call.tensor(2)]);
    return bias.length === 0 ? scaled : graph.add("Add", [scaled, bias[0]!]);
  },
};
