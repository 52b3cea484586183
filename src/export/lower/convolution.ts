import { float, type GraphBuilder, int, ints } from "../graph.ts";
import { type CallArguments, type Lowering, type Lowerings, mean } from "./lowering.ts";

/** [top, left, bottom, right] of one padding for each of height and width. */
const pads = ([height, width]: readonly [number, number]) => ints([height, width, height, width]);

const maxPool: Lowering = (call, graph) => {
  const kernel = call.pair(1, 1);
  if (call.flag(5, false)) throw call.refuse("ceil_mode");
  return graph.add("MaxPool", [call.tensor(0)], {
    kernel_shape: ints(kernel),
    strides: ints(call.numbers(2)?.length ? call.pair(2, 1) : kernel),
    pads: pads(call.pair(3, 0)),
    dilations: ints(call.pair(4, 1)),
  });
};

export const convolution: Lowerings = {
  conv2d: (call, graph) => {
    const inputs = [call.tensor(0), call.tensor(1), ...(call.given(2) ? [call.tensor(2)] : [])];
    const kernel = call.shape(1).slice(2) as readonly number[];
    return graph.add("Conv", inputs, {
      kernel_shape: ints(kernel),
      strides: ints(call.pair(3, 1)),
      pads: pads(call.pair(4, 0)),
      dilations: ints(call.pair(5, 1)),
      group: int(call.number(6, 1)),
    });
  },
  max_pool2d: maxPool,
  avg_pool2d: (call, graph) => {
    const kernel = call.pair(1, 1);
    if (call.flag(4, false) || call.given(6)) throw call.refuse("ceil_mode or another divisor");
    return graph.add("AveragePool", [call.tensor(0)], {
      kernel_shape: ints(kernel),
      strides: ints(call.numbers(2)?.length ? call.pair(2, 1) : kernel),
      pads: pads(call.pair(3, 0)),
      count_include_pad: int(call.flag(5, true) ? 1 : 0),
    });
  },
  adaptive_avg_pool2d: (call, graph) => {
    const [height, width] = call.pair(1, 1);
    if (height === 1 && width === 1) return mean(graph, call.tensor(0), [2, 3], true);
    const [h, w] = call.shape(0).slice(-2) as [number, number];
    if (h % height !== 0 || w % width !== 0) throw call.refuse(`${h}×${w} to ${height}×${width}`);
    const kernel = ints([h / height, w / width]);
    return graph.add("AveragePool", [call.tensor(0)], { kernel_shape: kernel, strides: kernel });
  },
  batch_norm: (call, graph) => {
    if (call.flag(5, false)) throw call.refuse("in training");
    return batchNorm(call, graph, 7);
  },
  /** x, weight, bias, running mean and variance, training, momentum, eps, residual: then ReLU. */
  batch_norm_relu: (call, graph) => {
    if (call.flag(5, false)) throw call.refuse("in training");
    const normalised = batchNorm(call, graph, 7);
    const sum = call.given(8) ? graph.add("Add", [normalised, call.tensor(8)]) : normalised;
    return graph.add("Relu", [sum]);
  },
  /** x, weight, bias, running mean and variance, training, momentum, eps: then ReLU and 2×2 max pooling. */
  batch_norm_relu_max_pool: (call, graph) => {
    if (call.flag(5, false)) throw call.refuse("in training");
    const relu = graph.add("Relu", [batchNorm(call, graph, 7)]);
    const two = ints([2, 2]);
    return graph.add("MaxPool", [relu], { kernel_shape: two, strides: two });
  },
};

function batchNorm(call: CallArguments, graph: GraphBuilder, eps: number): string {
  const inputs = [0, 1, 2, 3, 4].map((i) => call.tensor(i));
  return graph.add("BatchNormalization", inputs, { epsilon: float(call.number(eps, 1e-5)) });
}
