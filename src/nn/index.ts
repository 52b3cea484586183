export {
  type Activation,
  hardsigmoid,
  hardswish,
  relu,
  relu6,
  sigmoid,
  silu,
} from "./activate.ts";
export { GELU, Hardswish, ReLU, Sigmoid, SiLU } from "./activations.ts";
export { attention, joinHeads, selfAttention, splitHeads } from "./attention.ts";
export { BatchNorm2d, OneValueError } from "./batch-norm.ts";
export { chain, type Step } from "./chain.ts";
export { Conv2d, type Conv2dOptions, type Padding } from "./conv2d.ts";
export { DropPath, dropPathRates } from "./drop-path.ts";
export { Dropout } from "./dropout.ts";
export { foldBatchNorms } from "./fold.ts";
export {
  biasUniform_,
  constant_,
  kaimingNormal_,
  kaimingUniform_,
  normal_,
  truncatedNormal_,
  uniform_,
  withoutInit,
} from "./init.ts";
export { LayerNorm } from "./layer-norm.ts";
export { LayerNorm2d } from "./layer-norm-2d.ts";
export { Linear } from "./linear.ts";
export {
  type CrossEntropyOptions,
  crossEntropy,
  distillation,
  mixedCrossEntropy,
} from "./losses.ts";
export { Mlp } from "./mlp.ts";
export { Buffer, lasting, Module, Parameter } from "./module.ts";
export { aroundForward, observeForward } from "./observe.ts";
export { AvgPool2d, Flatten, GlobalAvgPool, MaxPool2d } from "./pooling.ts";
export { residualRelu } from "./residual.ts";
export { Identity, Sequential } from "./sequential.ts";
export { SqueezeExcite, type SqueezeExciteOptions } from "./squeeze-excite.ts";
