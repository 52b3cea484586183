import { expect, it } from "vitest";
import { kindOf } from "./kinds.ts";

it.each([
  ["aten::convolution_backward", "convolution"],
  ["aten::mkldnn_convolution", "convolution"],
  ["autograd::engine::evaluate_function: ConvolutionBackward0", "convolution"],
  ["aten::native_batch_norm_backward", "batch norm"],
  ["thaw::batch_norm_relu", "batch norm"],
  ["thaw::batch_norm_relu_max_pool", "batch norm"],
  ["aten::native_layer_norm", "layer norm"],
  ["aten::addmm", "matrix product"],
  ["aten::bmm", "matrix product"],
  ["AddmmBackward0", "matrix product"],
  ["aten::_softmax", "attention"],
  ["aten::_log_softmax", "loss"],
  ["aten::nll_loss_forward", "loss"],
  ["aten::threshold_backward", "activation"],
  ["aten::clamp_min_", "activation"],
  ["aten::adaptive_avg_pool2d", "pooling"],
  ["aten::copy_", "copy"],
  ["aten::_to_copy", "copy"],
  ["aten::view", "view"],
  ["aten::add_", "elementwise"],
  ["torch::autograd::AccumulateGrad", "autograd"],
  ["aten::_convert_weight_to_int4pack", "other"],
])("%s is %s", (name, kind) => {
  expect(kindOf(name)).toBe(kind);
});
